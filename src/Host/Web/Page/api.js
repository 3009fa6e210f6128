// The API of the seed that has served this page: requests, the session, events, and the way to another seed when this one does not answer.

const base = new URL('.', location.href).pathname.replace(/\/$/, '');
const api = base + '/api/v1';
const lostAfter = 5000;                       // milliseconds without a connection, after which other seeds are tried
const betweenTries = 3000;
const inHaste = 2000, patience = 15000;  // of a look at another seed: where this one is lost, and where it lives

let session = null;
let others = [], unreached = [], probed = [];
let looker = null, looks = 0;                 // the worker that looks at other seeds, with those that it may connect to

/** A refusal or a failure, in the server's words. */
export class Problem extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

/** Asks for something; answers with its JSON. */
export async function get(path) { return ask('GET', path); }

/** Has a command carried out. An id makes sure that it is done once. */
export async function command(path, values) {
  const id = crypto.randomUUID?.() ?? String(Math.random()).slice(2) + Date.now();
  return ask('POST', path, values, { 'Idempotency-Key': id });
}

async function ask(method, path, body, more = {}) {
  const headers = { ...more };
  if (method !== 'GET' && session?.antiForgery) headers['X-Anti-Forgery'] = session.antiForgery;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body), cache: 'no-store' });
  } catch {
    throw new Problem(0, 'the seed does not answer');
  }
  if (answer.status === 204) return null;
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, json.detail ?? `HTTP ${answer.status}`);
  return json;
}

/** Who has signed in; null for nobody. A token in the address is exchanged for a session, and leaves the address at once. */
export async function signIn(token) {
  const [, ofAddress] = /^#token=([A-Za-z0-9_-]{43})$/.exec(location.hash) ?? [];
  if (ofAddress) history.replaceState(null, '', location.pathname + location.search + '#/');
  const shown = token ?? (ofAddress && digitsOf(ofAddress));
  if (shown) session = await ask('POST', '/session', { token: shown });
  else try {
    session = await get('/session');
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    session = null;
  }
  return session;
}

// The address has the token's bytes in letters, the file in hexadecimal digits.
const digitsOf = letters => Array.from(atob(letters.replace(/-/g, '+').replace(/_/g, '/')),
  c => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');

/** Ends the session of this browser. */
export async function signOut() { await ask('DELETE', '/session'); session = null; }

/** True where buttons would do something. */
export const mayChange = () => session?.mayChange === true;

/** Follows events until the page goes. */
export function follow({ onObservation, onRuns, onProblem, onState }) {
  let events, since = null, trying = null, last = null, isFirst = true;
  function connect() {
    events = new EventSource(api + '/events' + (last === null ? '' : `?after=${last}`));
    events.onopen = () => { clearTimeout(trying); since = null; isFirst = true; onState('live'); learnOthers(); };
    events.onerror = () => {
      if (since !== null) return;
      since = Date.now();
      onState('lost');
      trying = setTimeout(lost, betweenTries);
    };
    events.addEventListener('observation', e => { last = e.lastEventId; onObservation(JSON.parse(e.data)); });
    events.addEventListener('runs', e => { const { runs, gone } = JSON.parse(e.data); onRuns(runs, gone, isFirst); isFirst = false; });
    events.addEventListener('problem', e => onProblem(JSON.parse(e.data).detail));
  }
  async function lost() {
    if (since === null) return;
    if (Date.now() - since >= lostAfter) await goElsewhere();
    if (events.readyState === EventSource.CLOSED) {
      // The seed has answered, and not with events: it has too many pages, or the session is over.
      const problem = await get('/session').then(() => null, e => e);
      if (problem?.status === 401) { location.reload(); return; }
      connect();
    }
    trying = setTimeout(lost, betweenTries);
  }
  connect();
  setInterval(learnOthers, 30000);
}

/** Addresses of other seeds' dashboards, as far as they are known. */
export const otherSeeds = () => others;

/**
 * Those of them that this browser did not get to. Where seeds have certificates, it shows its own, and asks whether it is to trust theirs,
 * when a person opens a page there; to a script it says no more than that nothing came.
 */
export const unreachedSeeds = () => unreached;

async function learnOthers() {
  try {
    const here = location.origin + base;
    others = (await get('/cluster')).dashboards.filter(address => address !== here);
    unreached = unreached.filter(address => others.includes(address));
    if (!others.every(address => looker?.seeds.includes(address))) look();
    // Each once, since a browser may ask the person which certificate to show; and while this seed lives, so that there is time to act.
    const fresh = location.protocol === 'https:' ? others.filter(address => !probed.includes(address)) : [];
    probed.push(...fresh);
    await probe(fresh);
  } catch { /* those that are known stay */ }
}

// What the worker may connect to came with its script, so it is loaded while this seed lives. Questions to the one before it are answered.
function look() {
  const before = looker?.worker;
  if (before) setTimeout(() => before.terminate(), 2 * patience);
  const worker = new Worker(`${base}/look.js?${++looks}`);
  const mine = looker = { worker, seeds: others };
  worker.onerror = () => { mine.seeds = []; };             // it was not loaded: the next look at the list loads another one
}

async function probe(addresses) {
  const asked = looker;
  const reached = await Promise.all(addresses.map(address => reaches(address, patience)));
  if (addresses.length > 0 && !reached.includes(true)) mayConnectToNone(asked);
  unreached = [...unreached.filter(address => !addresses.includes(address)), ...addresses.filter((_, i) => !reached[i])];
}

/** Looks again at those that were not reached, when the person comes back from a page of one. */
export function probeOnReturn() {
  const look = () => {
    if (document.visibilityState !== 'visible') return;
    document.removeEventListener('visibilitychange', look);
    probe(unreached);
  };
  document.addEventListener('visibilitychange', look);
}

// Whether this browser gets to another seed.
function reaches(address, milliseconds) {
  const id = ++looks, { worker } = looker;
  return new Promise(done => {
    const end = reached => { worker.removeEventListener('message', answered); clearTimeout(late); done(reached); };
    const answered = ({ data }) => { if (data.id === id) end(data.reached); };
    const late = setTimeout(() => end(false), milliseconds + 1000);
    worker.addEventListener('message', answered);
    worker.postMessage({ id, address, milliseconds });
  });
}

// Another seed has the same history: this page goes on there, where it stands.
async function goElsewhere() {
  const asked = looker;
  for (const address of others) {
    if (!await reaches(address, inHaste)) continue;
    location.replace(address + '/' + location.hash);
    return;
  }
  mayConnectToNone(asked);
}

// Perhaps the seed did not know the others when it sent the worker, and with it what that may connect to: the next look at the list loads
// another one.
function mayConnectToNone(asked) { if (asked) asked.seeds = []; }
