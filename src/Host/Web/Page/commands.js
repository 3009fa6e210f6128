// Buttons for what changes something. Which there are, the server says.
import { command, get, mayChange } from './api.js';
import { confirm, h } from './dom.js';

const words = {
  start: 'Go on', stop: 'Stop', pause: 'Pause', resume: 'Go on', checkpoint: 'Checkpoint', drain: 'Drain', scale: 'Scale',
  set: 'Change a setting', delete: 'Delete', devices: 'Devices', priority: 'Priority',
};
const destructive = ['stop', 'delete', 'drain'];
const tooLong = ['evaluate'];                  // takes files of the seed's machine, and minutes: for a terminal

let known = null;

async function all() { return known ??= (await get('/commands')).commands.filter(c => !tooLong.includes(c.command)); }

/**
 * Buttons of the commands about a run or a node.
 * @param subject 'run' or 'node'
 * @param fits says whether a command, by its name, makes sense now
 * @param say is told what came of it
 */
export async function buttons(subject, name, fits, say) {
  if (!mayChange()) return [];
  return (await all()).filter(c => c.subject === subject && fits(c.command)).map(c => {
    const label = words[c.command] ?? c.command;
    const button = h('button', {
      type: 'button', class: destructive.includes(c.command) ? 'danger' : 'quiet', 'aria-label': `${label}: ${subject} ${name}`,
      onclick: async () => {
        // Where nothing has to be said, what a start could change is left to a terminal. What a person agrees to is asked for by dialogs.
        const fields = c.command === 'start' ? [] : c.arguments.filter(a => !a.confirms && !a.isConsent);
        const isDanger = destructive.includes(c.command), title = `${label}: ${subject} ${name}?`;
        let values = await confirm(title, c.description, label, fields, isDanger);
        if (values === null) return;
        button.disabled = true;
        try {
          const path = c.path.replace('/api/v1', '').replace(/\{[a-z]+\}/, encodeURIComponent(name));
          // The dialog above has asked for what cannot be undone: without its flag the command would do the same.
          for (const a of c.arguments.filter(a => a.isConsent)) values = { ...values, [a.name]: true };
          const flag = c.arguments.find(a => a.confirms);
          if (flag) {
            // Without it the command only says what would change.
            const { lines } = await command(path, values);
            const would = lines.flatMap(l => l.lines ?? []).join('\n');
            if (await confirm(title, would, label, [], isDanger) === null) return;
            values = { ...values, [flag.name]: true };
          }
          say(textOf(await command(path, values)));
        } catch (problem) {
          say(problem.message, true);
        } finally {
          button.disabled = false;
        }
      },
    }, label);
    return button;
  });
}

// A command that tells how it goes says at its end what came of it.
const textOf = ({ lines }) => lines.map(l => l.text).filter(Boolean).at(-1) ?? 'done';
