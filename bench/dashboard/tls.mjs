// The dashboard over TLS. With certificates of `elastic certs`: whoever shows none gets no further than the handshake, a reader finds no
// buttons, an admin's buttons are there, and no session begins; of two seeds one is lost, and the page goes on at the other one where the browser
// has a certificate for it, and else stays and says how. Then behind a proxy that speaks TLS to a browser which knows the proxy's
// authority: the token signs in, and pages of other origins are refused.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { Node, atEnd, browse, letters, root, run, timed, until, watch } from './cluster.mjs';

const [elastic, browserPath = '/usr/bin/chromium'] = process.argv.slice(2);
if (!elastic) { console.error('usage: node tls.mjs ELASTIC [CHROMIUM]'); process.exit(2); }
const problems = [], ports = ['--pbm-port', '0', '--dashboard-port', '0'];
const at = /dashboard (https?:\/\/\S+?)\/? \(/;

async function certificates(browser) {
  const folder = path.join(root, 'seed', 'certs');
  execFileSync(elastic, ['certs', 'init', '--certs', folder]);
  execFileSync(elastic, ['certs', 'node', 'ray', '--role', 'reader', '--certs', folder, '--out', path.join(root, 'ray')]);
  const seed = new Node(elastic, 'seed', 'seed', ports).start(), address = await seed.says(at);
  const stranger = await browser.newPage({ ignoreHTTPSErrors: true });
  if (await stranger.goto(address).then(() => true, () => false)) throw new Error('a browser without a certificate was let in');
  for (const [person, certs, count] of [['reader', path.join(root, 'ray'), 0], ['admin', folder, 2]]) {
    const [certPath, keyPath] = ['admin.pem', 'admin.key'].map(name => path.join(certs, name));
    // The seed's certificate names a node and not an address, as docs/dashboard.md says.
    const context = await browser.newContext({ ignoreHTTPSErrors: true, clientCertificates: [{ origin: address, certPath, keyPath }] });
    const page = watch(await context.newPage(), problems);
    await page.goto(`${address}/#/nodes`);
    await page.waitForSelector('section.card h2:text-matches("127.0.0.1")');
    await until('events come', 30, async () => await page.textContent('#state') === 'live');
    const found = await page.locator('section.card button').count();
    if (found !== count) throw new Error(`a browser of a ${person} sees ${found} buttons instead of ${count}`);
    if ((await context.cookies()).length > 0) throw new Error('there is a session beside the certificate');
    console.log(`${new X509Certificate(fs.readFileSync(certPath)).subject.replaceAll('\n', ', ')}: ${found} buttons`);
    await context.close();
  }
  seed.kill();
}

// Playwright shows a certificate to the origins that it is told of. A person's browser shows one where the person has opened a page.
async function follows(browser) {
  const folder = path.join(root, 'one', 'certs'), database = ['--database', `sqlite:${path.join(root, 'journal.db')}`];
  execFileSync(elastic, ['certs', 'init', '--certs', folder]);
  execFileSync(elastic, ['certs', 'node', 'two', '--role', 'seed', '--certs', folder, '--out', path.join(root, 'two', 'certs')]);
  const first = new Node(elastic, 'seed', 'one', [...ports, ...database]).start(), endpoint = await first.says(/seed (\S+) is up/);
  const other = new Node(elastic, 'seed', 'two', [...ports, ...database, '--seed', endpoint]).start();
  const [here, there] = [await first.says(at), await other.says(at)], [certPath, keyPath] = ['admin.pem', 'admin.key']
    .map(name => path.join(folder, name));
  await until('the seed that is to be lost knows the other one', 60, async () => (await cluster(here, certPath, keyPath)).dashboards.includes(there));
  const open = async (...origins) => {
    const context = await browser.newContext({
      ignoreHTTPSErrors: true, clientCertificates: origins.map(origin => ({ origin, certPath, keyPath })),
    });
    const page = watch(await context.newPage(), problems);
    await page.goto(`${here}/#/nodes`);
    await page.waitForSelector('section.card h2:text-matches("127.0.0.1")');
    await until('events come', 30, async () => await page.textContent('#state') === 'live');
    return page;
  };
  const [both, one] = [await open(here, there), await open(here)];
  await until('the page says where it cannot go on', 30, async () => await one.locator('.unreached a').getAttribute('href') === `${there}/`);
  if (await both.locator('.unreached').count() > 0) throw new Error('the page says that it does not get to a seed that it gets to');
  first.kill();
  await timed('the page goes on at the other seed', 60, async () => both.url() === `${there}/#/nodes` && await both.textContent('#state') === 'live');
  await until('the other page says how to go on', 30, async () =>
    /has not shown its certificate to another one yet/.test(await one.textContent('#banner')));
  if (!one.url().startsWith(here)) throw new Error(`a page without a certificate for ${there} is at ${one.url()}`);
  console.log('without a certificate for the other seed the page stays, and says how to go on');
  other.kill();
}

function cluster(address, certPath, keyPath) {
  const asked = { cert: fs.readFileSync(certPath), key: fs.readFileSync(keyPath), rejectUnauthorized: false };
  return new Promise((done, fail) => https.get(`${address}/api/v1/cluster`, asked, answer => {
    let text = '';
    answer.on('data', part => { text += part; });
    answer.on('end', () => { try { done(JSON.parse(text)); } catch (e) { fail(e); } });
  }).on('error', fail));
}

// A proxy for https://lm.example/elastic with a certificate of an authority of its own, and a home folder whose browsers know it.
async function proxy() {
  const file = name => path.join(root, name), home = file('home');
  const openssl = (...words) => execFileSync('openssl', words, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=test authority');
  openssl('req', '-x509', ...key, '-keyout', file('site.key'), '-out', file('site.pem'), '-subj', '/CN=lm.example', '-CA', file('ca.pem'),
    '-CAkey', file('ca.key'), '-addext', 'subjectAltName=DNS:lm.example', '-addext', 'basicConstraints=critical,CA:FALSE');
  const database = `sql:${path.join(home, '.pki/nssdb')}`;
  fs.mkdirSync(path.join(home, '.pki/nssdb'), { recursive: true });
  execFileSync('certutil', ['-d', database, '-N', '--empty-password']);
  execFileSync('certutil', ['-d', database, '-A', '-t', 'C,,', '-n', 'test', '-i', file('ca.pem')]);

  let target = null;
  const server = https.createServer({ key: fs.readFileSync(file('site.key')), cert: fs.readFileSync(file('site.pem')) }, (from, answer) => {
    const { hostname, port } = new URL(target);
    const on = http.request(
      { hostname, port, method: from.method, path: from.url, headers: { ...from.headers, 'x-forwarded-for': '203.0.113.7' } },
      found => { answer.writeHead(found.statusCode, found.headers); found.pipe(answer); });
    on.on('error', () => answer.destroy());
    answer.on('close', () => on.destroy());
    from.pipe(on);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  atEnd(() => server.close());
  return { home, port: server.address().port, pass(address) { target = address; } };
}

async function behindProxy() {
  const { home, port, pass } = await proxy(), address = `https://lm.example:${port}/elastic`;
  const seed = new Node(elastic, 'seed', 'plain',
    [...ports, '--set', `node.public-url=${address}`, '--set', 'node.trusted-proxies=127.0.0.1']);
  // The address that it prints is the public one: the port that it listens at is named.
  const own = await freePort();
  seed.args[seed.args.indexOf('--dashboard-port') + 1] = `${own}`;
  if (await seed.start().says(at) !== address) throw new Error('the seed prints another address than the public one');
  pass(`http://127.0.0.1:${own}`);
  const browser = await browse(browserPath, ['--host-resolver-rules=MAP *.example 127.0.0.1'], { ...process.env, HOME: home });
  const context = await browser.newContext(), page = watch(await context.newPage(), problems);
  await page.goto(`${address}/#token=${letters}`);
  await page.waitForSelector('h1:has-text("Runs")');
  await until('events come through the proxy', 30, async () => await page.textContent('#state') === 'live');
  const [cookie] = await context.cookies();
  if (!cookie.httpOnly || !cookie.secure || cookie.sameSite !== 'Strict' || cookie.path !== '/elastic')
    throw new Error(`the session's cookie is ${JSON.stringify(cookie)}`);
  console.log('behind a proxy: HttpOnly, Secure, SameSite=Strict, below /elastic');

  // A page of another origin, in the same browser: it reads nothing, and what it asks for is refused and written down.
  const other = http.createServer((_, answer) => answer.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>other</h1>'));
  await new Promise(done => other.listen(0, '127.0.0.1', done));
  atEnd(() => other.close());
  for (const site of [`http://evil.example:${other.address().port}`, `http://127.0.0.1:${other.address().port}`]) {
    const evil = await context.newPage();
    await evil.goto(site);
    for (const to of [address, `http://127.0.0.1:${own}`]) {
      const read = await evil.evaluate(async url => {
        await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }).catch(() => {});
        return fetch(url, { credentials: 'include' }).then(a => a.text()).catch(() => null);
      }, `${to}/api/v1/runs/seen/stop`);
      if (read !== null) throw new Error(`a page of ${site} reads ${read}`);
    }
  }
  const log = fs.readFileSync(path.join(seed.dir, 'commands.log'), 'utf8');
  if (!/another origin has asked/.test(log)) throw new Error(`nothing is refused in the log:\n${log}`);
  if (!log.includes('203.0.113.7')) throw new Error('the log does not name whom the proxy names');
  if (log.includes('"run stop"')) throw new Error('a page of another origin has given a command');
  console.log('pages of other origins: refused, and written down with the address that the trusted proxy names');
}

async function freePort() {
  const server = http.createServer();
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise(done => server.close(done));
  return port;
}

await run(async () => {
  const browser = await browse(browserPath);
  await certificates(browser);
  await follows(browser);
  await behindProxy();
  if (problems.length) throw new Error(`the page has failed: ${problems.join('; ')}`);
});
