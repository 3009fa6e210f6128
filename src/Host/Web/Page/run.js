// One run: where it stands, its curves, its rounds, its replicas, its settings.
import { get } from './api.js';
import { chart } from './chart.js';
import { buttons } from './commands.js';
import { count, duration, facts, fill, h, lines, nats, percent, table, tag } from './dom.js';
import { lossesOf } from './losses.js';
import { rounds } from './rounds.js';

const frequent = [
  'step', 'phase', 'score', 'source-score', 'language-score', 'round-committed', 'goodput', 'devices-wanted', 'work-recovered',
];
const mostLive = 2000;

/** What people call the state of a run. */
export const stateOf = view => view.failure ? 'failed' : view.phase;

export const left = view => view.tokensPerSecond > 0 && view.totalTokens > view.tokens
  ? duration((view.totalTokens - view.tokens) / view.tokensPerSecond) : '';

/** Whether a command makes sense for a run that stands so. */
export const fits = view => name => {
  const stopped = view.failure || view.phase === 'stopped', rests = stopped || ['paused', 'finished'].includes(view.phase);
  return name === 'start' ? stopped : name === 'resume' ? view.phase === 'paused' : name === 'delete' ? rests : !rests;
};

/** Builds the page of a run. */
export async function runPage(main, name, { views, say }) {
  const path = `/runs/${encodeURIComponent(name)}`;
  const shown = await get(path);
  const [head, now, roundsCard, places] = ['div', 'div', 'div', 'div'].map(n => h(n)), happened = lines(100);
  const axes = { x: 'tokens', y: 'nats per token', xText: count, yText: lossText };
  const curves = chart({ label: `Losses of run ${name} over tokens`, ...axes });
  const sources = chart({ label: `Validation loss of run ${name} by source`, ...axes });
  const sourcesCard = h('section', { class: 'card', hidden: true }, h('h2', {}, 'Validation loss by source'), sources.element);
  const numbers = h('div'), omitted = h('div'), curve = lossesOf(name);
  fill(main, head, now,
    h('section', { class: 'card' }, h('h2', {}, 'Losses'), curves.element, omitted,
      h('details', { class: 'small' }, h('summary', {}, 'As a table'), numbers)),
    sourcesCard,
    h('section', { class: 'card' }, h('h2', {}, 'Rounds'), roundsCard),
    h('section', { class: 'card' }, h('h2', {}, 'Replicas'), places),
    h('section', { class: 'card' }, h('h2', {}, 'What happened'), happened.element),
    h('section', { class: 'card' }, h('h2', {}, 'Settings'), settings(shown)));

  let points = [], live = [], buttonsOf = null, gone = false;

  async function view(v) {
    if (!v) {
      fill(head, h('h1', {}, name));
      fill(now, h('p', { class: 'card' }, shown.viewProblem ?? 'No supervisor has told of this run yet.'));
      return;
    }
    // Buttons stay as long as the run stands so: one that is about to be pressed must not be replaced.
    if (buttonsOf !== stateOf(v)) {
      buttonsOf = stateOf(v);
      const row = h('div', { class: 'row' });
      fill(head, h('div', { class: 'row head' }, h('h1', {}, name, ' ', tag(stateOf(v))), row));
      fill(row, await buttons('run', name, fits(v), say));
    }
    fill(now, state(v));
    if (typeof v.trainLoss === 'number' && v.tokens !== live.at(-1)?.[0]) {
      live = [...live.slice(-mostLive), [v.tokens, v.trainLoss]];
      draw();
    }
  }

  function draw() {
    const train = points.filter(p => p.trainLoss != null).map(p => [p.tokens, p.trainLoss]);
    const held = points.filter(p => p.valLoss != null).map(p => [p.tokens, p.valLoss]);
    curves.show([
      { name: 'train, newest step', points: live, live: true, color: 4 },
      { name: 'train, mean of a round', points: train, color: 0 }, { name: 'held-out text', points: held, color: 1 },
    ].filter(s => s.points.length > 0));
    const names = [...new Set(points.flatMap(p => Object.keys(p.sources ?? {})))].slice(0, 6);
    sourcesCard.hidden = names.length < 2;
    sources.show(names.map(source => ({
      name: source, points: points.filter(p => p.sources?.[source] != null).map(p => [p.tokens, p.sources[source]]),
    })));
  }

  async function losses(look = curve.look) {
    points = await look();
    draw();
    const thinned = curve.thinned();
    fill(omitted, thinned && h('p', { class: 'faint small' },
      `${thinned.points} of ${thinned.of} points are here: of every ${thinned.bucketRounds} rounds the lowest and the highest losses. `,
      h('button', { class: 'quiet', onclick: () => losses(curve.all).catch(problem => say(problem.message, true)) }, 'Get all')));
    fill(numbers, table(['>round', '>tokens', '>train', '>held-out', '>bits per byte'], points.slice(-200).reverse().map(p =>
      [String(p.round), count(p.tokens), nats(p.trainLoss), nats(p.valLoss), p.bitsPerByte?.toFixed(3)]), false));
  }

  async function more() {
    const [ofRounds, ofReplicas] = await Promise.all([get(`${path}/rounds?limit=30`), get(`${path}/replicas`)]);
    fill(roundsCard, rounds(ofRounds));
    fill(places, replicas(ofReplicas));
  }

  // At most every few seconds, however fast rounds are.
  const refresh = soon(async () => { await losses(); await more(); }, 4000, () => gone, say);
  await view(views.get(name) ?? shown.view);
  await losses();
  await more();
  const rare = 'work-given-again,result-lost,device-lost,node-quarantined,run-failed,run-waits,run-finished';
  (await get(`/observations?run=${encodeURIComponent(name)}&limit=50&kind=${rare}`)).observations.forEach(happened.tell);
  return {
    onRuns: () => view(views.get(name)).catch(problem => say(problem.message, true)),
    onObservation(o) {
      if (o.runId !== shown.runId) return;
      if (['round-committed', 'score', 'work-given-again', 'work-recovered', 'result-lost'].includes(o.observed)) refresh();
      if (!frequent.includes(o.observed)) happened.tell(o);
    },
    leave() { gone = true; },
  };
}

