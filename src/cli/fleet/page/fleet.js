// The page of a fleet.
const PAGE = 1;  // the form of the answer that this page understands
const FEW = 12;  // so many hosts are shown though nothing is the matter with them
const MOST = 25;  // so many others, where nobody searches
const wanted = () => $('filter').value.trim();
const question = () => 'fleet.json?text=' + encodeURIComponent(wanted());

// The states' words.
const STATES = {
  lost: 'lost',
  late: 'not done yet',
  down: 'down',
  partly: 'partly down',
  waived: 'up by waiver',
  up: 'up',
};
// The tones' icon.
const ICONS = {bad: 'lost', warn: 'late', hand: 'down', good: 'up', mute: 'silent'};

const many = n => n.toLocaleString('en-GB');
const plural = (n, one, more = one + 's') => many(n) + ' ' + (n === 1 ? one : more);
const join = (sentences, joint = '; ') => sentences.flatMap((s, i) => i ? [['span', joint], ...s] : s);
const by = (by, from) => by ? from ? say` by ${by}@${from}` : say` by ${by}` : [];
const until = t => t ? say`, until ${clock(t)}` : [];
const lasts = t => t ? say`, for ${span(now() - t)}` : [];
const typed = a => a ? [...a.on ? say`On ${a.on}: ` : [], ...command(...a.command), ['span', ' ' + a.effect + '.']] : [];

// How many hosts are what: `7 hosts: 3 up, 1 lost`.
function sums(c) {
  const parts = Object.entries(STATES).reverse().filter(([state]) => c[state])
    .map(([state, word]) => many(c[state]) + ' ' + word);
  return plural(c.hosts, 'host') + (parts.length ? ': ' + parts.join(', ') : '');
}

// ---- Header and notes

// What is wrong with what is shown: nobody answers, or etcd does not.
function old() {
  const {read, error} = last.engine;
  if (age() > STALE && (trouble || !document.hidden)) {
    return [say`hacheck fleet does not answer. What stands here is old.`, age(), trouble];
  }
  // By the clock of the answer: a hidden page asks seldom.
  if (error || read && last.now - read > STALE) {
    const text = read ? 'etcd cannot be read. What stands here is old.' : 'etcd cannot be read.';
    return [say`${text}`, read ? now() - read : 0, error || 'it does not answer'];
  }
}

function headline() {
  const {verdict, sums: c, services, orders, engine} = last;
  const stale = old();
  if (stale) {
    const [sentence, seconds, cause] = stale;
    return head('silent', 'stale', sentence, seconds ? 'no news for ' + span(seconds) : '',
      say`Because: ${cause}. Hosts keep what they hold; hadown and haup on a host work.`);
  }
  if (!engine.read) return head('silent', 'mute', say`Asking etcd …`, '', []);
  const parts = [plural(services.length + last.left_out.services, 'service')];
  if (orders.length) parts.push(plural(orders.length + last.left_out.orders, 'order') + ' in force');
  head(ICONS[verdict.tone], verdict.tone, say`${verdict.text}`, 'updated ' + (age() < 3 ? 'just now' : span(age()) + ' ago'),
    say`${sums(c)}. ${parts.join(', ')}.`);
}

function notes() {
  const {unknown, odd, left_out} = last;
  const all = [];
  if (last.where !== '*') all.push(['where', 'hand', say`Only some hosts:`, say`those of ${last.where}.`]);
  if (unknown.length) {
    const more = left_out.unknown ? say` and ${many(left_out.unknown)} more` : [];
    const keys = unique(unknown.map(register => register.split('/')[0]));
    all.push(['unknown', 'bad', say`etcd has lost what hosts hold:`,
      say`${list(unknown)}${more}. They keep it; ${command('haup', '--fleet', ...keys)} lifts it.`]);
  }
  if (odd.length) {
    const more = left_out.odd ? say` and ${many(left_out.odd)} more` : [];
    all.push(['odd', 'warn', say`etcd holds what nobody can read:`, say`${join(odd.map(text => say`${text}`))}${more}.`]);
  }
  if (Math.abs(ahead) > 5) {
    all.push(['clock', 'warn', say`Your clock and that of hacheck fleet are ${span(Math.abs(ahead))} apart.`, say`Times here are its.`]);
  }
  each($('notes'), all, 'note', n => n[0], (p, [, tone, headline, text]) => {
    attr(p, 'class', 'note ' + tone);
    write(p.firstElementChild, headline);
    write(p.lastElementChild, text);
  });
}

// ---- Hosts

// A downtime: `web by alice@ops1: new disk, for 4 min, until 20:05`.
function down(d) {
  const what = d.key === 'all' ? say`as a whole` : say`${d.key}`;
  const local = d.is_local ? say`, on the host itself,` : [];
  return say`${what}${local}${by(d.by, d.from)}: ${d.reason || 'no reason given'}${lasts(d.since)}${until(d.until)}`;
}

