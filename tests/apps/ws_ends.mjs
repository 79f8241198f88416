// ws_ends.mjs -- the library ws at either end, sending back what comes:
//
//     node ws_ends.mjs server                      prints its port
//     node ws_ends.mjs client URL SUFFIX AT_ONCE N...    opens each of URL/N+SUFFIX, so many at once
import { WebSocket, WebSocketServer } from 'ws';

const perMessageDeflate = { threshold: 0 };

function echo(socket) {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', () => {}); // what is wrong is answered by the library
}

function server() {
  const wss = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 4096, perMessageDeflate },
    () => console.log(wss.address().port));
  wss.on('connection', echo);
}

function client(url, suffix, atOnce, ...numbers) {
  const openNext = () => {
    if (!numbers.length) return;
    const socket = new WebSocket(`${url}/${numbers.shift()}${suffix}`, { perMessageDeflate });
    echo(socket);
    socket.on('close', openNext);
  };
  for (let i = 0; i < atOnce; i++) openNext();
}

const [role, ...args] = process.argv.slice(2);
({ server, client })[role](...args);
