//! `chartlog show`: one event of the log.

use super::super::{Failure, ShowArguments};
use super::event::Event;
use super::page::{FAINT, plain, styled};
use crate::cli::ask::Asked;
use crate::cli::out::{hand_over, tell};
use crate::json::Pretty;

/// Prints an event.
///
/// # Errors
///
/// [`Failure`]: there is no such event, or nothing of it is left to be shown raw.
pub fn show(server: &Asked, arguments: &ShowArguments) -> Result<(), Failure> {
    let position = arguments.position;
    let query: &[(&str, &str)] = if arguments.raw { &[("raw", "true")] } else { &[] };
    let answer = server.json(&format!("/v1/events/{position}"), query)?;
    if arguments.look.json {
        return hand_over(&format!("{answer}\n"));
    }
    let event: Event = serde_json::from_str(&answer).map_err(Failure::failed)?;
    if !arguments.raw {
        return tell(page(&event));
    }
    let payload = event.payload.as_ref().ok_or_else(|| {
        Failure::failed(format!(
            "event {position} was erased with its chart: nothing of it can be read"
        ))
    })?;
    hand_over(&format!("{payload}\n"))
}

fn page(event: &Event) -> String {
    let mut page = String::new();
    let mut say = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            page.push_str(&format!("{}{}\n", styled(FAINT, format!("{name:<14}")), plain(value)));
        }
    };
    say("event", Some(&event.position.to_string()));
    say("recorded", Some(&event.recorded_at));
    say("resource", event.what().as_deref());
    say("chart", event.patient.as_deref().or(event.chart.as_deref()));
    say("chart version", event.version.map(|version| version.to_string()).as_deref());
    say("because", event.reason.as_deref());
    if let Some(actor) = &event.actor {
        say("by", Some(&actor.subject));
        say("named", actor.name.as_deref());
        say("role", actor.role.as_deref());
        say("organization", actor.organization.as_deref());
        say("FHIR user", actor.fhir_user.as_deref());
        say("acting", actor.acting.as_deref());
        say("purpose", actor.purpose.as_deref());
        say("issuer", Some(&actor.issuer));
        say("token", actor.token_id.as_deref());
        say("client", actor.client.as_deref());
        say("address", actor.address.as_deref());
        say("user agent", actor.user_agent.as_deref());
        say("request", Some(&actor.request));
        say("client's id", actor.client_request.as_deref());
        say("trace", actor.trace.as_deref());
    }
    let body = event.body.as_ref().map(|body| {
        let mut pretty = Pretty::default();
        let mut text = pretty.continued(body.get().as_bytes());
        text.extend(pretty.end());
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().map(|line| plain(line) + "\n");
        format!("\n{}", lines.collect::<String>())
    });
    let kind = styled(event.style(), &event.event_type);
    format!("{kind}\n{page}{}", body.unwrap_or_default())
}
