//! `haroll --max-down`: this host's slot, from the wait for it to its release.
//!
//! Rule: the slot comes before anything is changed, and goes after the host is seen up. Whatever fails in between keeps it,
//! and says how it is released; the engine is asked no more than once between two steps, as the service may be down.

mod ending;
pub(crate) mod kept;
mod takeover;
pub(crate) mod told;
mod wait;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use takeover::Takeover;
pub(crate) use wait::SlotWait;

use super::client::{self, AskLimits, EngineAnswer, FleetClient};
use super::request::FleetFile;
use super::write::author;
use crate::cli::applet::Call;
use crate::cli::failure::{Failure, failed};
use crate::fleet::engine::Engine;
use crate::fleet::slots::{Admission, MaxDown, SlotHolder, SlotLook, SlotRequest, SlotScope};
use crate::fleet::{RollId, Selector, Snapshot};
use crate::names::Key;
use kept::{KeptRoll, RollFiles};

/// How soon it is tried again where somebody else was quicker, or the engine did not answer.
const SOON: Duration = Duration::from_millis(100);

/// What the command line asks for.
pub(crate) struct SlotOptions {
    pub(crate) file: FleetFile,
    pub(crate) max: MaxDown,
    pub(crate) selector: Selector,
    /// The tag of `--per`.
    pub(crate) per: Option<String>,
    pub(crate) roll: Option<RollId>,
    pub(crate) force: bool,
}

/// What the roll is.
pub(crate) struct RollWords<'a> {
    pub(crate) keys: &'a [Key],
    pub(crate) reason: &'a str,
    pub(crate) command: &'a [String],
    /// Where its daemon and its spool are, as they were typed: after a boot they are needed again.
    pub(crate) port: Option<&'a str>,
    pub(crate) spool_root: Option<&'a str>,
}

/// The tags of a host, by name.
type Tags = BTreeMap<String, String>;

/// The slot of this host.
pub(crate) struct RollSlot {
    client: FleetClient,
    holder: SlotHolder,
    files: RollFiles,
    kept: KeptRoll,
    /// The engine did not take what this host does; it is not asked again before the end.
    is_away: bool,
}

impl RollSlot {
    /// Looks whether this host can take part. Nothing is taken yet.
    pub(crate) fn open(
        call: &Call,
        options: SlotOptions,
        words: &RollWords<'_>,
    ) -> Result<Self, Failure> {
        let mut client = FleetClient::open_on_host(call, &options.file)?;
        let folder = kept::folder(&client.settings);
        let files = RollFiles::lock(&folder, words.keys)?;
        let snapshot = client.snapshot()?;
        let host = client.settings.host_name();
        let scope = scope(&client, &snapshot, &host, &options)?;
        call.note_all(&snapshot.odd);
        let request = request(host, scope, options, words);
        let holder = SlotHolder::new(client.paths.clone(), request);
        Ok(Self {
            kept: kept(&holder, words),
            client,
            holder,
            files,
            is_away: false,
        })
    }

    /// Goes on with a roll that died after its command. The engine is not asked before the end.
    pub(crate) fn resume(
        call: &Call,
        file: &FleetFile,
        files: RollFiles,
        kept: KeptRoll,
        keys: &[Key],
    ) -> Result<Self, Failure> {
        let client = FleetClient::open_on_host(call, file)?;
        let Some(roll) = RollId::parse(&kept.roll) else {
            return Err(failed!("{:?} is no id of a roll", kept.roll));
        };
        let request = SlotRequest {
            host: client.settings.host_name(),
            keys: keys.to_vec(),
            // These two are not looked at any more: the slot was granted, and is only given back.
            scope: SlotScope::default(),
            max: MaxDown::Hosts(1),
            roll,
            by: kept.by.clone(),
            from: kept.from.clone(),
            reason: kept.reason.clone(),
        };
        Ok(Self {
            files,
            holder: SlotHolder::resume(client.paths.clone(), request, kept.since),
            client,
            kept,
            is_away: false,
        })
    }

    /// The id of the roll.
    pub(crate) fn roll(&self) -> &RollId {
        &self.holder.request().roll
    }

    /// This roll, and the dead ones that left this host as it is: their downtimes are its own.
    pub(crate) fn rolls(&self) -> Vec<String> {
        let before = self.files.before().map(|kept| kept.roll.clone());
        before.chain([self.roll().to_string()]).collect()
    }

    fn host(&self) -> &str {
        &self.holder.request().host
    }

    /// Waits until this host has its slot.
    pub(crate) fn take(
        &mut self,
        wait: &mut SlotWait<'_>,
        own: &mut Takeover<'_>,
    ) -> Result<(), Failure> {
        match self.until_granted(wait, own) {
            Ok(()) => Ok(()),
            Err(why) => Err(self.leave(why)),
        }
    }

    fn until_granted(
        &mut self,
        wait: &mut SlotWait<'_>,
        own: &mut Takeover<'_>,
    ) -> Result<(), Failure> {
        while let Some(pause) = self.look(wait, own)? {
            own.check()?;
            self.pause(wait, pause)?;
        }

        Ok(())
    }

    /// Looks once for the slot; how long to pause before the next look, `None` when it is granted.
    fn look(
        &mut self,
        wait: &mut SlotWait<'_>,
        own: &mut Takeover<'_>,
    ) -> Result<Option<Duration>, Failure> {
        let holder = &mut self.holder;
        let looking = async |engine: &mut Engine| holder.look(engine, own).await;
        match self.client.ask(wait.limits(), looking) {
            EngineAnswer::Got(SlotLook::Granted(admissions)) => {
                wait.say_granted(self.roll(), &admissions);
                Ok(None)
            }
            EngineAnswer::Got(SlotLook::Waiting(admissions)) => {
                wait.say_waiting(self.roll(), &admissions);
                Ok(Some(longest(&admissions)))
            }
            EngineAnswer::Got(SlotLook::Again) => Ok(Some(SOON)),
            EngineAnswer::Trouble(failure, true) => Err(failure),
            EngineAnswer::Trouble(failure, false) => {
                wait.say_trouble(failure);
                Ok(Some(SOON))
            }
            EngineAnswer::Stopped(stopped) => Err(wait.ended(stopped)),
        }
    }

