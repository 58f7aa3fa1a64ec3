// What the pages share: they ask every two seconds and show the answer. Rules:
// - What is fetched becomes text and nothing else. The Content-Security-Policy enforces it.
// - A refresh changes only what is new: focus, selection and folds stay.
// - A state is told by icon and word, never by colour alone.
'use strict';

const EVERY = 2000;  // ms from answer to question
const HIDDEN = 10000;  // while nobody looks
const DEADLINE = 5000;  // ms
const STALE = 7;  // seconds without an answer

// The tones' colour in the tab.
const COLORS = {good: '#1a7f37', bad: '#d1242f', warn: '#bf8700', hand: '#0a58ca'};

let last = null;  // the last answer
let heard = null;  // when it came, by both clocks of the browser
let ahead = 0;  // seconds that the host's clock is ahead of ours
let trouble = '';  // why there is no newer answer
let timer = 0;

const $ = id => document.getElementById(id);
const now = () => Date.now() / 1000 + ahead;
// The wall clock may be set back, and the other one may stop while the machine sleeps.
const age = () => Math.max(Date.now() - heard.wall, performance.now() - heard.steady) / 1000;

// ---- Texts

const count = (n, one, many = one + 's') => n + ' ' + (n === 1 ? one : many);
const sum = (all, of) => all.reduce((n, x) => n + of(x), 0);
const unique = all => [...new Set(all)];

function span(s) {
  if (s < 9.95) return Math.max(0, s).toFixed(1) + ' s';
  if (s < 99.5) return Math.round(s) + ' s';
  if (s < 5400) return Math.round(s / 60) + ' min';
  return s < 129600 ? Math.round(s / 360) / 10 + ' h' : Math.round(s / 86400) + ' days';
}
const ago = t => span(now() - t) + ' ago';
const lasting = t => 'for ' + span(now() - t) + ', since ' + clock(t);

function clock(t) {
  const date = new Date(t * 1000);
  const time = date.toLocaleTimeString('en-GB');
  const today = new Date(now() * 1000).toDateString();
  return date.toDateString() === today ? time : date.toLocaleDateString('en-CA') + ' ' + time;
}

// A sentence is a list of [tag, text]. What is put into one is foreign text and gets a <bdi>, unless
// it is a sentence itself: letters that run from right to left must not reorder ours.
function say(words, ...values) {
  return words.flatMap((text, i) => {
    const value = values[i] ?? '';
    return [['span', text], ...Array.isArray(value) ? value : [['bdi', value + '']]];
  }).filter(([, text]) => text);
}
const list = names => names.flatMap((name, i) => {
  const joint = i === 0 ? '' : i < names.length - 1 ? ', ' : ' and ';
  return [['span', joint], ...say`${name}`];
});

// A command to copy into a shell: a name that a stranger made up must not become one of its own.
const quoted = word => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
const command = (...words) => [['code', words.map(quoted).join(' ')]];

// ---- Nodes, written only where something is new

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function attr(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}
function write(node, sentence) {
  sentence.forEach(([tag, text], i) => {
    const old = node.children[i];
    const part = old?.localName === tag ? old : document.createElement(tag);
    if (!old) node.append(part);
    else if (part !== old) old.replaceWith(part);
    put(part, text);
  });
  while (node.children.length > sentence.length) node.lastElementChild.remove();
}
const icon = (node, state) => attr(node.querySelector('use'), 'href', '#icon-' + state);

// One child for each item, in their order: made once from a template, then only filled.
function each(parent, items, template, key, fill) {
  const known = new Map([...parent.children].map(node => [node.dataset.key, node]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item) + '';
    const node = known.get(name) || $(template).content.firstElementChild.cloneNode(true);
    known.delete(name);
    node.dataset.key = name;
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
    fill(node, item);
  }
  known.forEach(node => node.remove());
}

// ---- Header and lines

function head(state, tone, sentence, fresh, rest) {
  attr($('head'), 'class', tone);
  icon($('head'), state);
  write($('verdict'), sentence);
  put($('fresh'), fresh);
  write($('more'), rest);
  const text = $('verdict').textContent;
  // Screen readers read what is new here.
  put($('live'), text);
  const title = $('host').textContent + ': ' + text;
  if (document.title === title) return;
  document.title = title;
  const path = `<path fill="${COLORS[tone] || '#888'}" d="${$('icon-' + state).getAttribute('d')}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${path}</svg>`;
  document.querySelector('link[rel=icon]').href = 'data:image/svg+xml,' + encodeURIComponent(svg);
}

function lines(parent, items, key, tell) {
  each(parent, items, 'line', key, (li, item) => {
    const [state, time, text] = tell(item);
    attr(li, 'class', state);
    icon(li, state);
    put(li.firstElementChild, time);
    write(li.lastElementChild, text);
  });
}

// ---- The answer

async function ask() {
  try {
    const reply = await fetch(question(), {cache: 'no-store', signal: AbortSignal.timeout(DEADLINE)});
    if (!reply.ok) throw new Error(reply.status + ' ' + reply.statusText);
    const answer = await reply.json();
    // Another version runs. Not at once: two may take turns.
    if (answer.page !== PAGE) return setTimeout(() => location.reload(), EVERY);
    [last, trouble] = [answer, ''];
    ahead = answer.now - Date.now() / 1000;
    heard = {wall: Date.now(), steady: performance.now()};
  } catch (e) {
    trouble = e.message;
  }
  // Before anything can fail; one timer, however many asked.
  clearTimeout(timer);
  timer = setTimeout(ask, document.hidden ? HIDDEN : EVERY);
  draw();
}
