//! Which host of a roll is next.
//!
//! Rules: pure, and the same for the same picture. Hosts that are out already come first, else those that are broken would
//! block their own repair; then by name. This keeps needless waits away from the hosts; what holds is what each host is
//! granted.

use std::collections::{BTreeMap, BTreeSet};

use super::slots::MaxDown;

/// Where a host stands in a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostStanding {
    /// It has not begun.
    Waiting,
    /// It has begun, and there is no result yet.
    UnderWay,
    /// Its result is good.
    Done,
    /// It is not.
    Failed,
}

/// A host of a roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollHost {
    /// Its name.
    pub name: String,
    /// Its value of the tag for which the limit counts; the same for all where there is none.
    pub group: String,
    /// Where it stands.
    pub standing: HostStanding,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This host begins; by its place in the list.
    Begin(usize),
    /// Those that are under way are waited for.
    Wait,
    /// Nothing is under way, and so many others are out that nothing can begin.
    Blocked,
    /// No host begins any more.
    Over(Over),
}

/// Why no host begins any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All are done.
    Done,
    /// More failed than may, or those that failed keep all places.
    Failed,
    /// All that are left are lost.
    Lost,
}

/// What is to be done next. `out` are the hosts that are out, `lost` those among them that give no sign of life.
#[must_use]
pub fn next(
    hosts: &[RollHost],
    max_down: MaxDown,
    max_failed: usize,
    out: &BTreeSet<String>,
    lost: &BTreeSet<String>,
) -> Next {
    let roll = RollView::new(hosts, max_down, out);
    let failed = count(hosts, HostStanding::Failed);
    let can_go_on = failed <= max_failed;
    let waiting = roll.waiting(lost);
    if can_go_on && let Some(host) = waiting.iter().find(|host| roll.may_begin(host)) {
        return Next::Begin(roll.place(host));
    }

    // Also after too many failures: what has begun is waited for, or a host would stay down with nobody to tell of it.
    if count(hosts, HostStanding::UnderWay) > 0 {
        return Next::Wait;
    }

    if count(hosts, HostStanding::Done) == hosts.len() {
        return Next::Over(Over::Done);
    }

    match failed {
        _ if can_go_on && roll.has_hope(&waiting) => Next::Blocked,
        0 => Next::Over(Over::Lost),
        _ => Next::Over(Over::Failed),
    }
}

/// How many hosts stand somewhere.
pub(crate) fn count(hosts: &[RollHost], standing: HostStanding) -> usize {
    let hosts = hosts.iter();
    hosts.filter(|host| host.standing == standing).count()
}

/// How many hosts of a group are what.
#[derive(Default)]
struct GroupCounts {
    hosts: usize,
    under_way: usize,
    /// Out, or under way.
    taken: usize,
    /// Out since they have failed.
    failed: usize,
}

struct RollView<'a> {
    hosts: &'a [RollHost],
    max_down: MaxDown,
    out: &'a BTreeSet<String>,
    /// Counted once, as a fleet may have thousands of hosts.
    groups: BTreeMap<&'a str, GroupCounts>,
}

impl<'a> RollView<'a> {
    fn new(hosts: &'a [RollHost], max_down: MaxDown, out: &'a BTreeSet<String>) -> Self {
        let mut view = Self {
            hosts,
            max_down,
            out,
            groups: BTreeMap::new(),
        };
        for host in hosts {
            view.count_in_group(host);
        }
        view
    }

    fn count_in_group(&mut self, host: &'a RollHost) {
        let is_out = self.is_out(host);
        let is_under_way = host.standing == HostStanding::UnderWay;
        let has_failed = host.standing == HostStanding::Failed;
        // Those that failed and came back by hand take no place any more.
        let group = self.groups.entry(&host.group).or_default();
        group.hosts += 1;
        group.under_way += usize::from(is_under_way);
        group.taken += usize::from(is_out || is_under_way);
        group.failed += usize::from(is_out && has_failed);
    }

