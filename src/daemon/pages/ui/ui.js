const PAGE = 1;  // the answer's form that this page knows
const question = () => 'overview';

// The states' tone and words.
const STATES = {
  failing: ['bad', 'failing'],
  leaving: ['warn', 'leaving'],
  returning: ['warn', 'coming back'],
  draining: ['hand', 'draining'],
  down: ['hand', 'down by hand'],
  silent: ['mute', 'not asked'],
  in: ['good', 'in rotation'],
};

const took = s => s < 0.9995 ? (s * 1000).toFixed(s < 0.00995 ? 1 : 0) + ' ms' : span(s);

// ---- Header

const polling = check => check.pollers.filter(p => p.polling);
const label = p => p.node || p.server || p.address;
const downtime = name => last.downtimes.find(d => d.name === name);
const thing = name => name === 'all' ? say`the whole host` : say`${name}`;
const by = d => {
  const owner = d.file_owner && !d.reason.startsWith(d.file_owner) && d.file_owner;
  return d.by || owner ? say` by ${d.by || owner}` : '';
};
const why = d => d.reason || 'no reason given';
const times = d => [
  ...d.since ? say`${lasting(d.since)}; ` : [],
  ...d.until ? say`until ${clock(d.until)}, ${span(d.until - now())} from now` : say`no end is set`,
];
const putBack = name => say`${command('haup', '--when-healthy', '3', '--wait', name)} waits for its checks and the balancers.`;
const taken = d => say`Taken down${by(d)}: ${why(d)} – ${times(d)}.`;

// What changes each second stands apart from the verdict, so that it is not read out.
function more() {
  const whole = downtime('all');
  const all = last.balancers.filter(b => b.polling);
  const left = all.filter(b => b.left);
  const sessions = count(sum(left, b => b.left), 'session');
  const polls = count(all.length, 'balancer polls', 'balancers poll');
  return [
    ...whole ? say`Down ${times(whole)}. ` : [],
    ...left.length ? say`${sessions} left: ${list(left.map(b => b.name + ' ' + b.left))}. ` : [],
    ...all.length ? say`${polls}: ${list(all.map(b => b.name))}; last ${ago(Math.max(...all.map(b => b.polled)))}.`
      : say`No load balancer polls.`,
  ];
}

function stale() {
  const cause = trouble ? say` (${trouble})` : [];
  head('silent', 'stale', say`hacheck does not answer. What stands here is old.`, 'no answer for ' + span(age()),
    say`From ${clock(now() - age())}${cause}. Balancers that get no answer either take its services down.`);
}

function current() {
  const {readable} = last.spool;
  const {state, text, inside} = last.verdict;
  const whole = inside ? null : downtime('all');
  const sentence = whole ? say`${text}${by(whole)}: ${why(whole)}` : say`${text}`;
  head(readable ? state : 'failing', readable ? STATES[state][0] : 'bad',
    readable ? sentence : say`Spool unreadable. ${sentence}`,
    'updated ' + (age() < 3 ? 'just now' : span(age()) + ' ago'), more());
}

// ---- Notes: [key, tone, headline, text]

function notes() {
  const {spool, started, left_out} = last;
  const all = [];
  if (!spool.readable) {
    const held = spool.since ? say`, for ${span(now() - spool.since)}` : [];
    all.push(['spool', 'bad', say`The spool cannot be read: hadown and haup have no effect.`,
      say`${spool.error}. Every service keeps the state that was read last${held}.`]);
  } else if (downtime('all')) {
    all.push(['back', 'hand', say`To put the host back:`, putBack('all')]);
  }
  for (const [name, group] of Object.entries(last.groups).filter(([, g]) => g.state === 'down')) {
    all.push(['group ' + name, 'bad', say`Group ${name} is down`, say`${lasting(group.changed)}: ${group.summary}.`]);
  }
  for (const {name, polled} of last.balancers.filter(b => !b.polling && b.polls > 9)) {
    all.push(['gone ' + name, 'warn', say`Balancer ${name} stopped polling`,
      say`${ago(polled)}: it is gone, or has the servers in MAINT.`]);
  }
  if (now() - started < 90) {
    all.push(['start', 'hand', say`hacheck started ${ago(started)}.`, say`It knows who has polled since, and no earlier changes.`]);
  }
  if (Math.abs(ahead) > 5) {
    all.push(['clock', 'warn', say`Your clock and the host's are ${span(Math.abs(ahead))} apart.`, say`Times here are the host's.`]);
  }
  if (left_out) all.push(['more', 'hand', say`${count(left_out, 'more service')}`, say`are not shown: the worst stand first.`]);
  each($('notes'), all, 'note', n => n[0], (p, [, tone, headline, text]) => {
    attr(p, 'class', 'note ' + tone);
    write(p.firstElementChild, headline);
    write(p.lastElementChild, text);
  });
}

// ---- Services

