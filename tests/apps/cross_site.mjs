// cross_site.mjs -- a page of one site whose Socket.IO client is at another, in Chromium: node cross_site.mjs HTTPS_URL
//
// The page is at http://127.0.0.1, the server at https://localhost: another site. Prints the names of the cookies
// that the page's requests brought; exits 1 when the session did not work.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { launchAtHome } from '../browser/page.mjs';

const require = createRequire(import.meta.url);
const [url] = process.argv.slice(2);
const bundle = fs.readFileSync(require.resolve('socket.io-client').replace(/build.*|dist.*/, 'dist/socket.io.js'));

const site = http.createServer((request, response) => {
  response.setHeader('Content-Type', request.url === '/io.js' ? 'text/javascript' : 'text/html');
  response.end(request.url === '/io.js' ? bundle : '<!doctype html><script src="/io.js"></script>');
});
await new Promise((done) => site.listen(0, '127.0.0.1', done));
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'cross-site-'));
// Chromium blocks cookies of other sites unless its profile says otherwise.
fs.mkdirSync(path.join(home, 'Default'));
fs.writeFileSync(path.join(home, 'Default/Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }));
const context = await launchAtHome(home, { ignoreHTTPSErrors: true });
const page = await context.newPage();
const cookies = new Set();
page.on('response', async (response) => {
  const headers = await response.request().allHeaders();
  for (const cookie of (headers.cookie ?? '').split('; ')) if (cookie) cookies.add(cookie.split('=')[0]);
});
await page.goto(`http://127.0.0.1:${site.address().port}/`);
const echoed = await page.evaluate((server) => new Promise((done, fail) => {
  const socket = io(server, { transports: ['polling'], withCredentials: true, reconnection: false });
  socket.on('connect_error', (error) => fail(new Error(`${error.message} ${error.context?.responseText ?? ''}`)));
  socket.on('connect', async () => {
    const all = [];
    for (let i = 0; i < 4; i++) all.push(new Uint8Array(await socket.emitWithAck('echo', new Uint8Array([i])))[0]);
    done(all);
  });
}), url);
console.log([...cookies].sort().join(' '));
await context.close();
fs.rmSync(home, { recursive: true });
process.exit(echoed.join() === '0,1,2,3' ? 0 : 1);
