// The dashboard of a real cluster in a real browser: two seeds on one database, two workers, runs. Ends with 1 at the first thing that is
// not as it should be.
import fs from 'node:fs';
import path from 'node:path';
import { Node, api, browse, figures, letters, looksRight, pbmOf, receiver, root, run, timed, until, watch } from './cluster.mjs';

const [elastic, pbmProgram, pictures = 'pictures', browserPath = '/usr/bin/chromium'] = process.argv.slice(2);
if (!pbmProgram) { console.error('usage: node check.mjs ELASTIC PBM [PICTURES] [CHROMIUM]'); process.exit(2); }
fs.mkdirSync(pictures, { recursive: true });
const pbm = pbmOf(pbmProgram), problems = [];
const longest = { lost: 3000, paint: 1000, bytes: 1 << 20 };               // milliseconds, milliseconds, bytes: what issue 15 wants
const sources = ['letters', 'stories'].map(name => path.join(root, name));
const up = /(?:seed|worker) (\S+) is up/;

async function start() {
  const hook = await receiver(2);
  fs.writeFileSync(path.join(root, 'hook'), hook.address + '\n', { mode: 0o600 });
  const own = ['--database', `sqlite:${path.join(root, 'journal.db')}`, '--pbm-port', '0', '--dashboard-port', '0',
    '--set', `node.webhook-file=${path.join(root, 'hook')}`];
  const seeds = [new Node(elastic, 'seed', 'seed-a', own).start()];
  seeds[0].endpoint = await seeds[0].says(up);
  seeds.push(new Node(elastic, 'seed', 'seed-b', [...own, '--seed', seeds[0].endpoint]).start());
  for (const seed of seeds) {
    seed.endpoint = await seed.says(up);
    seed.pbm = await seed.says(/pbm (\S+) controls/);
    seed.address = await seed.says(/dashboard (http:\/\/\S+?)\/? \(/);
  }
  const known = seeds.flatMap(s => ['--seed', s.endpoint]);
  const workers = ['w1', 'w2'].map(name => new Node(elastic, 'worker', name, ['--devices', 'cpu:1', ...known]).start());
  for (const worker of workers) worker.endpoint = await worker.says(up);
  for (const source of sources) {
    fs.mkdirSync(source);
    for (let file = 0; file < 100; file++)
      fs.writeFileSync(path.join(source, `${file}.txt`), Array.from({ length: 200 }, (_, i) =>
        `line ${i} of text ${file} of ${path.basename(source)}, which a small model learns in a moment`).join('\n'));
  }
  const { supervisor } = await until('a seed supervises', 60, () => api(seeds[0].address, 'cluster'));
  const [first, other] = supervisor === seeds[1].endpoint ? [seeds[1], seeds[0]] : seeds;
  await until('each seed knows the other one', 30, async () => (await api(first.address, 'cluster')).dashboards.length === 2);
  return { first, other, workers, hook };
}

const begin = (seed, name, ...settings) => pbm(seed.pbm, 'run', 'start', '-n', name, ...sources.flatMap(s => ['-d', s]),
  ...['corpus.held-out=0.1', 'run.inner-steps=4', 'model.layers=2', 'model.width=64', ...settings].flatMap(s => ['-s', s]));
const status = async (seed, name) => (await pbm(seed.pbm, 'run', 'status', '-n', name)).at(-1);
const told = (hook, event, name) => () => hook.events.find(e => e.event === event && e.runId.startsWith(`${name}-`) && e.id);

// The token leaves the address for a session that no script reads and no other site's request carries; an old session asks for it again.
async function signIn(browser, seed) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
  const page = watch(await context.newPage(), problems);
  await page.goto(`${seed.address}/#token=${letters}`);
  await page.waitForSelector('h1:has-text("Runs")');
  if ((await page.evaluate(() => location.href)).includes('token')) throw new Error('the token stayed in the address');
  const [cookie] = await context.cookies();
  if (!cookie.httpOnly || cookie.sameSite !== 'Strict') throw new Error(`the session's cookie is ${JSON.stringify(cookie)}`);
  const { paint, bytes } = await figures(page);
  console.log(`first paint ${paint.toFixed(0)} ms, first load ${(bytes / 1024).toFixed(1)} KiB`);
  if (bytes > longest.bytes) throw new Error('the page is too large');
  if (paint > longest.paint) console.log(`first paint is late (${longest.paint} ms are wanted): is the machine busy?`);

  const old = await (await browser.newContext()).newPage();
  await old.context().addCookies([{ ...cookie, value: cookie.value.replace(/^\d+/, '1000000000') }]);
  await old.goto(seed.address);
  await old.waitForSelector('#token');
  await old.context().close();
  return { context, page };
}