    /// In the runtime of the client, so that Ctrl-C and the end of the wait break it off.
    fn pause(&mut self, wait: &SlotWait<'_>, pause: Duration) -> Result<(), Failure> {
        let pausing = async |_: &mut Engine| {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        match self.client.ask(wait.limits(), pausing) {
            EngineAnswer::Stopped(stopped) => Err(wait.ended(stopped)),
            EngineAnswer::Got(()) | EngineAnswer::Trouble(..) => Ok(()),
        }
    }

    /// Leaves the queue.
    fn leave(&mut self, failure: Failure) -> Failure {
        let limits = self.soon();
        let holder = &mut self.holder;
        let leaving = async |engine: &mut Engine| holder.withdraw(engine).await;
        let left = self.client.ask(limits, leaving);
        if matches!(left, EngineAnswer::Got(())) {
            return failure;
        }

        let host = self.host();
        failure.and_line(format!(
            "whether {host} has a slot is unknown; 'hacheck fleet release {host} -r WHY' frees it when etcd answers"
        ))
    }

    /// For what has to come to an end, and may not take long.
    fn soon(&self) -> AskLimits<'static> {
        AskLimits::within(2 * self.client.settings.timeout)
    }

    /// Tells what is done now; on this host's disk before anything is down.
    pub(crate) fn enter(&mut self, phase: &str) -> Result<(), Failure> {
        phase.clone_into(&mut self.kept.phase);
        let written = self.files.write(&self.kept);
        // What is to be found after a reboot has to be there before the command.
        if matches!(phase, "down" | "command") {
            written?;
        }

        if !self.is_away {
            self.tell(phase);
        }

        Ok(())
    }

    /// Tells the fleet, which is for those who look only: where nobody answers, the roll goes on.
    fn tell(&mut self, phase: &str) {
        let limits = self.soon();
        let holder = &mut self.holder;
        let telling = async |engine: &mut Engine| holder.enter(engine, phase).await;
        let told = self.client.ask(limits, telling);
        self.is_away = !matches!(told, EngineAnswer::Got(()));
    }
}

/// Where rolls leave something on this host; nowhere, where it is in no fleet.
pub(crate) fn kept_folder(call: &Call, file: &FleetFile) -> Result<PathBuf, Failure> {
    if file.is_none() {
        return Ok(PathBuf::new());
    }
    let settings = client::settings(call, file)?;
    Ok(kept::folder(&settings))
}

fn request(
    host: String,
    scope: SlotScope,
    options: SlotOptions,
    words: &RollWords<'_>,
) -> SlotRequest {
    let author = author();
    SlotRequest {
        host,
        keys: words.keys.to_vec(),
        scope,
        max: options.max,
        roll: options.roll.unwrap_or_default(),
        by: author.by,
        from: author.from,
        reason: words.reason.to_owned(),
    }
}

/// The scope, as far as this host is in it.
fn scope(
    client: &FleetClient,
    snapshot: &Snapshot,
    host: &str,
    options: &SlotOptions,
) -> Result<SlotScope, Failure> {
    let tags = tags(client, snapshot, host, options.force)?;
    let scope = SlotScope {
        selector: options.selector.clone(),
        per: match &options.per {
            Some(tag) => Some(group(host, tags, tag)?),
            None => None,
        },
    };

    match scope.selects(host, tags) {
        true => Ok(scope),
        false => Err(failed!(
            "{host} is not selected by {}; run it on a host that is",
            options.selector
        )),
    }
}

/// A host's tags, as the engine has them: those are what all others count by.
fn tags<'a>(
    client: &'a FleetClient,
    snapshot: &'a Snapshot,
    host: &str,
    force: bool,
) -> Result<&'a Tags, Failure> {
    let fleet = &client.settings.fleet;
    match snapshot.hosts.get(host) {
        Some(record) => Ok(&record.tags),
        None if force => Ok(&client.settings.tags),
        None => Err(failed!(
            "the fleet {fleet} does not know {host}, so nobody would see it go down; set fleet_file in hacheck.yml and restart hacheck, or add --force"
        )),
    }
}

/// The tag of `--per` with this host's value: hosts with the same are counted together.
fn group(host: &str, tags: &Tags, tag: &str) -> Result<(String, String), Failure> {
    match tags.get(tag) {
        Some(value) => Ok((tag.to_owned(), value.clone())),
        None => Err(failed!(
            "{host} has no tag {tag}, so --per {tag} puts it into no group; set tags in the file of the fleet"
        )),
    }
}

fn kept(holder: &SlotHolder, words: &RollWords<'_>) -> KeptRoll {
    let request = holder.request();
    KeptRoll {
        roll: request.roll.to_string(),
        keys: request.keys.iter().map(Key::file_name).collect(),
        by: request.by.clone(),
        from: request.from.clone(),
        reason: request.reason.clone(),
        command: words.command.to_vec(),
        port: words.port.map(str::to_owned),
        spool_root: words.spool_root.map(str::to_owned),
        since: holder.since(),
        ..KeptRoll::default()
    }
}

fn longest(admissions: &[Admission]) -> Duration {
    let waits = admissions.iter().map(Admission::wait);
    waits.max().unwrap_or(SOON)
}
