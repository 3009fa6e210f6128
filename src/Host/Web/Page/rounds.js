// A run's rounds as bars of their phases, and what was lost in them, in sentences.
import { duration, h, percent, svg } from './dom.js';

const phases = ['computing', 'averaging', 'assembling', 'waiting', 'paused', 'idle'];
const leastGap = 0.05;                         // seconds; less is the time that messages take

/** The bars, the newest round on top. */
export function rounds({ rounds: all, goodput }) {
  if (all.length === 0) return h('p', { class: 'faint' }, 'No round has been observed yet.');
  const spans = all.map(round => ({ round, parts: parts(round.phases) }));
  const longest = Math.max(...spans.map(s => length(s.parts)), 1e-3);
  return h('div', {},
    h('p', {}, sentence(all, goodput)),
    h('p', { class: 'legend' }, phases.map(p => h(
      'span', {}, h('i', { class: `p-${p}` }), p === 'assembling' ? 'assembling, commit' : p))),
    h('ol', { class: 'rounds' }, spans.reverse().map(({ round, parts }) => row(round, parts, longest))));
}

function row(round, parts, longest) {
  let at = 0;
  const seconds = length(parts);
  const words = parts.map(p => `${p.phase} ${duration(p.seconds)}`).join(', ');
  const label = `round ${round.round}: ${words}`;
  const bar = svg('svg', { viewBox: '0 0 1000 10', preserveAspectRatio: 'none', role: 'img', 'aria-label': label });
  const title = svg('title');
  title.textContent = words;
  bar.append(title);
  for (const part of parts) {
    const width = part.seconds / longest * 1000;
    bar.append(svg('rect', { class: `p-${part.phase}`, x: at, y: 0, width: Math.max(width, 0.5), height: 10 }));
    at += width;
  }
  return h('li', {},
    h('span', { class: 'n' }, `round ${round.round}`), bar,
    h('span', { class: 'n' }, duration(seconds) + (round.goodput?.ratio != null ? ` · ${percent(round.goodput.ratio)}` : '')),
    round.lost.map(text => h('span', { class: 'lost' }, text)));
}

// Phases one after the other; what lies between two of them is idle.
function parts(phasesOfRound) {
  const found = [];
  let end = null;
  for (const { phase, began, seconds } of phasesOfRound) {
    const start = Date.parse(began) / 1000;
    if (end !== null && start - end > leastGap) found.push({ phase: 'idle', seconds: start - end });
    if (seconds > 0) found.push({ phase, seconds });
    end = start + seconds;
  }
  return found;
}

const length = parts => parts.reduce((sum, p) => sum + p.seconds, 0);

function sentence(all, { countedSeconds, spentSeconds, ratio }) {
  const lost = spentSeconds - countedSeconds;
  if (ratio === null) return `${all.length} rounds; nothing that was computed in them is over yet.`;
  const losses = all.filter(r => r.lost.length > 0).length;
  return `Goodput ${percent(ratio)}: of ${duration(spentSeconds)} that nodes computed in these ${all.length} rounds, `
    + (lost < leastGap ? 'all is in a committed version.' : `${duration(lost)} are in none, because work was lost, done twice for a `
      + `slow replica, or audited${losses ? `; ${losses} ${losses === 1 ? 'round tells' : 'rounds tell'} more below` : ''}.`);
}
