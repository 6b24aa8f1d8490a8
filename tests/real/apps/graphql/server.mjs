// Subscriptions with graphql-ws, as its documentation begins.
import { createServer } from 'node:http';
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { listening, sleep } from '../kit.mjs';

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: { hello: { type: GraphQLString, resolve: () => 'world' } },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: {
        type: GraphQLInt,
        args: { every: { type: GraphQLInt } },
        async *subscribe(_, { every }) {
          for (let count = 1; count <= 3; count += 1) {
            await sleep(every);
            yield { count };
          }
        },
      },
    },
  }),
});
const http = createServer();
useServer(
  { schema, onConnect: ({ connectionParams }) => connectionParams?.token !== 'wrong', connectionInitWaitTimeout: 2000 },
  new WebSocketServer({ server: http, path: '/graphql' }),
);
listening(http);
