// The pages besides a run's: all runs, the nodes, two runs beside each other, what happens.
import { get, probeOnReturn, unreachedSeeds } from './api.js';
import { chart } from './chart.js';
import { buttons } from './commands.js';
import { bytes, count, fill, h, lines, nats, table, tag } from './dom.js';
import { lossesOf } from './losses.js';
import { left, soon, stateOf } from './run.js';

const betweenLooks = 4000, mostLoads = 16;

export async function runsPage(main, _, { views }) {
  const list = h('section', { class: 'card' });
  fill(main, h('h1', {}, 'Runs'), list);
  const onRuns = () => {
    const all = [...views.values()].sort((a, b) => a.run < b.run ? -1 : 1);
    fill(list, all.length === 0 ? h('p', { class: 'faint' }, 'No runs yet: start one with pbm run start -n NAME.')
      : table(['run', 'state', '>round', '>train', '>held-out', '>tokens/s', '>left', '>devices'], all.map(v => [
        h('a', { href: `#/run/${encodeURIComponent(v.run)}` }, v.run), tag(stateOf(v)), `${v.round}/${v.rounds}`, nats(v.trainLoss),
        nats(v.valLoss), v.tokensPerSecond > 0 ? count(v.tokensPerSecond) : '', left(v), String(v.devices)])));
  };
  const { runs } = await get('/runs?limit=1000');
  views.clear();                                // what was deleted is not told of
  for (const v of runs) views.set(v.run, v);
  onRuns();
  return { onRuns };
}

export async function nodesPage(main, _, { say }) {
  const [list, members, recent] = [h('div', { class: 'grid' }), h('div'), lines(100)];
  fill(main, h('h1', {}, 'Nodes'), list,
    h('section', { class: 'card' }, h('h2', {}, 'Members'), members),
    h('section', { class: 'card' }, h('h2', {}, 'What happened'), recent.element));
  const known = new Map(), loads = new Map(), cards = new Map();
  let gone = false;

  async function look() {
    const { nodes } = await get('/nodes');
    // A node that was here and is not any more stays, as lost, while the page is open. Supervisors have given a suspected one up.
    const lost = n => ({ ...n, state: 'lost', work: [], replicas: [] }), here = new Set(nodes.map(n => n.nodeId));
    for (const n of nodes) known.set(n.nodeId, n.state === 'suspected' ? lost(n) : n);
    for (const [id, n] of known) if (!here.has(id)) known.set(id, lost(n));
    for (const n of [...known.values()].sort((a, b) => a.node < b.node ? -1 : 1)) await card(n);
    const cluster = await get('/cluster');
    fill(members, table(['address', 'roles', 'status', 'reachable', ''], cluster.members.map(m => [m.address, m.roles.join(', '), m.status,
      m.reachable ? 'yes' : h('span', { class: 'bad-text' }, 'no'),
      [m.address === cluster.supervisor && 'supervises', m.address === cluster.leader && 'leads'].filter(Boolean).join(', ')])),
    h('p', { class: 'faint small' }, cluster.security), unreachedSeeds().map(address => h('p', { class: 'small unreached' },
      'This browser does not get to ', h('a', { href: address + '/', target: '_blank', rel: 'noopener', onclick: probeOnReturn }, address),
      ' by itself. Open it once and choose your certificate, so that the page can go on there when this seed is lost.')));
  }

  async function card(n) {
    if (!cards.has(n.nodeId)) {
      const [body, row] = [h('div'), h('div', { class: 'row' })];
      cards.set(n.nodeId, body);
      list.append(h('section', { class: 'card' }, body, row));
      fill(row, await buttons('node', n.nodeId, () => true, say));
    }
    const load = n.state === 'lost' ? null : loads.get(n.nodeId), bar = h('div', { class: 'bar' }, h('i'));
    if (load) bar.firstChild.style.width = `${Math.min(100, 100 * load.cpuCores / Math.max(1, n.devices.length))}%`;
    fill(cards.get(n.nodeId),
      h('div', { class: 'row head' }, h('h2', {}, n.node), tag(n.state)),
      h('p', { class: 'small faint' }, `${n.seed ? 'seed' : 'worker'} · ${n.devices.length === 0 ? 'no devices' : n.devices.join(' ')}`
        + (n.freeMemoryBytes ? ` · ${bytes(n.freeMemoryBytes)} free` : '')),
      load ? h('div', {}, bar, h('p', { class: 'small faint' }, `computes on ${load.cpuCores.toFixed(1)} cores`)) : null,
      n.replicas.length > 0 ? h('p', {}, n.replicas.map(r => `${r.run}: replica ${r.replica}, round ${r.round}`
        + (r.stage > 0 ? `, stage ${r.stage}` : '')).join('; ')) : null,
      h('ul', { class: 'plain' }, n.work.filter(w => !/ compute(-stage)? \d+ replica /.test(w)).map(w => h('li', {}, w))));
  }

  async function measure() {
    for (const n of [...known.values()].filter(n => n.state === 'up').slice(0, mostLoads)) {
      try { loads.set(n.nodeId, await get(`/nodes/${encodeURIComponent(n.nodeId)}/load`)); } catch { loads.delete(n.nodeId); }
    }
  }

  (await get('/observations?limit=50&kind=node-joined,node-lost,supervision-began,node-quarantined')).observations.forEach(recent.tell);
  await look();
  (async () => {
    while (!gone) {
      try { await measure(); await look(); } catch (problem) { say(problem.message, true); }
      await new Promise(done => setTimeout(done, betweenLooks));
    }
  })();
  const again = soon(look, 500, () => gone, say);
  return {
    onObservation(o) {
      if (!['node-joined', 'node-lost', 'supervision-began', 'node-quarantined'].includes(o.observed)) return;
      recent.tell(o);
      again();
    },
    leave() { gone = true; },
  };
}

