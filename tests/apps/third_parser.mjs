// third_parser.mjs -- Node's own HTTP parser at either end of alb, without leniency:
//
//     node third_parser.mjs server          prints its port, then a line of JSON for each request
//     node third_parser.mjs client URL      a line of JSON for each "METHOD PATH" on its input
import http from 'node:http';
import readline from 'node:readline';

const say = (what) => console.log(JSON.stringify(what));

async function bodyOf(message) {
  const parts = [];
  for await (const part of message) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

function server() {
  const s = http.createServer({ insecureHTTPParser: false }, async (request, response) => {
    try {
      const body = await bodyOf(request);
      say({ method: request.method, url: request.url, body });
      response.end('ok');
    } catch (error) {
      say({ broken: error.code });
    }
  });
  s.on('clientError', (error, socket) => { say({ refused: error.code }); socket.destroy(); });
  s.listen(0, '127.0.0.1', () => console.log(s.address().port));
}

function ask(agent, base, method, path) {
  return new Promise((done) => {
    const request = http.request(base + path, { method, agent }, async (response) => {
      try {
        done({ status: response.statusCode, body: await bodyOf(response) });
      } catch (error) {
        done({ status: response.statusCode, broken: error.code });
      }
    });
    request.on('error', (error) => done({ refused: error.code }));
    request.end();
  });
}

async function client(base) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, path] = line.split(' ');
    say(await ask(agent, base, method, path));
  }
  agent.destroy();
}

const [role, url] = process.argv.slice(2);
if (role === 'server') server();
else await client(url);
