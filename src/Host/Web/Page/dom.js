// Elements and texts. Whatever comes from the server becomes text, never markup.

/** An element: h('p', { class: 'faint' }, 'text', child). A property that begins with "on" is a listener. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return element;
}

/** A list of what was observed, the newest on top, at most so many. What was read and comes as an event as well is told once. */
export function lines(most) {
  const element = h('ul', { class: 'plain' });
  let newest = 0;
  return {
    element,
    tell(o) {
      if (o.id <= newest) return;
      newest = o.id;
      element.prepend(h('li', {}, o.text));
      if (element.children.length > most) element.lastChild.remove();
    },
    clear() { fill(element); newest = 0; },
  };
}

/** An element of a drawing. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Puts children in place of those that are there. */
export function fill(element, ...children) { element.replaceChildren(...children.flat().filter(Boolean)); }

/**
 * A table.
 * @param heads of the columns; one of numbers begins with ">"
 * @param stacks on a narrow screen a row's cells stand below each other with their heads; else the table is scrolled there
 */
export function table(heads, rows, stacks = true) {
  const cls = head => head.startsWith('>') ? 'n' : undefined, name = head => head.replace(/^>/, '');
  return h('div', { class: 'scroll' }, h('table', { class: stacks ? 'stacks' : undefined },
    h('thead', {}, h('tr', {}, heads.map(head => h('th', { class: cls(head), scope: 'col' }, name(head))))),
    h('tbody', {}, rows.map(row => h('tr', {}, row.map((cell, i) =>
      h('td', { class: cls(heads[i]), 'data-head': name(heads[i]) }, cell || null)))))));
}

export function facts(pairs) {
  return h('dl', { class: 'facts' }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

export const tag = word => h('span', { class: `tag ${/^[a-z]+$/.test(word) ? word : ''}` }, word);

export const nats = value => typeof value === 'number' ? value.toFixed(4) : '';

export function count(value) {
  if (typeof value !== 'number') return '';
  const letters = ['', 'k', 'M', 'B', 'T'];
  let i = 0;
  for (; Math.abs(value) >= 999.5 && i < letters.length - 1; i++) value /= 1000;
  return (i === 0 ? String(Math.round(value)) : value.toPrecision(3)) + letters[i];
}

export function bytes(value) {
  if (typeof value !== 'number') return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; value >= 1024 && i < units.length - 1; i++) value /= 1024;
  return `${i === 0 ? value : value.toFixed(1)} ${units[i]}`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const [m, hours, d] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86400)];
  return d ? `${d} d ${hours % 24} h` : hours ? `${hours} h ${m % 60} min` : `${m} min ${Math.floor(seconds % 60)} s`;
}

/** A share in percent; with a digit more where it is nearly nothing or nearly all. */
export function percent(share) {
  if (typeof share !== 'number') return '';
  return `${(100 * share).toFixed(share === 0 || share > 0.9995 || (share > 0.1 && share < 0.995) ? 0 : 1)} %`;
}

/** Asks whether something is to be done, with fields for its values; answers with them, or with null. */
export function confirm(title, text, button, fields = [], danger = false) {
  const dialog = document.getElementById('ask');
  document.getElementById('ask-title').textContent = title;
  document.getElementById('ask-text').textContent = text;
  const inputs = fields.map(field => [field, inputOf(field)]);
  fill(document.getElementById('ask-fields'), inputs.flatMap(([field, input]) => {
    const about = h('p', { class: 'faint small', id: `d-${field.name}` }, field.description);
    // What has no value is said or not.
    return field.value ? [h('label', { for: `f-${field.name}` }, `${field.name} (${field.value})`), input, about]
      : [h('label', { class: 'flag' }, input, field.name), about];
  }));
  const ok = document.getElementById('ask-ok');
  ok.textContent = button;
  ok.className = danger ? 'danger' : '';
  dialog.returnValue = 'cancel';
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      const values = {};
      for (const [field, input] of inputs) {
        const value = input.type === 'checkbox' ? input.checked : input.value.trim();
        if (value === true) values[field.name] = true;
        else if (value) values[field.name] = field.repeatable ? value.split(/\s+/) : value;
      }
      resolve(dialog.returnValue === 'ok' ? values : null);
    }, { once: true });
    // Cancel comes first, and asks for nothing.
    dialog.querySelector('[value=cancel]').setAttribute('formnovalidate', '');
    dialog.showModal();
  });
}

function inputOf({ name, value, required, choices }) {
  const common = { id: `f-${name}`, required, 'aria-describedby': `d-${name}` };
  return choices ? h('select', common, required ? null : h('option', { value: '' }), choices.map(c => h('option', {}, c)))
    : h('input', value ? { type: 'text', autocomplete: 'off', ...common } : { type: 'checkbox', ...common });
}