export async function comparePage(main, [one, other]) {
  // The journal may have runs that no supervisor tells of: they can be named in the address.
  const names = [...new Set([...(await get('/runs?limit=1000')).runs.map(r => r.run), one, other].filter(Boolean))].sort();
  const pick = (id, label, value) => h('label', { for: id }, label, h('select', {
    id, onchange: () => {
      const [a, b] = ['compare-a', 'compare-b'].map(i => document.getElementById(i).value);
      if (a && b && a !== b) location.hash = `#/compare/${encodeURIComponent(a)}/${encodeURIComponent(b)}`;
    },
  }, h('option', { value: '' }, 'choose a run'), names.map(n => h('option', { value: n, selected: n === value }, n))));
  fill(main, h('h1', {}, 'Compare two runs'),
    h('section', { class: 'card row inline' }, pick('compare-a', 'One', one), pick('compare-b', 'Other', other)));
  if (!one || !other) {
    main.append(h('p', { class: 'faint' }, names.length < 2 ? 'There are fewer than two runs.' : 'Choose two runs.'));
    return {};
  }
  const lossText = (value, isExact) => isExact ? value.toFixed(4) : String(Number(value.toPrecision(4)));
  const [train, held] = [['trainLoss', 'Train loss'], ['valLoss', 'Loss on held-out text']].map(([key, title]) => ({
    key, title,
    drawing: chart({ label: `${title} of ${one} and ${other}`, x: 'tokens', y: 'nats per token', xText: count, yText: lossText }),
  }));
  const differences = h('div');
  main.append(h('section', { class: 'card' }, h('h2', {}, held.title), held.drawing.element),
    h('section', { class: 'card' }, h('h2', {}, train.title), train.drawing.element),
    h('section', { class: 'card' }, h('h2', {}, 'Settings that differ'), differences));
  const [a, b, compared] = await Promise.all([lossesOf(one).look(), lossesOf(other).look(),
    get(`/comparison?a=${encodeURIComponent(one)}&b=${encodeURIComponent(other)}`)]);
  const curve = (name, points, key) => ({ name, points: points.filter(p => p[key] != null).map(p => [p.tokens, p[key]]) });
  for (const { key, drawing } of [train, held]) drawing.show([curve(one, a, key), curve(other, b, key)]);
  fill(differences, compared.differences.length === 0 ? h('p', {}, 'None: they end with the same fingerprint.')
    : table(['key', one, other, 'weights'], compared.differences.map(d =>
      [h('span', { class: 'mono' }, d.key), since(d.a, d.aFromRound, d.aBefore), since(d.b, d.bFromRound, d.bBefore),
        d.partOfAnswer ? 'others' : 'the same'])));
  return {};
}

const since = (value, round, before) => round === null ? value : `${value} from round ${round}, ${before} before`;

export async function eventsPage(main) {
  const list = lines(500), every = h('input', { type: 'checkbox', id: 'every' });
  fill(main, h('div', { class: 'row head inline' }, h('h1', {}, 'Events'),
    h('label', { for: 'every' }, every, 'steps and phases, too')), h('section', { class: 'card' }, list.element));
  const frequent = ['step', 'phase', 'source-score', 'language-score', 'goodput', 'devices-wanted'];
  const tell = o => {
    if (every.checked || !frequent.includes(o.observed)) list.tell(o);
  };
  const load = async () => { list.clear(); (await get('/observations?limit=1000')).observations.forEach(tell); };
  every.addEventListener('change', load);
  await load();
  return { onObservation: tell };
}
