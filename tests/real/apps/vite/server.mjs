// A Vite development server on a page with one module.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'vite';

const root = mkdtempSync(join(process.env.REAL_SCRATCH ?? tmpdir(), 'vite-'));
writeFileSync(join(root, 'index.html'), '<script type="module" src="/main.js"></script>');
writeFileSync(join(root, 'main.js'), "export const version = 0;\nimport.meta.hot.accept();\n");
writeFileSync(join(root, 'package.json'), '{"type":"module"}');

const server = await createServer({
  root,
  logLevel: 'silent',
  server: { port: 0, host: '127.0.0.1', allowedHosts: ['app.example'] },
  plugins: [{
    name: 'edit-on-request',
    configureServer({ middlewares }) {
      middlewares.use('/edit', (request, response) => {
        const version = new URL(request.url, 'http://x').searchParams.get('version');
        writeFileSync(join(root, 'main.js'), `export const version = ${version};\nimport.meta.hot.accept();\n`);
        response.end('edited');
      });
    },
  }],
});
await server.listen();
console.log(`port ${server.httpServer.address().port}`);
