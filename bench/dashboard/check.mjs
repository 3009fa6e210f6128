// The dashboard of a real cluster in a real browser: two seeds on one database, two workers, a run; a worker is killed and comes back, the
// supervising seed is killed, and the page goes on at the other one. Ends with 1 at the first thing that is not as it should be.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const [elastic, pictures = 'pictures', browserPath = '/usr/bin/chromium'] = process.argv.slice(2);
if (!elastic) { console.error('usage: node check.mjs ELASTIC [PICTURES] [CHROMIUM]'); process.exit(2); }
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'elastic-dashboard-')), token = randomBytes(32).toString('hex');
fs.mkdirSync(pictures, { recursive: true });
const processes = new Set();

class Node {
  constructor(role, name, args) { Object.assign(this, { role, name, args, dir: path.join(root, name) }); }

  start() {
    fs.mkdirSync(this.dir, { recursive: true });
    // The seeds have one token, so that a session counts at both.
    fs.writeFileSync(path.join(this.dir, 'pbm-token'), token + '\n', { mode: 0o600 });
    this.said = '';
    this.process = spawn(elastic, [this.role, '--data-dir', this.dir, '--port', '0', '--http-port', '0', ...this.args]);
    processes.add(this.process);
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', text => { this.said += text; });
    return this;
  }

  kill() { this.process.kill('SIGKILL'); processes.delete(this.process); }

  async says(expression) {
    return until(`${this.name} says ${expression}`, 120, () => expression.exec(this.said)?.[1]);
  }
}

async function until(what, seconds, condition) {
  const began = Date.now();
  for (;;) {
    const found = await Promise.resolve(condition()).catch(() => null);
    if (found) return found;
    if (Date.now() - began > seconds * 1000) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise(done => setTimeout(done, 50));
  }
}

async function timed(what, seconds, condition) {
  const began = Date.now(), found = await until(what, seconds, condition);
  console.log(`${what}: ${((Date.now() - began) / 1000).toFixed(2)} s`);
  return found;
}

