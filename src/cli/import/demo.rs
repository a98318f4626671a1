//! Loading the synthetic clinic: into a store of its own, with the times of its past, or into a server that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::agent::Way;
use super::super::private::Sign;
use super::super::{Failure, Secret};
use super::client::Client;
use super::place::Place;
use super::request::Request;
use super::tally::Tally;
use crate::auth::{About, TokenRequest};
use crate::clock::{Clock, Instant};
use crate::demo::{Asker, DemoOptions, Look, Step, history};
use crate::json::Document;

/// HTTP's 410: of a chart that was erased since nothing is loaded again.
const GONE: u16 = 410;

/// Who loads the clinic, and with which scopes.
pub const LOADER: (&str, &str) = ("chartlog-demo", "system/*.cruds");

/// Records the past of the clinic in a store that is served to this process alone: one step after the other, each at its
/// moment, to which the clock of the logs is put. People look with tokens of their own.
///
/// # Errors
///
/// [`Failure`]: the server refused something, or was interrupted.
pub fn record_demo(
    base: &str,
    sign: &Sign,
    clock: &Clock,
    past: impl Iterator<Item = (Instant, Step)>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let (subject, scope) = (LOADER.0.to_owned(), LOADER.1.to_owned());
    let token = sign(TokenRequest { subject, scope, ..TokenRequest::default() })?;
    let mut loading = Loading::begin(base, &token)?;
    let looking = Way::to_self().agent(|limits| limits);
    for (at, step) in past {
        clock.set(at);
        match step {
            Step::Commit(bundle) => {
                loading.send(&bundle, || stop.load(Ordering::Relaxed))?;
            }
            Step::Look(look) => {
                let token = sign(asked_by(&look.asker))?;
                let request = looking
                    .get(format!("{base}{}", look.target))
                    .header("authorization", format!("Bearer {}", token.expose()));
                let request = match look.breaks_glass {
                    Some(reason) => request.header("x-break-glass", reason),
                    None => request,
                };
                let mut answer = request.call().map_err(Failure::failed)?;
                answer.body_mut().read_to_vec().map_err(Failure::failed)?;
                expect(&look, answer.status().as_u16())?;
            }
        }
    }
    Ok(())
}

/// Loads the clinic as of now, as far as it is not there yet: commits alone, for nobody looked in the past of a store that
/// has one of its own.
///
/// # Errors
///
/// [`Failure`]: the store has other data, with which made-up people must not mix, or the server
/// refused something.
pub fn load_demo(
    base: &str,
    token: &Secret,
    options: &DemoOptions,
    store_was_empty: bool,
) -> Result<(), Failure> {
    let mut loading = Loading::begin(base, token)?;
    let commits = history(options).filter_map(|(_, step)| match step {
        Step::Commit(bundle) => Some(bundle),
        Step::Look(_) => None,
    });
    for (at, bundle) in commits.enumerate() {
        if at == 0 && !store_was_empty {
            loading.refuse_to_mix(&bundle)?;
        }
        loading.send(&bundle, || false)?;
    }
    Ok(())
}

/// The one connection by which everything comes, one commit after the other, so that the same clinic gives the same charts.
struct Loading {
    client: Client,
    tally: Tally,
    sent: usize,
}

impl Loading {
    fn begin(base: &str, token: &Secret) -> Result<Self, Failure> {
        let client = Client::several(1, base, token, &Way::to_self())?.pop();
        let client = client.ok_or_else(|| Failure::failed("there is no connection"))?;
        Ok(Self { client, tally: Tally::default(), sent: 0 })
    }

    fn request(&self, bundle: &str) -> Result<Request, Failure> {
        let document = Document::parse(bundle.to_owned()).map_err(Failure::failed)?;
        let place = Place::named("the synthetic clinic").entry(self.sent);
        Ok(Request::whole(place, document.root(), |_| 1))
    }

    fn send(&mut self, bundle: &str, stopped: impl Fn() -> bool) -> Result<(), Failure> {
        let request = self.request(bundle)?;
        let answer = self.client.send(&request, stopped)?;
        self.sent += 1;
        self.tally.note(request, answer);
        self.tally.finish();
        match self.tally.refusals().iter().find(|refusal| refusal.status != GONE) {
            None => Ok(()),
            Some(refusal) => Err(Failure::failed(format!(
                "the synthetic clinic was refused: {}",
                refusal.diagnostics
            ))),
        }
    }

    /// A store that is not empty contains the clinic's first commit, or something else.
    fn refuse_to_mix(&self, first: &str) -> Result<(), Failure> {
        let request = self.request(first)?;
        let address = request.parts.first().and_then(|part| part.address.as_deref());
        match address.map(|address| self.client.status_of(address)).transpose()? {
            Some(404 | 410) => Err(Failure::failed(
                "the store holds other data, and the synthetic clinic would mix made-up people \
                 with them: start without --demo, or with another --data",
            )),
            _ => Ok(()),
        }
    }
}

fn asked_by(asker: &Asker) -> TokenRequest {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    TokenRequest {
        subject: asker.subject.clone(),
        scope: asker.scope.to_owned(),
        patient: asker.patient.clone(),
        about: About {
            fhir_user: asker.fhir_user.clone(),
            role: owned(asker.role),
            purpose: owned(asker.purpose),
            ..About::default()
        },
        ..TokenRequest::default()
    }
}

fn expect(look: &Look, status: u16) -> Result<(), Failure> {
    let expected = if look.is_refused { 403 } else { 200 };
    if status == expected {
        return Ok(());
    }
    let target = &look.target;
    Err(Failure::failed(format!("the synthetic clinic: {target} answers {status}, not {expected}")))
}