// What the balancers make of it.
function left(d) {
  const acted = d.pollers ? say`; ${d.acted} of ${plural(d.pollers, 'balancer')} acted` : [];
  return say`${acted}${d.sessions ? say`, ${plural(d.sessions, 'session')} left` : []}`;
}

function matter(h) {
  const parts = [
    ...h.late.map(l => say`${l.key} was ordered ${l.state}${by(l.by)} ${ago(l.at)}; ${l.knows ? 'it knows' : 'it has not heard of it'}`),
    ...h.down.map(d => say`${down(d)}${left(d)}`),
    ...h.waived.map(w => say`${w.key} is kept up${by(w.by)}: ${w.reason || 'no reason given'}${lasts(w.since)}`),
    ...h.slots.map(s => say`${s.key} in roll ${s.roll}: ${s.phase}${lasts(s.since)}`),
    ...h.problems.map(text => say`${text}`),
  ];
  if (h.state === 'lost' && h.seen) parts.unshift(say`last heard of ${clock(h.seen)}`);
  if (h.left_out) parts.push(say`and ${plural(h.left_out, 'more downtime')}`);
  if (h.state === 'up') parts.unshift(say`${plural(h.services, 'service')}`);
  return parts;
}

function fillHost(li, h) {
  const [name, , box] = li.children;
  const link = name.firstElementChild;
  attr(li, 'class', h.state);
  icon(li, h.state);
  put(link, h.host);
  // Names that lead elsewhere never come so far; this is the second lock.
  if (h.port && /^[a-z\d][a-z\d.-]*$/i.test(h.host)) attr(link, 'href', `http://${h.host}:${h.port}/ui`);
  else link.removeAttribute('href');
  const about = h.state === 'lost' ? [] : say` · hacheck ${h.version}, up ${span(now() - h.started)}`;
  const tags = Object.entries(h.tags).map(([tag, value]) => say` · ${tag}=${value}`).flat();
  const parts = matter(h);
  write(box.firstElementChild, [['b', STATES[h.state]], ...parts.length ? say` – ${join(parts)}` : [], ...tags, ...about]);
  write(box.lastElementChild, typed(h.advice));
}

function hosts() {
  const {sums: c, left_out} = last;
  $('filter').hidden = c.hosts <= FEW && !wanted();
  // An answer to what stood there before is not shown as one to this.
  if (last.text !== wanted()) return;
  const told = last.hosts.filter(h => h.state !== 'up' || wanted() || c.hosts <= FEW);
  const shown = wanted() ? told : told.slice(0, MOST);
  each($('hosts'), shown, 'host-row', h => h.host, fillHost);
  $('hosts').hidden = !shown.length;
  const up = list => list.filter(h => h.state === 'up').length;
  const more = last.hosts.length - shown.length + left_out.hosts;
  const well = up(last.hosts) - up(shown) + left_out.hosts_up;
  const parts = [];
  if (more) {
    const hosts = (shown.length ? 'and ' : '') + plural(more, shown.length ? 'more host' : 'host');
    parts.push(hosts + (well === more ? ', all up' : well ? `, ${many(well)} of them up` : '') + ': search to see them');
  }
  if (left_out.hosts_unlike) parts.push(plural(left_out.hosts_unlike, 'host does', 'hosts do') + ' not hold that text');
  put($('rest'), parts.join('; '));
}

// ---- Services

function services() {
  const all = last.services;
  $('services').parentNode.hidden = !all.length;
  put($('bars'), all.some(s => s.hosts > 60) ? 'bars: hosts in proportion' : 'one bar a host:');
  const bad = all.filter(s => s.serving < s.hosts);
  each($('services'), all, 'service', s => s.name, (fold, s) => fillService(fold, s, bad.length < 3 && bad.includes(s)));
  rest('services', 'service');
}

function fillService(fold, s, open) {
  const at = name => fold.querySelector('.' + name);
  const state = s.serving ? s.state : 'lost';
  attr(fold, 'class', state);
  // Between such changes the fold is the reader's.
  if (fold.dataset.open !== open + '') fold.open = open;
  fold.dataset.open = open;
  icon(fold, state);
  put(at('name'), s.name);
  put(at('word'), `${many(s.serving)} of ${many(s.hosts)} up`);
  write(at('says'), says(s));
  bars(at('strip'), s);
  if (!fold.open) return;
  write(at('facts'), say`${sums(s)}.`);
  const status = command('hastatus', '--fleet', s.name);
  const hadown = command('hadown', '--fleet', '--where', 'TAG=VALUE', '-r', 'WHY', s.name);
  write(at('todo'), s.serving ? say`${status} tells of every host; ${hadown} takes some of them out.` : say`${status} tells of every host.`);
}

