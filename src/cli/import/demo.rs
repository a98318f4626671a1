//! Loading the synthetic clinic into the server that has just started.

use super::super::agent::Way;
use super::super::{Failure, Secret};
use super::client::Client;
use super::place::Place;
use super::request::Request;
use super::tally::Tally;
use crate::demo;
use crate::json::Document;

/// Loads the clinic, one commit after the other, so that the same clinic gives the same charts.
/// Gives the number of resources that were not there yet.
///
/// # Errors
///
/// [`Failure`]: the store has other data, with which made-up people must not mix, or the server
/// refused something.
pub fn load_demo(
    base: &str,
    token: &Secret,
    options: &demo::DemoOptions,
    store_was_empty: bool,
) -> Result<u64, Failure> {
    let clients = Client::several(1, base, token, &Way::to_self())?;
    let Some(client) = clients.first() else { return Ok(0) };
    let mut tally = Tally::default();
    for (at, bundle) in demo::clinic(options).enumerate() {
        let document = Document::parse(bundle.to_string()).map_err(Failure::failed)?;
        let place = Place::named("the synthetic clinic").entry(at);
        let request = Request::whole(place, document.root(), |_| 1);
        if at == 0 && !store_was_empty {
            refuse_to_mix(client, &request)?;
        }
        let answer = client.send(&request, || false)?;
        tally.note(request, answer);
        tally.finish();
        if let Some(refusal) = tally.refusals().first() {
            return Err(Failure::failed(format!(
                "the synthetic clinic was refused: {}",
                refusal.diagnostics
            )));
        }
    }
    Ok(tally.stored())
}

/// A store that is not empty contains the clinic's first commit, or something else.
fn refuse_to_mix(client: &Client, first: &Request) -> Result<(), Failure> {
    let address = first.parts.first().and_then(|part| part.address.as_deref());
    match address.map(|address| client.status_of(address)).transpose()? {
        Some(404 | 410) => Err(Failure::failed(
            "the store holds other data, and the synthetic clinic would mix made-up people with \
             them: start without --demo, or with another --data",
        )),
        _ => Ok(()),
    }
}