// Buttons, and what pbm says of their effect.
async function press(page, label, danger = false) {
  await page.click(`main button:has-text("${label}")`, { timeout: 60000 });
  const ok = page.locator('#ask-ok');
  if (await ok.evaluate(b => b.classList.contains('danger')) !== danger) throw new Error(`${label}: the button has another colour`);
  await ok.click();
}

async function buttons(page, seed) {
  const phase = async () => (await status(seed, 'seen')).phase;
  await press(page, 'Pause');
  await timed('the run is paused by its button, says pbm', 60, async () => await phase() === 'paused');
  await page.waitForSelector('h1 .tag.paused');
  await press(page, 'Go on');
  await timed('it goes on by its button, says pbm', 60, async () => await phase() === 'computing');
  const { checkpoint } = await status(seed, 'seen');
  await press(page, 'Checkpoint');
  await timed('there is a new checkpoint by its button, says pbm', 60, async () => {
    const now = (await status(seed, 'seen')).checkpoint;
    return now && now !== checkpoint;
  });
  await page.click('main button:has-text("Change a setting")');
  await page.fill('#f-key', 'run.rounds');
  await page.fill('#f-value', '3000');
  await page.click('#ask-ok');
  await page.waitForSelector('#ask-text:has-text("4000 -> 3000")');
  await page.click('#ask-ok');
  await timed('the run has other rounds by its button, says pbm', 60, async () => (await status(seed, 'seen')).rounds === 3000);
}

const stateOf = (page, address) => page.evaluate(at => [...document.querySelectorAll('section.card')]
  .find(c => c.querySelector('h2')?.textContent === at)?.querySelector('.tag')?.textContent, address);

async function losses(page, workers) {
  await page.click('nav >> text=Nodes');
  const [worker] = workers, lost = worker.endpoint;
  await until('the worker is shown', 30, async () => await stateOf(page, lost) === 'up');
  const began = Date.now();
  worker.kill();
  await timed('a worker that was killed is shown as lost', 30, async () => await stateOf(page, lost) === 'lost');
  if (Date.now() - began > longest.lost) throw new Error('it was shown as lost too late');
  worker.start();
  worker.endpoint = await worker.says(up);
  await timed('it is shown again after it has joined', 60, async () => await stateOf(page, worker.endpoint) === 'up');
  // Now: the page has the newest thirty rounds, which a quick machine leaves behind within seconds.
  await page.click('nav >> text=Runs');
  await page.click('a:text-is("seen")');
  await timed('what was lost is told', 60, async () => await page.locator('.lost').count() > 0);
  await page.click('nav >> text=Nodes');
}

async function drain(page, seed, worker) {
  const card = page.locator('section.card', { has: page.locator(`h2:text-is("${worker.endpoint}")`) });
  const button = card.locator('button:has-text("Drain")');
  await button.click();
  await page.click('#ask-ok');
  await timed('a drain button drains, says pbm', 90, async () =>
    (await pbm(seed.pbm, 'node', 'list')).flatMap(l => l.nodes ?? [l]).find(n => n.node === worker.endpoint)?.state === 'drained');
  await timed('and the page', 30, async () => await stateOf(page, worker.endpoint) === 'drained');
  await button.click();
  await page.check('#f-undo');
  await page.click('#ask-ok');
  await until('it takes work again', 30, async () => await stateOf(page, worker.endpoint) === 'up');
}

