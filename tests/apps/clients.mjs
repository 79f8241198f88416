// clients.mjs -- those applications' own clients, doing their normal work through a URL:
//
//     node clients.mjs NAME URL     prints what it did; exits 1 with the reason when it could not
//
// Half-way each prints "half" and waits for a line on its standard input, so that a test can
// change something under it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [name, url] = process.argv.slice(2);
const wsUrl = url.replace(/^http/, 'ws');

async function halfWay() {
  console.log('half');
  await once(process.stdin, 'data');
}

/** Ends with what the server said, as far as the client tells. */
function failLoudly(socket) {
  const fail = (why, details) => {
    console.error(why.message ?? why, details?.context?.responseText ?? why.context?.responseText ?? '');
    process.exit(1);
  };
  socket.on('connect_error', fail);
  socket.on('disconnect', fail);
}

const clients = {
  async socketio() {
    const { io } = await import('socket.io-client');
    const a = io(url, { forceNew: true }), b = io(url, { forceNew: true });
    let disconnects = 0;
    for (const socket of [a, b]) socket.on('disconnect', () => disconnects++);
    await Promise.all([a, b].map((s) => once(s.io.engine, 'upgrade').then(() => s.connected || once(s, 'connect'))));
    assert.equal(a.io.engine.transport.name, 'websocket');
    for (const socket of [a, b]) await socket.emitWithAck('join', 'room');
    for (const what of ['before', 'after']) {
      const heard = once(b, 'said');
      a.emit('say', 'room', what);
      assert.deepEqual(await heard, [what]);
      const bytes = Buffer.alloc(300000, what);
      assert.ok(bytes.equals(await a.emitWithAck('echo', bytes)));
      if (what === 'before') await halfWay();
    }
    assert.equal(disconnects, 0);
    a.close(); b.close();
  },

  // Several pages of polling: with two servers and no adapter that works with stickiness only.
  async polling() {
    const { io } = await import('socket.io-client');
    const socket = io(url, { transports: ['polling'], forceNew: true, withCredentials: true, reconnection: false });
    failLoudly(socket);
    await once(socket, 'connect');
    await halfWay();
    for (let i = 0; i < 5; i++) assert.ok(Buffer.from([i]).equals(await socket.emitWithAck('echo', Buffer.from([i]))));
    socket.off('disconnect');
    socket.close();
  },

  // As Socket.IO does by itself: polling first, then the upgrade of that session, which only its own server knows.
  async pollingFirst() {
    const { io } = await import('socket.io-client');
    const socket = io(url, { forceNew: true, withCredentials: true, reconnection: false });
    failLoudly(socket);
    await once(socket.io.engine, 'upgrade');
    await (socket.connected || once(socket, 'connect'));
    await halfWay();
    assert.ok(Buffer.from([7]).equals(await socket.emitWithAck('echo', Buffer.from([7]))));
    socket.off('disconnect');
    socket.close();
  },

  async ws() {
    const { default: WebSocket } = await import('ws');
    const socket = new WebSocket(wsUrl);
    await once(socket, 'open');
    assert.match(socket.extensions, /permessage-deflate/);
    const say = async (data) => {
      socket.send(data);
      const [got, isBinary] = await once(socket, 'message');
      assert.equal(isBinary, typeof data !== 'string');
      assert.ok(Buffer.from(data).equals(got));
    };
    await say('hello');
    await say(Buffer.alloc(3000000, 'abcdefghij'));
    await halfWay();
    await say('still here');
    socket.ping('p');
    assert.equal(String((await once(socket, 'pong'))[0]), 'p');
    socket.close(4001, 'done');
    assert.equal((await once(socket, 'close'))[0], 4001);
  },

  async sockjs() {
    const SockJS = require('sockjs-client');
    for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling']) {
      const socket = new SockJS(`${url}/echo`, null, { transports: [transport] });
      const next = () => new Promise((resolve, reject) => {
        socket.onmessage = (e) => resolve(e.data);
        socket.onclose = (e) => reject(new Error(`${transport}: closed ${e.code} ${e.reason}`));
      });
      await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onclose = (e) => reject(new Error(`${transport}: ${e.code} ${e.reason}`)); });
      assert.equal(socket.transport, transport);
      for (let i = 0; i < 3; i++) {
        const heard = next();
        socket.send(`message ${i} by ${transport}`);
        assert.equal(await heard, `message ${i} by ${transport}`);
      }
      if (transport === 'websocket') await halfWay();
      socket.onclose = null;
      socket.close();
    }
  },

  async mqtt() {
    const mqtt = require('mqtt');
    const open = () => mqtt.connectAsync(wsUrl, { reconnectPeriod: 0 });
    const reader = await open(), writer = await open();
    await reader.subscribeAsync('news/#', { qos: 1 });
    for (const part of ['first', 'second']) {
      const heard = once(reader, 'message');
      await writer.publishAsync(`news/${part}`, 'x'.repeat(100000), { qos: 1 });
      const [topic, message] = await heard;
      assert.equal(topic, `news/${part}`);
      assert.equal(message.length, 100000);
      if (part === 'first') await halfWay();
    }
    await reader.endAsync(); await writer.endAsync();
  },

  async graphql() {
    const { createClient } = require('graphql-ws');
    const { default: WebSocket } = await import('ws');
    let closed = 0;
    const client = createClient({ url: `${wsUrl}/graphql`, webSocketImpl: WebSocket, retryAttempts: 0, lazy: false, on: { closed: () => closed++ } });
    const run = async (query) => { const all = []; for await (const r of client.iterate({ query })) all.push(r.data); return all; };
    assert.equal((await run('{ hello }'))[0].hello, 'hi');
    await halfWay();
    assert.deepEqual((await run('subscription { count(to: 50) }')).map((d) => d.count), Array.from({ length: 50 }, (_, i) => i + 1));
    assert.equal(closed, 0);
    await client.dispose();
  },
};

const timer = setTimeout(() => { console.error('took too long'); process.exit(1); }, 25000);
await clients[name]();
clearTimeout(timer);
console.log('done');
process.exit(0);
