// Curves, drawn as SVG at the width that there is. A line under the pointer, or moved by the arrow keys, reads the values. Dragging over a
// range, or + and - at the line, zooms into the points that there are; a button, a double click or Escape shows all again.
import { fill, h, svg } from './dom.js';

const left = 52, right = 12, top = 24, bottom = 36;

/** Steps of 1, 2 or 5 that cut a range into about n parts. */
export function ticks(from, to, n) {
  const rough = (to - from) / n, power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough) ?? power;
  const found = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

/**
 * A chart.
 * @param options { label, x: name of the axis, y: likewise, xText: how a value of x is written, yText: likewise }
 * @returns { element, show(series) } where a series is { name, points: [[x, y]], live, color }.
 */
export function chart({ label, x, y, xText, yText }) {
  const drawing = svg('svg', { class: 'chart', role: 'img', tabindex: '0', 'aria-label': label });
  const legend = h('p', { class: 'legend', 'aria-live': 'off' });
  const whole = h('button', { class: 'quiet small', type: 'button', hidden: true, onclick: () => zoomTo(null) }, 'Whole curve');
  const element = h('div', {}, drawing, legend, whole);
  let series = [], scale = null, at = null, zoom = null, began = null;

  function draw() {
    const width = Math.max(260, element.clientWidth || 720), height = Math.round(Math.min(320, Math.max(190, width * 0.42)));
    drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    drawing.setAttribute('height', height);
    const inView = points => zoom ? points.filter(p => p[0] >= zoom[0] && p[0] <= zoom[1]) : points;
    const all = inView(series.flatMap(s => s.points));
    whole.hidden = !zoom;
    if (all.length === 0) {
      scale = null;
      fill(drawing, text(width / 2, height / 2, 'nothing to draw yet', 'middle'));
      fill(legend);
      return;
    }
    const bounds = i => all.reduce(([a, b], p) => [Math.min(a, p[i]), Math.max(b, p[i])], [Infinity, -Infinity]);
    let [x0, x1] = bounds(0), [y0, y1] = bounds(1);
    [x0, x1] = zoom ?? [Math.min(0, x0), x1];   // from 0 on, so that two charts of one run stand beneath each other
    if (x0 === x1) x1 = x0 + 1;
    const margin = (y1 - y0) * 0.06 || 0.5;
    [y0, y1] = [y0 - margin, y1 + margin];
    const px = v => left + (v - x0) / (x1 - x0) * (width - left - right);
    const py = v => height - bottom - (v - y0) / (y1 - y0) * (height - top - bottom);
    scale = { px, py, x0, x1, width, height };
    const parts = [];
    for (const v of ticks(y0, y1, height < 230 ? 5 : 7)) {
      const line = svg('line', { class: 'axis', x1: left, x2: width - right, y1: py(v), y2: py(v) });
      parts.push(line, text(left - 6, py(v) + 4, yText(v), 'end'));
    }
    for (const v of ticks(x0, x1, Math.floor(width / 110)))
      parts.push(text(Math.min(px(v), width - right - 10), height - bottom + 16, xText(v), 'middle'));
    parts.push(text((left + width - right) / 2, height - 4, x, 'middle'), text(left, 11, y, 'start'));
    series.forEach((s, i) => {
      const points = inView(s.points);
      if (points.length === 1)
        parts.push(svg('circle', { class: `s${s.color ?? i % 6}`, cx: px(points[0][0]), cy: py(points[0][1]), r: 3 }));
      else if (points.length > 1)
        parts.push(svg('path', {
          class: `curve s${s.color ?? i % 6}${s.live ? ' live' : ''}`,
          d: thin(points, width).map(([a, b], n) => `${n ? 'L' : 'M'}${px(a).toFixed(1)} ${py(b).toFixed(1)}`).join(''),
        }));
    });
    fill(drawing, parts);
    cross();
  }

  // The line, and the values beside it; without it the newest values.
  function cross() {
    drawing.querySelector('.cross')?.remove();
    if (!scale) return;
    if (at !== null && at >= scale.x0 && at <= scale.x1) drawing.append(svg('line', {
      class: 'cross', x1: scale.px(at), x2: scale.px(at), y1: top, y2: scale.height - bottom,
    }));
    fill(legend, at === null ? null : h('span', {}, `${x} ${xText(at)}`), series.filter(s => s.points.length).map(s => {
      const value = at === null ? s.points.at(-1) : nearest(s.points, at);
      return h('span', {}, h('i', { class: `s${s.color ?? series.indexOf(s) % 6}` }), `${s.name} ${yText(value[1], true)}`);
    }));
  }

  // Two points at least, or there would be nothing to see.
  function zoomTo(range) {
    if (range && new Set(series.flatMap(s => s.points.map(p => p[0])).filter(v => v >= range[0] && v <= range[1])).size < 2) return;
    zoom = range;
    draw();
  }

  function under(e) {
    const box = drawing.getBoundingClientRect();
    const share = ((e.clientX - box.left) / box.width * scale.width - left) / (scale.width - left - right);
    return scale.x0 + Math.min(1, Math.max(0, share)) * (scale.x1 - scale.x0);
  }

  const swept = e => [began, under(e)].sort((a, b) => a - b);

  function sweep(e) {
    drawing.querySelector('.sweep')?.remove();
    if (began === null) return;
    const [from, to] = swept(e).map(scale.px);
    drawing.append(svg('rect', { class: 'sweep', x: from, width: to - from, y: top, height: scale.height - bottom - top }));
  }

  drawing.addEventListener('pointerdown', e => {
    if (!scale || e.button !== 0) return;
    began = under(e);
    drawing.setPointerCapture(e.pointerId);
  });
  drawing.addEventListener('pointerup', e => {
    // A click moves a little, too.
    const range = scale && began !== null ? swept(e) : null;
    began = null;
    drawing.querySelector('.sweep')?.remove();
    if (range && scale.px(range[1]) - scale.px(range[0]) >= 8) zoomTo(range);
  });
  drawing.addEventListener('pointercancel', e => { began = null; sweep(e); });
  drawing.addEventListener('dblclick', () => zoomTo(null));
  drawing.addEventListener('pointermove', e => {
    if (!scale) return;
    at = nearest(series.flatMap(s => s.points).sort((a, b) => a[0] - b[0]), under(e))[0];
    cross();
    sweep(e);
  });
  drawing.addEventListener('pointerleave', () => { at = null; cross(); });
  drawing.addEventListener('blur', () => { at = null; cross(); });
  drawing.addEventListener('keydown', e => {
    if (!scale || e.ctrlKey || e.metaKey || e.altKey || !['ArrowLeft', 'ArrowRight', '+', '-', 'Escape'].includes(e.key)) return;
    e.preventDefault();
    if (!e.key.startsWith('Arrow')) {
      const middle = at ?? scale.x1, half = (scale.x1 - scale.x0) * (e.key === '+' ? 0.25 : 1);
      const range = [Math.max(0, middle - half), middle + half], newest = Math.max(...series.map(s => s.points.at(-1)?.[0] ?? 0));
      zoomTo(e.key === 'Escape' || (range[0] <= 0 && range[1] >= newest) ? null : range);
      return;
    }
    const all = [...new Set(series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b)
      .filter(v => v >= scale.x0 && v <= scale.x1);
    const here = all.includes(at) ? all.indexOf(at) : all.length;
    at = all[Math.min(all.length - 1, Math.max(0, here + (e.key === 'ArrowLeft' ? -1 : 1)))];
    cross();
  });
  new ResizeObserver(draw).observe(element);
  return { element, show(next) { series = next; draw(); } };
}

function text(x, y, words, anchor) {
  const element = svg('text', { x, y, 'text-anchor': anchor });
  element.textContent = words;
  return element;
}

// More points than columns cannot be seen: of each column the smallest and the largest stay.
function thin(points, width) {
  if (points.length <= 2 * width) return points;
  const size = Math.ceil(points.length / width), kept = [];
  for (let i = 0; i < points.length; i += size) {
    const part = points.slice(i, i + size);
    const [low, high] = [part.reduce((a, b) => b[1] < a[1] ? b : a), part.reduce((a, b) => b[1] > a[1] ? b : a)];
    kept.push(...(low[0] <= high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

function nearest(points, x) {
  return points.reduce((best, p) => Math.abs(p[0] - x) < Math.abs(best[0] - x) ? p : best, points[0]);
}
