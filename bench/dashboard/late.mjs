// A seed that joins after a page was loaded: the page goes on there when its own seed is killed.
import path from 'node:path';
import { Node, api, browse, letters, root, run, timed, until, watch } from './cluster.mjs';

const [elastic, browserPath = '/usr/bin/chromium'] = process.argv.slice(2);
if (!elastic) { console.error('usage: node late.mjs ELASTIC [CHROMIUM]'); process.exit(2); }
const at = /dashboard (http:\/\/\S+?)\/? \(/, problems = [];
const words = ['--pbm-port', '0', '--dashboard-port', '0', '--database', `sqlite:${path.join(root, 'journal.db')}`];

run(async () => {
  const first = new Node(elastic, 'seed', 'one', words).start();
  const [here, endpoint] = [await first.says(at), await first.says(/seed (\S+) is up/)];
  const browser = await browse(browserPath), page = watch(await browser.newPage(), problems);
  await page.goto(`${here}/#token=${letters}`);
  await until('events come', 30, async () => await page.textContent('#state') === 'live');

  const later = new Node(elastic, 'seed', 'two', [...words, '--seed', endpoint]).start(), there = await later.says(at);
  await until('the first seed knows the later one', 60, async () => (await api(here, 'cluster')).dashboards.includes(there));
  // The page looks at the list every half a minute, and loads a worker that may ask the later seed.
  await timed('a worker was loaded that may ask it', 60, () => page.workers().some(worker => worker.url().includes('/look.js')));
  first.kill();
  await timed('the page goes on at the seed that joined later', 60,
    async () => page.url().startsWith(there) && await page.textContent('#state') === 'live');
  later.kill();
  if (problems.length > 0) throw new Error(problems.join('\n'));
});