async function api(address, way, body) {
  const answer = await fetch(`${address}/api/v1/${way}`, {
    method: body ? 'POST' : 'GET', body: body && JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
  });
  if (!answer.ok) throw new Error(`${way}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function main() {
  const database = ['--database', `sqlite:${path.join(root, 'journal.db')}`, '--pbm-port', '0', '--dashboard-port', '0'];
  const seeds = [new Node('seed', 'seed-a', database).start()];
  const up = /(?:seed|worker) (\S+) is up/, at = /dashboard (http:\/\/\S+?)\/? \(/;
  seeds[0].endpoint = await seeds[0].says(up);
  seeds.push(new Node('seed', 'seed-b', [...database, '--seed', seeds[0].endpoint]).start());
  for (const seed of seeds) [seed.endpoint, seed.address] = [await seed.says(up), await seed.says(at)];
  const known = seeds.flatMap(s => ['--seed', s.endpoint]);
  const workers = ['w1', 'w2'].map(name => new Node('worker', name, ['--devices', 'cpu:1', ...known]).start());
  for (const worker of workers) worker.endpoint = await worker.says(up);

  const text = path.join(root, 'text.txt');
  fs.writeFileSync(text, Array.from({ length: 20000 }, (_, i) => `line ${i} of a text that a small model learns in a moment`).join('\n'));
  await api(seeds[0].address, 'runs/seen/start', {
    corpus: [text],
    set: ['run.replicas=2', 'run.rounds=2000', 'run.inner-steps=4', 'evaluation.every-rounds=2', 'model.layers=2', 'model.width=64'],
  });
  const { supervisor } = await api(seeds[0].address, 'cluster');
  const [first, other] = supervisor === seeds[1].endpoint ? [seeds[1], seeds[0]] : seeds;
  await until('each seed knows the other one', 30, async () => (await api(first.address, 'cluster')).dashboards.length === 2);

  const browser = await chromium.launch({ executablePath: browserPath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  processes.add({ kill: () => browser.close() });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
  const page = await context.newPage(), problems = [];
  page.on('pageerror', e => problems.push(e.message));
  page.on('console', m => { if (/Content Security Policy/.test(m.text())) problems.push(m.text()); });
  const letters = Buffer.from(token, 'hex').toString('base64url');
  await page.goto(`${first.address}/#token=${letters}`);
  await page.waitForSelector('text=seen');
  if ((await page.evaluate(() => location.href)).includes('token')) throw new Error('the token stayed in the address');
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
  const size = await page.evaluate(() => performance.getEntriesByType('resource').filter(r => !r.name.includes('/api/'))
    .reduce((sum, r) => sum + r.encodedBodySize, performance.getEntriesByType('navigation')[0].encodedBodySize));
  console.log(`first paint ${paint.toFixed(0)} ms, page ${(size / 1024).toFixed(1)} KiB`);

  await page.click('text=seen');
  const drawn = () => page.evaluate(() => Math.max(
    0, ...[...document.querySelectorAll('.curve')].map(c => c.getAttribute('d').split(/[ML]/).length)));
  const before = await until('a curve is drawn', 120, async () => { const n = await drawn(); return n > 3 && n; });
  await timed('the curve has grown', 120, async () => await drawn() > before + 2);

  await page.click('nav >> text=Nodes');
  const state = node => page.evaluate(address => [...document.querySelectorAll('section.card')]
    .find(c => c.querySelector('h2')?.textContent === address)?.querySelector('.tag')?.textContent, node.endpoint);
  await until('the worker is shown', 30, async () => await state(workers[0]) === 'up');
  const lost = workers[0].endpoint;
  workers[0].kill();
  await timed('a worker that was killed is shown as lost', 30, async () => await state({ endpoint: lost }) === 'lost');
  workers[0].start();
  workers[0].endpoint = await workers[0].says(up);
  await timed('it is shown again after it has joined', 60, async () => await state(workers[0]) === 'up');
  await page.waitForTimeout(3000);
  await picture(page, 'nodes-light');

  await page.click('nav >> text=Runs');
  await page.click('text=seen');
  await until('what was lost is told', 60, async () => await page.locator('.lost').count() > 0);
  await picture(page, 'run-light');
  for (const [name, options] of [['dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
    ['phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'light' }]]) {
    const one = await (await browser.newContext({ ...options, storageState: await context.storageState() })).newPage();
    for (const [what, way] of [['run', '#/run/seen'], ['nodes', '#/nodes'], ['runs', '#/']]) {
      await one.goto(`${first.address}/${way}`);
      await one.waitForTimeout(2500);
      await picture(one, `${what}-${name}`);
      const wider = await one.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) throw new Error(`${what}-${name} is ${wider} px too wide`);
    }
    await one.close();
  }

  const rounds = await page.locator('.rounds li').count();
  first.kill();
  await timed('the page goes on at the other seed', 60, () => page.url().startsWith(other.address));
  await timed('with its history', 60, async () => await page.locator('.rounds li').count() >= rounds);
  await timed('and the run goes on', 120, async () => (await api(other.address, 'runs')).runs[0].tokensPerSecond > 0);
  await picture(page, 'after-failover');

  await page.click('button:has-text("Stop")', { timeout: 60000 });
  await page.click('#ask-ok');
  await timed('the run is stopped by its button', 120, () => page.locator('h1 .tag.stopped').count());
  if (problems.length) throw new Error(`the page has failed: ${problems.join('; ')}`);
  console.log('all is as it should be');
}

const picture = (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });

let code = 0;
try {
  await main();
} catch (e) {
  console.error(`failed: ${e.message}`);
  code = 1;
} finally {
  for (const one of processes) try { await one.kill('SIGKILL'); } catch { /* it has ended */ }
  fs.rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(code);
