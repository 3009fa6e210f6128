// The dashboard of `elastic train` at a terminal: its address with a token, several browsers, what they cost the trainers, how quick the
// page stays after ROUNDS rounds, and Ctrl-C while browsers look.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { atEnd, browse, figures, root, run, until, watch } from './cluster.mjs';

const [elastic, rounds = '10000', browserPath = '/usr/bin/chromium'] = process.argv.slice(2);
if (!elastic) { console.error('usage: node train.mjs ELASTIC [ROUNDS] [CHROMIUM]'); process.exit(2); }
const text = path.join(root, 'text'), problems = [], several = 5;
const longest = { end: 10, draw: 1000 };                                   // seconds; milliseconds

/** A program in a terminal of its own: `script` gives it one. */
class Terminal {
  constructor(...words) {
    this.said = '';
    const quoted = words.map(w => `'${w}'`).join(' '), note = path.join(root, 'pid');
    // The number of the process itself, for its processor time.
    this.process = spawn('script', ['-qfec', `echo $$ >'${note}'; exec ${quoted}`, '/dev/null'],
      { env: { ...process.env, SHELL: '/bin/sh' } });
    this.process.stdout.on('data', part => { this.said += part; });
    this.ended = new Promise(done => this.process.on('exit', done));
    atEnd(() => this.process.kill('SIGKILL'));
    this.pid = until('the program starts', 30, () => fs.readFileSync(note, 'utf8').trim());
  }

  async says(expression) {
    return until(`the terminal shows ${expression}`, 120, () => expression.exec(this.said)?.[0])
      .catch(e => { throw new Error(`${e.message}:\n${this.said.slice(-2000)}`); });
  }

  interrupt() { this.process.stdin.write('\x03'); }

  async processorSeconds() {
    const fields = fs.readFileSync(`/proc/${await this.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

const train = (...words) => new Terminal(elastic, 'train', '--corpus', text, '--run', 'long', '--data-dir', path.join(root, 'data'),
  ...['corpus.held-out=0.1', 'run.replicas=1', 'run.inner-steps=1', 'model.layers=1', 'model.width=16', 'model.heads=2', 'model.context=16',
    'batch.sequences=4', 'batch.micro=4', 'evaluation.every-rounds=50', `run.rounds=${10 * rounds}`, ...words]
    .flatMap(s => ['--set', s]));

async function open(browser, address) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = watch(await context.newPage(), problems);
  await page.goto(address);
  await page.waitForSelector('a:text-is("long")');
  await until('events come', 30, async () => await page.textContent('#state') === 'live');
  return page;
}

// What a round costs the process while so many pages look at the run, alternating, so that other work on the machine falls on both.
async function cost(terminal, browser, address, api) {
  const spent = { 0: [0, 0], 1: [0, 0], [several]: [0, 0] };
  for (let turn = 0; turn < 4; turn++)
    for (const count of [0, 1, several]) {
      const pages = [];
      for (let i = 0; i < count; i++) {
        pages.push(await open(browser, address));
        await pages[i].click('a:text-is("long")');
      }
      const at = async () => [await terminal.processorSeconds(), (await api('/runs')).runs[0].steps];
      await new Promise(done => setTimeout(done, 1500));
      const [seconds, steps] = await at();
      await new Promise(done => setTimeout(done, 5000));
      const [later, more] = await at();
      spent[count][0] += later - seconds;
      spent[count][1] += more - steps;
      for (const page of pages) await page.context().close();
    }
  for (const [count, [seconds, steps]] of Object.entries(spent))
    console.log(`${count} pages look: ${(1000 * seconds / steps).toFixed(2)} ms of a processor a step, ${steps} steps`);
}

await run(async () => {
  fs.mkdirSync(text);
  for (let file = 0; file < 100; file++)
    fs.writeFileSync(path.join(text, `${file}.txt`), Array.from({ length: 100 }, (_, i) => `line ${i} of text ${file}`).join('\n'));
  const terminal = train(), address = await terminal.says(/http:\/\/127\.0\.0\.1:\d+\/#token=[A-Za-z0-9_-]{43}/);
  const browser = await browse(browserPath), first = await open(browser, address);
  const api = way => first.evaluate(async url => (await fetch(url)).json(), `${new URL(address).origin}/api/v1${way}`);
  await first.goto('about:blank');
  await first.goto(new URL(address).origin);
  await first.waitForSelector('a:text-is("long")');
  await cost(terminal, browser, address, api);

  await until(`${rounds} rounds`, 3000, async () => (await api('/runs')).runs[0].round >= rounds);
  const page = await open(browser, address);
  const began = Date.now();
  await page.click('a:text-is("long")');
  await page.waitForSelector('.curve');
  const opened = Date.now() - began, { longestTask, elements } = await page.evaluate(() => new Promise(done => {
    let longestTask = 0;
    new PerformanceObserver(list => list.getEntries().forEach(e => { longestTask = Math.max(longestTask, e.duration); }))
      .observe({ type: 'longtask', buffered: true });
    setTimeout(() => done({ longestTask, elements: document.querySelectorAll('*').length }), 10000);
  }));
  const points = await page.evaluate(() => Math.max(...[...document.querySelectorAll('.curve')]
    .map(c => c.getAttribute('d').split(/[ML]/).length)));
  console.log(`after ${rounds} rounds: the run's page after ${opened} ms, its longest task ${longestTask.toFixed(0)} ms, `
    + `${elements} elements, ${points} points in the longest curve`);
  if (points > 4000) throw new Error('a curve has more points than can be seen');
  if (opened > longest.draw) console.log('that is late: is the machine busy?');
  console.log(`first load ${((await figures(page)).bytes / 1024).toFixed(1)} KiB with the events so far`);

  const others = [];
  for (let i = 0; i < several; i++) others.push(await open(browser, address));
  const asked = Date.now();
  terminal.interrupt();
  const code = await Promise.race([terminal.ended, new Promise(done => setTimeout(() => done('none'), 1000 * longest.end))]);
  console.log(`Ctrl-C with ${several + 2} pages open: ended after ${((Date.now() - asked) / 1000).toFixed(1)} s with ${code}`);
  if (![0, 130].includes(code)) throw new Error(`it did not end as it should:\n${terminal.said.slice(-2000)}`);
  await until('pages say that nobody answers', 30, async () => await page.textContent('#state') === 'the seed does not answer');

  const quiet = train('node.dashboard=false');
  await quiet.says(/finished|round/);
  if (/#token=/.test(quiet.said)) throw new Error('there is a dashboard although nobody wanted one');
  quiet.interrupt();
  await quiet.ended;
  if (problems.length) throw new Error(`a page has failed: ${problems.join('; ')}`);
});