/** A function that has something done soon, and not twice within a while. */
export function soon(what, between, isOver, say) {
  let waiting = null, last = 0;
  return () => {
    waiting ??= setTimeout(async () => {
      waiting = null;
      last = Date.now();
      if (isOver()) return;
      await what().catch(problem => say(problem.message, true));
    }, Math.max(150, last + between - Date.now()));
  };
}

function lossText(value, isExact = false) { return isExact ? value.toFixed(4) : String(Number(value.toPrecision(4))); }

function state(v) {
  return h('section', { class: 'card' },
    h('progress', { max: v.totalTokens || 1, value: v.tokens, 'aria-label': 'share of the run that is done' }),
    facts([
      ['round', `${v.round} of ${v.rounds}`], ['step', `${v.steps} of ${v.totalSteps}`],
      ['tokens', `${count(v.tokens)} of ${count(v.totalTokens)} (${percent(v.tokens / (v.totalTokens || 1))})`],
      ['speed', v.tokensPerSecond > 0 ? `${count(v.tokensPerSecond)} tokens/s` : null], ['left', left(v)],
      ['train loss', nats(v.trainLoss)],
      ['held-out loss', v.valLoss == null ? null : nats(v.valLoss)
        + (v.bitsPerByte == null ? '' : `, ${v.bitsPerByte.toFixed(3)} bits per byte`)
        + (v.scoredRound !== v.round ? `, after round ${v.scoredRound}` : '')],
      ['nodes', `${v.nodes}, with ${v.devices} ${v.devices === 1 ? 'device' : 'devices'}`],
      ...v.resting.map(r => ['resting', `node ${r.address}, for another ${Math.ceil(r.secondsLeft)} s: ${r.why}`]),
      ['waits for', v.waitsFor], ['failure', v.failure && h('span', { class: 'bad-text' }, v.failure)], ['notice', v.notice],
      ['fingerprint', v.fingerprint && h('span', { class: 'mono' }, v.fingerprint)],
      ['checkpoint', v.checkpoint && h('span', { class: 'mono' }, v.checkpoint)],
    ]));
}

function replicas({ replicas: all, moves }) {
  if (all.length === 0) return h('p', { class: 'faint' }, 'No replica has taken a step yet.');
  const time = text => `${text.slice(11, 19)}Z`;
  return h('div', {},
    table(['>replica', 'node', '>round', '>step', 'seen'], all.map(r => [
      String(r.replica), r.stages.length === 0 ? r.node : r.stages.map(s => `stage ${s.stage} on ${s.node}`).join(', '),
      String(r.round), String(r.step), time(r.at)])),
    moves.length === 0 ? h('p', { class: 'faint small' }, 'None has moved lately.')
      : h('details', { open: moves.length < 10 }, h('summary', {}, `${moves.length} ${moves.length === 1 ? 'move' : 'moves'} lately`),
        table(['at', '>replica', '>round', 'from', 'to'], moves.reverse().map(m =>
          [time(m.at), String(m.replica), String(m.round), m.from, m.to]))));
}

function settings(shown) {
  const text = value => Array.isArray(value) ? value.join(', ') : String(value);
  return h('div', {},
    facts([['run id', h('span', { class: 'mono' }, shown.runId)], ['corpus', h('span', { class: 'mono' }, shown.corpus)]]),
    h('details', {}, h('summary', {}, `${shown.segments.length} ${shown.segments.length === 1 ? 'segment' : 'segments'}`), table(
      ['>from round', '>rounds', '>replicas', '>inner steps', '>sequences', '>micro-batches', '>first step'],
      shown.segments.map(s => [s.fromRound, s.rounds, s.replicas, s.innerSteps, s.sequences, s.microBatches, s.firstStep].map(String)))),
    h('details', {}, h('summary', {}, `${Object.keys(shown.settings).length} settings`),
      table(['key', 'value', '>from round'], Object.entries(shown.settings).map(([key, value]) =>
        [h('span', { class: 'mono' }, key), h('span', { class: 'mono' }, value === null ? 'none' : text(value)),
          String(shown.changedFromRound[key] ?? '')]))));
}