    fn place(&self, host: &RollHost) -> usize {
        let mut hosts = self.hosts.iter();
        hosts.position(|other| other.name == host.name).unwrap_or(0)
    }

    fn is_out(&self, host: &RollHost) -> bool {
        self.out.contains(&host.name)
    }

    /// Those that can be reached and have not begun, in their order.
    fn waiting(&self, lost: &BTreeSet<String>) -> Vec<&'a RollHost> {
        let mut waiting = Vec::new();
        for host in self.hosts {
            if host.standing == HostStanding::Waiting && !lost.contains(&host.name) {
                waiting.push(host);
            }
        }

        // Those that are out come first: it takes nothing more away to begin with them.
        waiting.sort_by_key(|host| (!self.is_out(host), &host.name));
        waiting
    }

    fn max(&self, group: &GroupCounts) -> usize {
        self.max_down.of(group.hosts)
    }

    /// Whether a host that waits may begin.
    fn may_begin(&self, host: &RollHost) -> bool {
        let Some(group) = self.groups.get(host.group.as_str()) else {
            return false;
        };
        let max = self.max(group);
        // One that is out has its place already.
        group.under_way < max && (self.is_out(host) || group.taken < max)
    }

    /// Whether one of those that wait may get a place by itself. Where failures keep all places, only a person helps.
    fn has_hope(&self, waiting: &[&RollHost]) -> bool {
        waiting.iter().any(|host| !self.is_stuck(host))
    }

    /// Whether hosts that failed keep all places of its group.
    fn is_stuck(&self, host: &RollHost) -> bool {
        let group = self.groups.get(host.group.as_str());
        group.is_some_and(|group| group.failed >= self.max(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of hosts: `a.` waits, `a>` is under way, `a+` is done, `a!` has failed; behind that `o` for out and `l` for
    /// lost; in front of it a group and a slash.
    fn after(text: &str, max_down: &str, max_failed: usize) -> String {
        let (mut hosts, mut out, mut lost) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for word in text.split(' ') {
            let (group, rest) = word.split_once('/').unwrap_or(("", word));
            let sign = rest.find(['.', '>', '+', '!']).unwrap();
            let name = rest[..sign].to_owned();
            let standing = match &rest[sign..=sign] {
                "." => HostStanding::Waiting,
                ">" => HostStanding::UnderWay,
                "+" => HostStanding::Done,
                _ => HostStanding::Failed,
            };
            if rest.ends_with(['o', 'l']) {
                out.insert(name.clone());
            }
            if rest.ends_with('l') {
                lost.insert(name.clone());
            }
            hosts.push(RollHost {
                name,
                group: group.to_owned(),
                standing,
            });
        }
        let max_down = MaxDown::parse(max_down).unwrap();
        match next(&hosts, max_down, max_failed, &out, &lost) {
            Next::Begin(at) => hosts[at].name.clone(),
            Next::Wait => "wait".to_owned(),
            Next::Blocked => "blocked".to_owned(),
            Next::Over(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn hosts_begin_by_name_and_at_most_as_many_as_may_be_out() {
        for (hosts, max, then) in [
            ("a. b. c.", "1", "a"),
            ("c. b. a.", "1", "a"),
            ("a> b. c.", "1", "wait"),
            ("a> b. c.", "2", "b"),
            ("a> b> c.", "2", "wait"),
            ("a+ b. c.", "1", "b"),
            ("a+ b+ c>", "1", "wait"),
            ("a+ b+ c+", "1", "Done"),
            ("a> b. c. d.", "50%", "b"),
            ("a> b> c. d.", "50%", "wait"),
            ("a> b. c. d.", "10%", "wait"),
        ] {
            assert_eq!(after(hosts, max, 0), then, "{hosts} {max}");
        }
    }

    #[test]
    fn a_host_that_is_out_already_comes_first_and_keeps_the_others_waiting() {
        for (hosts, max, then) in [
            ("a. b.o c.", "1", "b"),
            ("a. b>o c.", "1", "wait"),
            ("a. b+o c.", "1", "blocked"),
            ("a. b+o c.", "2", "a"),
            ("a.o b.o c.", "1", "a"),
            ("a>o b.o c.", "1", "wait"),
            ("a+o b+o c.", "2", "blocked"),
        ] {
            assert_eq!(after(hosts, max, 0), then, "{hosts} {max}");
        }
    }

    #[test]
    fn a_lost_host_takes_a_place_and_does_not_begin() {
        for (hosts, max, then) in [
            ("a. b.l", "1", "blocked"),
            ("a. b.l", "2", "a"),
            ("a+ b.l", "1", "Lost"),
            ("a> b.l", "2", "wait"),
            ("a.l b.l", "1", "Lost"),
            ("a!o b.l", "2", "Failed"),
        ] {
            assert_eq!(after(hosts, max, 9), then, "{hosts} {max}");
        }
    }

    #[test]
    fn a_roll_stops_when_too_many_have_failed_or_when_they_keep_all_places() {
        for (hosts, max, max_failed, then) in [
            ("a! b. c.", "1", 0, "Failed"),
            ("a! b> c.", "2", 0, "wait"),
            ("a! b. c.", "1", 1, "b"),
            ("a!o b. c.", "1", 9, "Failed"),
            ("a!o b. c.", "2", 9, "b"),
            ("a!o b!o c. d.", "3", 9, "c"),
            ("a!o b!o c!o d.", "3", 9, "Failed"),
            ("a!o b. c.o", "1", 9, "c"),
            ("a!o b+o c.", "2", 9, "blocked"),
            ("a! b+", "1", 9, "Failed"),
        ] {
            assert_eq!(
                after(hosts, max, max_failed),
                then,
                "{hosts} {max} {max_failed}"
            );
        }
    }

    #[test]
    fn the_limit_counts_for_each_group_of_its_own() {
        for (hosts, max, then) in [
            ("x/a. x/b. y/c. y/d.", "1", "a"),
            ("x/a> x/b. y/c. y/d.", "1", "c"),
            ("x/a> x/b. y/c> y/d.", "1", "wait"),
            ("x/a+ x/b. y/c> y/d.", "1", "b"),
            ("x/a+o x/b. y/c.", "1", "c"),
            ("x/a> x/b. y/c> y/d. y/e. y/f.", "50%", "d"),
        ] {
            assert_eq!(after(hosts, max, 0), then, "{hosts} {max}");
        }
        assert_eq!(after("x/a!o x/b. y/c. y/d.", "1", 9), "c");
        assert_eq!(after("x/a!o x/b. y/c+o y/d.", "1", 9), "blocked");
    }

    /// Every roll in which hosts succeed ends with all of them done, and never has more under way than may be.
    #[test]
    fn a_roll_that_goes_well_reaches_every_host() {
        for hosts in 1..8 {
            for max in 1..4 {
                let mut list: Vec<RollHost> = (0..hosts)
                    .map(|n| RollHost {
                        name: format!("h{n}"),
                        group: String::new(),
                        standing: HostStanding::Waiting,
                    })
                    .collect();
                goes_well(&mut list, max);
            }
        }
    }

    #[track_caller]
    fn goes_well(list: &mut [RollHost], max: usize) {
        let max_down = MaxDown::Hosts(u32::try_from(max).unwrap());
        for _ in 0..3 * list.len() {
            let none = BTreeSet::new();
            match next(list, max_down, 0, &none, &none) {
                Next::Begin(at) => list[at].standing = HostStanding::UnderWay,
                Next::Wait => {
                    let is_under_way =
                        |host: &&mut RollHost| host.standing == HostStanding::UnderWay;
                    let under_way = list.iter().filter(|h| h.standing == HostStanding::UnderWay);
                    assert!(under_way.count() <= max);
                    let ended = list.iter_mut().find(is_under_way).unwrap();
                    ended.standing = HostStanding::Done;
                }
                Next::Over(Over::Done) => return,
                other => panic!("{other:?} of {list:?}"),
            }
        }
        panic!("it never ends: {list:?}");
    }
}