function says(s) {
  const out = s.out.map(o => o.state === 'down' && o.down
    ? say`${o.host} down – ${o.down.key === 'all' ? say`with its host` : down(o.down)}`
    : say`${o.host} ${STATES[o.state]}`);
  const more = s.hosts - s.serving - out.length;
  if (more > 0) out.push(say`${out.length ? 'and ' : ''}${many(more)} more`);
  return out.length ? join(out, '. ') : say`On all of its hosts.`;
}

function bars(node, s) {
  const letters = [...s.bars];
  while (node.children.length > letters.length) node.lastElementChild.remove();
  letters.forEach((letter, i) => {
    if (!node.children[i]) node.append(document.createElement('i'));
    attr(node.children[i], 'class', letter === 'l' ? 'f' : letter);
  });
  attr(node, 'aria-label', sums(s));
}

// ---- Orders, rolls and tags: a line each

function rest(name, one) {
  const more = last.left_out[name];
  $(name + '-more').hidden = !more;
  put($(name + '-more'), 'and ' + plural(more, 'more ' + one));
}

function listOf(name, one, key, tell) {
  $(name).parentNode.hidden = !last[name].length;
  lines($(name), last[name], key, tell);
  rest(name, one);
}

function order(o) {
  const late = o.late_count - o.late.length;
  const not = [
    o.lost ? say`${many(o.lost)} lost` : null,
    o.waived ? say`${many(o.waived)} waived` : null,
    o.late_count ? say`not yet ${list(o.late)}${late ? say` and ${many(late)} more` : []}` : null,
  ].filter(part => part);
  const done = say`${many(o.done)} of ${plural(o.hosts, 'host')} have done it${not.length ? say`; ${join(not)}` : []}.`;
  const on = o.where === '*' ? say`every host` : say`${o.where}`;
  const mark = o.mark ? say` (${o.mark})` : [];
  const text = say`${o.key} is ordered ${o.state} on ${on}${mark}${by(o.by, o.from)}: ${o.reason || 'no reason given'}${until(o.until)}. ${done} `;
  return [o.late_count ? 'late' : 'down', clock(o.since) + ' · ' + ago(o.since), [...text, ...typed(o.advice)]];
}

// How far a roll is, and who runs it: `web, at most 1 down: 3 of 40 hosts done, 36 waiting; run by alice@ops1, for 4 min`.
function progress({progress: p, held}) {
  if (!p) return [];
  const parts = [[p.failed, 'failed'], [p.under_way, 'under way'], [p.waiting, 'waiting']].filter(([n]) => n);
  const rest = parts.map(([n, what]) => ', ' + many(n) + ' ' + what).join('');
  const run = held ? say`run${by(held.by, held.from)}${lasts(held.since)}` : say`nobody runs it`;
  return [say`${p.key}, at most ${p.max_down} down: ${many(p.done)} of ${plural(p.hosts, 'host')} done${rest}`, run];
}

function roll(r) {
  const parts = [...progress(r), ...r.slots.map(s => say`${s.host} ${s.key}, ${s.phase}${lasts(s.since)}`)];
  const more = r.count - r.slots.length;
  if (more) parts.push(say`and ${many(more)} more`);
  const text = say`Roll ${r.roll}${by(r.by, r.from)}: ${join(parts)}. `;
  return ['late', clock(r.since) + ' · ' + ago(r.since), [...text, ...typed(r.advice)]];
}

const WORST_FIRST = Object.keys(STATES);
const tag = t => [WORST_FIRST.find(state => t[state]) || 'up', t.tag + '=' + t.value, say`${sums(t)}.`];

// ---- The whole

function draw() {
  if (!last) {
    if (trouble) head('silent', 'stale', say`hacheck fleet does not answer.`, trouble, say`Asking again.`);
    return;
  }
  const focused = document.activeElement;
  put($('host'), last.fleet);
  headline();
  notes();
  hosts();
  services();
  listOf('orders', 'order', o => o.order, order);
  listOf('rolls', 'roll', r => r.roll, roll);
  listOf('tags', 'value', t => t.tag + '=' + t.value, tag);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  put($('about'), `hacheck ${last.version}; etcd's revision ${last.revision}; times in ${zone}.`);
  // A node that was moved has lost the focus.
  if (focused.isConnected && focused !== document.activeElement) focused.focus({preventScroll: true});
}

document.addEventListener('visibilitychange', () => document.hidden || ask());
$('services').addEventListener('toggle', draw, true);  // what is folded in is not filled
$('filter').addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(ask, 200);
});
setInterval(draw, 1000);
ask();