// Once through the page without a mouse: what has the focus is visible, links and buttons obey Enter, curves the arrows, dialogs Escape.
async function keyboard(page, address) {
  await page.goto(`${address}/#/`);
  await page.waitForSelector('a:text-is("seen")');
  const focus = () => page.evaluate(() => {
    const { tagName, className, textContent } = document.activeElement;
    return ['BODY', 'MAIN'].includes(tagName) ? ''
      : `${tagName.toLowerCase()}.${className.baseVal ?? className} ${textContent.trim().slice(0, 30)}`;
  });
  const tabTo = async words => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (!(await focus()).includes(words)) continue;
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      if (outline === 'none') throw new Error(`the focus on ${words} is not visible`);
      return;
    }
    throw new Error(`Tab does not reach ${words}`);
  };
  await tabTo('Skip to the content');
  await tabTo('seen');
  await page.keyboard.press('Enter');
  await page.waitForSelector('h1:has-text("seen")');
  await page.waitForSelector('.curve');
  await tabTo('Pause');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog:not([open])', { state: 'attached' });
  await tabTo('svg.chart');
  await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('.chart .cross', { state: 'attached' });
  console.log('all of it without a mouse');
}

async function looks(browser, context, seed, page) {
  for (const [name, options] of [['light', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }],
    ['dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
    ['phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'light' }]]) {
    const one = watch(await (await browser.newContext({ ...options, storageState: await context.storageState() })).newPage(), problems);
    for (const [what, way] of [['run', '#/run/seen'], ['nodes', '#/nodes'], ['runs', '#/'], ['compare', '#/compare/seen/short'],
      ['events', '#/events']]) {
      await one.goto(`${seed.address}/${way}`);
      await one.waitForTimeout(2500);
      await picture(one, `${what}-${name}`);
      await looksRight(one, `${what}-${name}`);
    }
    await one.goto(`${seed.address}/#/run/seen`);
    await one.click('button:has-text("Change a setting")');
    await picture(one, `dialog-${name}`, false);
    await one.context().close();
  }
}

async function failover(page, first, other, hook) {
  await page.goto(`${first.address}/#/run/seen`);
  await until('rounds are shown', 60, async () => await page.locator('.rounds li').count() > 0);
  const rounds = await page.locator('.rounds li').count();
  first.kill();
  await timed('the page goes on at the other seed', 60, () => page.url().startsWith(other.address));
  await timed('with its history', 60, async () => await page.locator('.rounds li').count() >= rounds);
  await timed('and the run goes on', 120, async () => (await api(other.address, 'runs/seen')).view?.tokensPerSecond > 0);
  await picture(page, 'after-failover');
  await begin(other, 'late', 'run.replicas=1', 'run.rounds=2');
  await until('the webhook is called by the other seed, too', 120, told(hook, 'run-finished', 'late'));
}

async function main() {
  const { first, other, workers, hook } = await start();
  const browser = await browse(browserPath), { context, page } = await signIn(browser, first);
  await begin(first, 'short', 'run.replicas=1', 'run.rounds=2');
  await until('the webhook is told of a run that has finished, after two refusals', 120, told(hook, 'run-finished', 'short'));
  await begin(first, 'seen', 'run.replicas=2', 'run.rounds=4000', 'evaluation.every-rounds=2');
  await timed('a run that is started is shown', 30, () => page.locator('a:text-is("seen")').count());
  await page.click('a:text-is("seen")');
  const drawn = () => page.evaluate(() => Math.max(
    0, ...[...document.querySelectorAll('.curve')].map(c => c.getAttribute('d').split(/[ML]/).length)));
  const before = await until('a curve is drawn', 120, async () => { const n = await drawn(); return n > 3 && n; });
  await timed('the curve has grown', 120, async () => await drawn() > before + 2);
  await buttons(page, first);
  await losses(page, workers);
  await drain(page, first, workers[1]);
  await keyboard(page, first.address);
  await looks(browser, context, first, page);
  await failover(page, first, other, hook);
  await press(page, 'Stop', true);
  await timed('the run is stopped by its button', 120, () => page.locator('h1 .tag.stopped').count());
  if (problems.length) throw new Error(`the page has failed: ${problems.join('; ')}`);
}

const picture = (page, name, fullPage = true) => page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage });

await run(main);
