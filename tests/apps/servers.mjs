// servers.mjs -- applications as their own manuals have them, one a name:
//
//     node servers.mjs NAME [PEM]    prints the port that it listens on
//
// With a PEM file of certificate and key it speaks HTTPS.
// None knows that a balancer is in front of it.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const servers = {
  // Rooms, acknowledgements, binary; polling first, then the upgrade.
  async socketio(server) {
    const { Server } = await import('socket.io');
    const io = new Server(server, { cookie: { name: 'io', httpOnly: true }, cors: { origin: true, credentials: true } });
    io.on('connection', (socket) => {
      socket.on('join', (room, done) => { socket.join(room); done(process.pid); });
      socket.on('say', (room, what) => io.to(room).emit('said', what));
      socket.on('echo', (bytes, done) => done(bytes));
    });
  },

  async ws(server) {
    const { WebSocketServer } = await import('ws');
    const wss = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
    wss.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  },

  async sockjs(server) {
    const sockjs = require('sockjs');
    const echo = sockjs.createServer({ log() {} });
    echo.on('connection', (conn) => conn.on('data', (message) => conn.write(message)));
    echo.installHandlers(server, { prefix: '/echo' });
  },

  async mqtt(server) {
    const { WebSocketServer, createWebSocketStream } = await import('ws');
    const Aedes = require('aedes');
    const broker = new Aedes();
    const wss = new WebSocketServer({ server, handleProtocols: () => 'mqtt' });
    wss.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request));
  },

  async graphql(server) {
    const { WebSocketServer } = await import('ws');
    const { useServer } = await import('graphql-ws/lib/use/ws');
    const { GraphQLSchema, GraphQLObjectType, GraphQLInt, GraphQLString } = require('graphql');
    async function* count(_, { to }) { for (let n = 1; n <= to; n++) yield { count: n }; }
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString, resolve: () => 'hi' } } }),
      subscription: new GraphQLObjectType({
        name: 'Subscription',
        fields: { count: { type: GraphQLInt, args: { to: { type: GraphQLInt } }, subscribe: count } },
      }),
    });
    useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
  },
};

const [name, file] = process.argv.slice(2);
const answer = (request, response) => {
  if (request.url === '/health') response.end('ok');
};
const pem = file && fs.readFileSync(file);
const server = pem ? https.createServer({ cert: pem, key: pem }, answer) : http.createServer(answer);
await servers[name](server);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
