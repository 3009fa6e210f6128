// Which page is shown, who has signed in, and what comes from the events.
import { follow, otherSeeds, signIn, signOut, unreachedSeeds } from './api.js';
import { fill, h } from './dom.js';
import { comparePage, eventsPage, nodesPage, runsPage } from './pages.js';
import { runPage } from './run.js';

const pages = { runs: runsPage, run: runPage, nodes: nodesPage, compare: comparePage, events: eventsPage };
const main = document.getElementById('main'), state = document.getElementById('state'), banner = document.getElementById('banner');
const views = new Map();
let page = {}, number = 0, hiding = null, isLost = false;

/** Says something for a while; what went wrong stays longer. */
function say(text, isBad = false) {
  // The line that says where the page goes on stays: each request that fails meanwhile says no more than that.
  if (isLost) return;
  clearTimeout(hiding);
  banner.textContent = text;
  banner.hidden = false;
  hiding = setTimeout(() => { banner.hidden = true; }, isBad ? 12000 : 6000);
}

async function show() {
  const [name = '', ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const known = Object.hasOwn(pages, name) ? name : 'runs', mine = ++number;
  page.leave?.();
  // What comes while the page is built is for it, too.
  const held = [];
  let hasNews = false;
  page = { onObservation: o => held.push(o), onRuns: () => { hasNews = true; } };
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.page === (known === 'run' ? 'runs' : known)) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = known === 'run' ? `${rest[0]} · Elastic` : 'Elastic';
  // Built aside: what a page that was left still draws is not seen.
  const content = h('div');
  fill(main, content);
  try {
    const built = await pages[known](content, known === 'run' ? rest[0] : rest, { views, say });
    if (mine !== number) { built.leave?.(); return; }
    page = built;
    for (const o of held) page.onObservation?.(o);
    if (hasNews) page.onRuns?.();
  } catch (problem) {
    if (mine !== number) return;
    page = {};
    if (problem.status === 401) return start();
    fill(content, h('h1', {}, 'That did not work'), h('p', { class: 'card' }, problem.message));
  }
}

function askForToken(why) {
  const token = h('input', { type: 'password', id: 'token', autocomplete: 'off', required: true, spellcheck: 'false' });
  const problem = h('p', { class: 'bad-text', role: 'alert' }, why ?? '');
  fill(main, h('section', { class: 'card' }, h('h1', {}, 'Sign in'),
    h('p', {}, 'Show the token of this seed: the file ', h('code', {}, 'pbm-token'), ' in its data directory holds it.'),
    h('form', {
      onsubmit: async e => {
        e.preventDefault();
        try { await signIn(token.value.trim()); await begin(); } catch (refusal) { problem.textContent = refusal.message; }
      },
    }, h('label', { for: 'token' }, 'Token'), token, problem, h('p', {}, h('button', {}, 'Sign in')))));
  token.focus();
}

let isFollowing = false;

async function begin() {
  document.getElementById('sign-out').hidden = false;
  if (!isFollowing) {
    isFollowing = true;
    follow({
      onObservation: o => page.onObservation?.(o),
      onRuns: (runs, gone, isFirst) => {
        // A stream begins with all of them.
        if (isFirst) views.clear();
        for (const name of gone) views.delete(name);
        for (const v of runs) views.set(v.run, v);
        page.onRuns?.();
      },
      onProblem: text => say(text, true),
      onState: word => {
        state.textContent = word === 'live' ? 'live' : 'the seed does not answer';
        isLost = word !== 'live';
        state.classList.toggle('bad', isLost);
        if (!isLost) return;
        const links = otherSeeds().map(address => h('a', { href: `${address}/${location.hash}` }, address));
        clearTimeout(hiding);
        fill(banner, 'This seed does not answer. What is shown is what it said last. ', links.length === 0
          ? 'No other one is known: the page goes on when it is back.'
          : unreachedSeeds().length < links.length ? 'The page goes on at another one in a moment: '
            : 'This browser has not shown its certificate to another one yet, which it does when you open it: ',
        links.flatMap(link => [link, ' ']));
        banner.hidden = false;
        const back = setInterval(() => { if (state.textContent === 'live') { banner.hidden = true; clearInterval(back); } }, 500);
      },
    });
  }
  await show();
}

async function start() {
  try {
    await (await signIn() ? begin() : askForToken());
  } catch (problem) {
    askForToken(problem.message);
  }
}

addEventListener('hashchange', () => { show(); main.focus(); });
document.getElementById('sign-out').addEventListener('click', async () => {
  await signOut().catch(() => {});
  location.replace(location.pathname);
  location.reload();
});
start();