// What wants a look is folded out, unless there is so much of it that the page would be all of that.
function services() {
  const all = last.services;
  const calm = s => ['in', 'silent'].includes(s.state) || s.checks.every(c => c.downtime === 'all');
  const news = all.filter(s => !calm(s));
  const wanted = $('filter').value.trim().toLowerCase();
  const fits = s => s.name.toLowerCase().includes(wanted);
  $('filter').hidden = all.length < 9 && !wanted;
  each($('services'), all, 'service', s => s.name, (fold, s) => {
    fold.hidden = !fits(s);
    fillService(fold, s, news.length < 3 && news.includes(s));
  });
  $('none').hidden = all.some(fits);
  put($('none'), all.length ? 'No service has such a name.' :
    'No service was asked for yet. A load balancer asks by /<protocol>/<service>/<port>/<query>.');
}

function fillService(fold, s, open) {
  const at = name => fold.querySelector('.' + name);
  attr(fold, 'class', s.state);
  // Between such changes the fold is the reader's.
  if (fold.dataset.open !== open + '') fold.open = open;
  fold.dataset.open = open;
  icon(fold, s.state);
  put(at('name'), s.name);
  put(at('word'), STATES[s.state][1]);
  write(at('says'), says(s));
  strip(at('strip'), s.checks.map(c => c.hour));
  if (!fold.open) return;
  const checks = s.checks.length ? s.checks : [null];
  each(at('body'), checks, 'check', c => c && c.check + c.ask, (box, c) => fillCheck(box, s, c));
}

const behind = (s, c) => downtime(c ? c.downtime : s.name);

// A service's state in a sentence.
function says(s) {
  const c = s.checks.find(c => c.state === s.state);
  const d = behind(s, c);
  const down = !d ? '' : d.name === 'all' ? say`With the whole host.` : taken(d);
  const who = test => list(polling(c).filter(test).map(label));
  switch (s.state) {
    case 'failing': return say`For ${span(now() - c.since)}: ${c.text}`;
    case 'leaving': return say`Not acted on yet by ${who(p => p.acted === false)}. ${down}`;
    case 'draining': return say`${count(sum(polling(c), p => p.sessions), 'session')} left. ${down}`;
    case 'down': return down || say`Lifted; the balancers learn it with their next polls.`;
    case 'returning': return say`Passes; still out on ${who(p => p.out)}.`;
    case 'silent': return say`No load balancer asks for it. ${down}`;
    default: return inRotation(s);
  }
}
function inRotation(s) {
  const pollers = s.checks.flatMap(polling);
  const known = pollers.filter(p => p.sessions !== null);
  const sessions = known.length ? ' · ' + count(sum(known, p => p.sessions), 'session') : '';
  const slowest = Math.max(...s.checks.map(c => c.took));
  const time = slowest ? ' · check ' + took(slowest) : '';
  return say`On ${list(unique(pollers.map(label)))}${sessions}${time}`;
}

// A bar a minute: the worst of all checks.
function strip(node, hours) {
  const minutes = {f: 0, d: 0, u: 0, n: 0};
  for (let i = 0; i < 60; i++) {
    const flag = [...'fdu'].find(flag => hours.some(hour => hour[i] === flag)) || 'n';
    minutes[flag]++;
    if (!node.children[i]) node.append(document.createElement('i'));
    attr(node.children[i], 'class', flag);
  }
  const told = Object.entries({f: 'failing', d: 'down by hand', u: 'up'}).filter(([flag]) => minutes[flag])
    .map(([flag, word]) => word + ' in ' + count(minutes[flag], 'minute'));
  attr(node, 'aria-label', 'Last hour: ' + (told.join(', ') || 'not asked'));
}

function fillCheck(box, s, c) {
  const d = behind(s, c);
  put(box.querySelector('.title'), c ? c.check : '');
  each(box.querySelector('.facts'), facts(s, c, d), 'text', text => text[0][1], write);
  write(box.querySelector('.todo'), todo(s, c, d));
  box.querySelector('table').hidden = !c;
  if (c) each(box.querySelector('tbody'), c.pollers, 'poller', p => [p.node, p.server, p.address, p.user_agent], fillPoller);
}

// What the service's sentence has not said.
function facts(s, c, d) {
  const alone = s.checks.length < 2;
  const all = [];
  if (d) {
    const mark = d.mark ? say` Told as ${d.mark}.` : [];
    const held = d.held ? ' So it was when the spool was last readable.' : '';
    const idle = c ? ' Its own check is not run meanwhile.' : '';
    all.push(say`${alone ? [] : taken(d)}${mark}${held}${idle}`);
  } else if (['up', 'fail'].includes(c.told)) {
    const passes = c.told === 'up';
    const time = c.took === null ? '' : `; the check took ${took(c.took)} of ${c.limit} s allowed`;
    all.push(say`${passes ? 'Passes' : 'Fails'} since ${clock(c.since)}${time}${passes || alone ? '.' : ': ' + c.text}`);
  }
  if (c?.last_fail && c.told !== 'fail') all.push(say`Failed last ${ago(c.last_fail.at)}: ${c.last_fail.text}`);
  return all.filter(text => text.length);
}

