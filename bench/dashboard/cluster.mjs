// Processes of a test and the ways to look at them: nodes, pbm, the HTTP API, a receiver of a webhook. All of them end with the program.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

/** A folder for everything that a run of a program leaves; it goes with the program. */
export const root = fs.mkdtempSync(path.join(os.tmpdir(), 'elastic-dashboard-'));

/** The token of all seeds, so that a session counts at each. */
export const token = randomBytes(32).toString('hex');

/** The same as an address has it. */
export const letters = Buffer.from(token, 'hex').toString('base64url');

const ends = new Set();

/** Has something done when the program ends. */
export function atEnd(what) { ends.add(what); }

/** Carries a program out; the process ends with 1 where it throws. */
export async function run(main) {
  let code = 0;
  try {
    await main();
    console.log('all is as it should be');
  } catch (e) {
    console.error(`failed: ${e.stack}`);
    code = 1;
  } finally {
    for (const end of ends) try { await end(); } catch { /* it has ended */ }
    fs.rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
  process.exit(code);
}

/** A process of `elastic`, with a data directory of its own. */
export class Node {
  constructor(elastic, role, name, args) { Object.assign(this, { elastic, role, name, args, dir: path.join(root, name) }); }

  start() {
    fs.mkdirSync(this.dir, { recursive: true });
    fs.writeFileSync(path.join(this.dir, 'pbm-token'), token + '\n', { mode: 0o600 });
    this.said = '';
    // The kernel kills it when this program ends, however that ends.
    const one = this.process = spawn('setpriv', [
      '--pdeathsig', 'KILL', this.elastic, this.role, '--data-dir', this.dir, '--port', '0', '--http-port', '0', ...this.args]);
    atEnd(() => one.kill('SIGKILL'));
    for (const stream of [one.stdout, one.stderr]) stream.on('data', text => { this.said += text; });
    return this;
  }

  kill() { this.process.kill('SIGKILL'); }

  async says(expression) {
    return until(`${this.name} says ${expression}`, 120, () => expression.exec(this.said)?.[1]);
  }
}

/** Waits for a condition: what it answers, or an error that names what did not come. */
export async function until(what, seconds, condition) {
  const began = Date.now();
  let last = null;
  for (;;) {
    const found = await Promise.resolve().then(condition).catch(e => { last = e; return null; });
    if (found) return found;
    if (Date.now() - began > seconds * 1000) throw new Error(`not within ${seconds} s: ${what}${last ? ` (${last.message})` : ''}`);
    await new Promise(done => setTimeout(done, 50));
  }
}

/** The same, and says how long it took. */
export async function timed(what, seconds, condition) {
  const began = Date.now(), found = await until(what, seconds, condition);
  console.log(`${what}: ${((Date.now() - began) / 1000).toFixed(2)} s`);
  return found;
}

/** A request to the HTTP API, with the token. */
export async function api(address, way, body) {
  const answer = await fetch(`${address}/api/v1/${way}`, {
    method: body ? 'POST' : 'GET', body: body && JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
  });
  if (!answer.ok) throw new Error(`${way}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Calls pbm; answers with its lines of JSON. */
export function pbmOf(program) {
  return (endpoint, ...words) => new Promise((done, fail) => {
    const file = path.join(root, 'token');
    fs.writeFileSync(file, token + '\n', { mode: 0o600 });
    execFile(program, [endpoint, ...words, '--json', '--token-file', file], { timeout: 120000 }, (e, output, errors) => {
      if (e) fail(new Error(`pbm ${words.join(' ')}: ${output} ${errors}`));
      else done(output.trim().split('\n').filter(Boolean).map(line => JSON.parse(line)));
    });
  });
}

/** Receives a webhook's calls, and refuses the first ones. */
export async function receiver(refusals) {
  const events = [];
  const server = http.createServer((request, answer) => {
    let body = '';
    request.on('data', part => { body += part; });
    request.on('end', () => {
      if (refusals-- > 0) { answer.writeHead(500).end(); return; }
      events.push(JSON.parse(body));
      answer.writeHead(204).end();
    });
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  atEnd(() => server.close());
  return { address: `http://127.0.0.1:${server.address().port}/hook`, events };
}

/** Starts the browser. */
export async function browse(executablePath, args = [], env = process.env) {
  const browser = await chromium.launch({ executablePath, env, args: [...args, ...process.getuid?.() === 0 ? ['--no-sandbox'] : []] });
  atEnd(() => browser.close());
  return browser;
}

/** Collects what a page complains of: failures of its scripts, and what its policy forbids. */
export function watch(page, problems) {
  page.on('pageerror', e => problems.push(e.message));
  page.on('console', m => { if (/Content Security Policy/.test(m.text())) problems.push(m.text()); });
  return page;
}

/** First paint in milliseconds, and the bytes that the page's first load took. */
export async function figures(page) {
  return page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    bytes: [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
      .reduce((sum, r) => sum + r.transferSize, 0),
  }));
}

/** Fails where a page is wider than its window, or a text is cut or lies on another one. */
export async function looksRight(page, name) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wider > 0) throw new Error(`${name} is ${wider} px too wide`);
  const cut = await page.evaluate(() => {
    const seen = [...document.querySelectorAll('h1, h2, button, .tag, nav a, dt, dd, td, th, .n, .state')]
      .filter(e => e.getClientRects().length > 0 && e.textContent.trim() && !e.closest('.scroll'));
    const over = seen.find(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline');
    if (over) return `"${over.textContent}" is cut`;
    const leaves = seen.filter(e => e.closest('main') && !seen.some(o => o !== e && e.contains(o)));
    const boxes = leaves.map(e => [e, e.getBoundingClientRect()]);
    for (const [i, [a, x]] of boxes.entries())
      for (const [b, y] of boxes.slice(i + 1))
        if (x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 1 && y.top < x.bottom - 1)
          return `"${a.textContent}" lies on "${b.textContent}"`;
    return null;
  });
  if (cut) throw new Error(`${name}: ${cut}`);
}
