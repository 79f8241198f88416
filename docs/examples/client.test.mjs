// The same from Node: node --test client.test.mjs
// From Node 22 on nothing needs to be installed; 20.10 wants --experimental-websocket;
// older ones want `npm install ws`.
// ORIGIN is where a balancer or wsserver listens, e.g. 127.0.0.1:8080 of `make run`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const WebSocket = globalThis.WebSocket ?? (await import('ws')).default;
const origin = process.env.ORIGIN ?? '127.0.0.1:8080';

function closing(url) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
}

test('an echo comes back', async () => {
  const socket = new WebSocket(`ws://${origin}/t/echo`);
  const echoed = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = reject;
  });
  socket.close();
  assert.equal(echoed, 'hello');
});

test('the close code of the origin arrives', async () => {
  assert.deepEqual(await closing(`ws://${origin}/t/close?code=4006&reason=removed`),
    { code: 4006, reason: 'removed' });
});

test('a refused upgrade says why, to who asks with plain HTTP', async () => {
  const answer = await fetch(`http://${origin}/t/echo`);
  assert.equal(answer.status, 426);
  console.log((await answer.text()).trim());
});