// The command for this state: none that writes the spool while that is unreadable.
function todo(s, c, d) {
  const {readable} = last.spool;
  if (d && d.name !== 'all' && readable) return c ? putBack(d.name) : say`${command('haup', d.name)} lifts it.`;
  if (c?.told === 'fail') {
    const probe = command('hacheck', 'probe', '-v', ...c.probe);
    return say`${probe} asks as a balancer does, and shows each step.`;
  }
  if (c?.state === 'in' && readable) {
    const hadown = command('hadown', '--wait=drained', '-r', 'WHY', s.name);
    return say`${hadown} takes it out and waits for its sessions.`;
  }
  return say`${command('halist', '--pollers', s.name)} shows who polled, and what they see.`;
}

function fillPoller(row, p) {
  const cell = (i, text, small, tone = '') => {
    const [a, b] = row.children[i].children;
    put(a, text);
    attr(a, 'class', tone);
    put(b, small);
  };
  const from = p.sessions_at_close || 0;
  const bar = row.querySelector('progress');
  const sessions = p.sessions === null ? '–' : p.sessions + (from ? ' of ' + from + ' left' : '');
  cell(0, label(p), p.node ? p.server || '' : p.server ? p.address : (p.user_agent ? p.user_agent + ', ' : '') + 'does not say what it sees');
  cell(1, ...sees(p));
  cell(2, sessions, '');
  bar.hidden = !from;
  [bar.max, bar.value] = [from || 1, from - p.sessions];
  cell(3, ago(p.polled), p.interval ? 'every ' + span(p.interval) : 'once');
}
function sees(p) {
  if (!p.polling) return ['stopped polling', p.state ? 'saw ' + p.state : '', 'warn'];
  if (p.out === null) {
    const tone = {up: 'good', fail: 'warn'}[p.told] || 'hand';
    return ['told ' + (p.told || 'nothing'), count(p.run, 'time') + ' in a row', tone];
  }
  const acted = (p.told === 'up') !== p.out;
  return [p.state, p.out ? 'no new traffic' : 'sends traffic', !acted ? 'warn' : p.out ? 'hand' : 'good'];
}

// ---- Groups

function groups() {
  const all = Object.entries(last.groups);
  $('groups').parentNode.hidden = !all.length;
  lines($('groups'), all, ([name]) => name, ([name, g]) => [
    g.state === 'up' ? 'in' : g.state ? 'failing' : 'silent',
    g.checked ? 'checked ' + ago(g.checked) : 'not checked yet',
    g.state ? say`Group ${name} is ${g.state} for ${span(now() - g.changed)}: ${g.summary}` : say`Group ${name}`,
  ]);
}

const CHANGES = {
  start: () => ['silent', say`hacheck started.`],
  down: e => {
    const end = e.until ? say`; until ${clock(e.until)}` : [];
    return ['down', say`Down: ${thing(e.service)}${by(e)}: ${e.text || why(e)}${end}.`];
  },
  lifted: e => ['in', say`${e.expired ? 'Ended' : 'Lifted'}: ${thing(e.service)}, after ${span(e.after)}.`],
  fail: e => ['failing', say`Failed: ${e.service}: ${e.text}`],
  pass: e => ['in', say`Passed again: ${e.service}, after ${span(e.after)}.`],
  spool: e => e.text ? ['failing', say`The spool could not be read: ${e.text}`]
    : ['in', say`The spool could be read again, after ${span(e.after)}.`],
  group: e => e.text ? ['failing', say`Group ${e.service} went down: ${e.text}`]
    : ['in', say`Group ${e.service} is up again, after ${span(e.after)}.`],
  flap: e => ['failing', say`Failed: ${e.service}, ${e.times} times in ${span(e.at - e.from)}: ${e.text}`],
};
function changes() {
  lines($('changes'), last.changes.slice(0, 20), e => [e.from || e.at, e.kind, e.service, e.check], e => {
    const [state, text] = CHANGES[e.kind](e);
    return [state, clock(e.at) + ' · ' + ago(e.at), text];
  });
}

// ---- The whole

function draw() {
  if (!last) {
    if (trouble) head('silent', 'stale', say`hacheck does not answer.`, trouble, say`Asking again.`);
    return;
  }
  const focused = document.activeElement;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const {host, version, started, spool, connections} = last;
  put($('host'), host);
  // A hidden page asks seldom: there only a failure makes it stale.
  if (age() > STALE && (trouble || !document.hidden)) stale();
  else current();
  notes();
  services();
  groups();
  changes();
  put($('about'), `hacheck ${version}, up ${span(now() - started)}; spool ${spool.root}; ` +
    `${connections.open} of ${connections.max} connections; times in ${zone}.`);
  // A node that was moved has lost the focus.
  if (focused.isConnected && focused !== document.activeElement) focused.focus({preventScroll: true});
}

document.addEventListener('visibilitychange', () => document.hidden || ask());
$('filter').addEventListener('input', draw);
$('services').addEventListener('toggle', draw, true);  // what is folded in is not filled
setInterval(draw, 1000);
ask();
