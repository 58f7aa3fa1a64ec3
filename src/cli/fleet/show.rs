//! `hacheck fleet` without a word behind it: the whole fleet in a terminal, drawn again and again, or printed once.
//!
//! Rule: it shows, and nothing that it shows is a failure but that the engine cannot be read.

use super::applet::FleetCall;
use super::client::FleetClient;
use super::output::tab_line;
use super::reading::{FleetAnswer, Reading};
use super::screen::FleetScreen;
use super::screen_hosts::host_text;
use crate::cli::failure::{Failure, failed};
use crate::cli::live::{self, LivePicture as _, can_be_drawn_on};
use crate::cli::output;
use crate::cli::output::entries::OutputFormat;
use crate::fleet::overview::{FleetOverview, HostEntry, OverviewRequest};

pub(super) fn show(fleet: &FleetCall<'_>, format: Option<OutputFormat>) -> Result<u8, Failure> {
    let client = FleetClient::open(fleet.call, &fleet.file)?;
    let request = OverviewRequest {
        scope: fleet.selector.clone(),
        text: String::new(),
        hosts_max: usize::MAX,
    };
    match format {
        None if can_be_drawn_on() => watch(client, request)?,
        format => output::print(&once(client, &request, format)?)?,
    }
    Ok(0)
}

fn once(
    mut client: FleetClient,
    request: &OverviewRequest,
    format: Option<OutputFormat>,
) -> Result<String, Failure> {
    let mut reading = Reading::default();
    reading.read(&mut client)?;
    let overview = reading.overview(request);
    let fleet = client.settings.fleet.as_str();
    Ok(match format {
        Some(OutputFormat::Json) => json(&FleetAnswer::new(
            fleet,
            &reading.state,
            &request.text,
            &overview,
        )),
        Some(OutputFormat::Tsv) => lines(&overview),
        None | Some(OutputFormat::Table | OutputFormat::Uber) => {
            let mut screen = FleetScreen::new(fleet);
            screen.take((overview, reading.state));
            live::text_of(&screen)
        }
    })
}

fn json(answer: &FleetAnswer<'_>) -> String {
    // Texts, numbers and maps with texts as keys: these always have a JSON.
    let json = serde_json::to_string(answer).unwrap_or_default();
    format!("{json}\n")
}

/// A line for each host: `lost\tweb07\tlast heard of 17:51`.
fn lines(overview: &FleetOverview) -> String {
    overview.hosts.iter().map(line).collect()
}

fn line(host: &HostEntry) -> String {
    let state = host.state.words().to_owned();
    tab_line(&[state, host.host.clone(), host_text(host)])
}

fn watch(mut client: FleetClient, request: OverviewRequest) -> Result<(), Failure> {
    let mut screen = FleetScreen::new(&client.settings.fleet);
    let mut reading = Reading::default();
    live::watch(&mut screen, move || {
        // The state tells why it failed.
        let _ = reading.read(&mut client);
        (reading.overview(&request), reading.state.clone())
    })?;
    // The screen is gone now, and what stood on it last would be lost with it.
    match screen.trouble() {
        Some(trouble) => Err(failed!("{trouble}")),
        None => Ok(()),
    }
}
