//! `chartlog blame`: which event set each element of a resource, who caused it, and when.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::{BlameArguments, Failure};
use super::element::{Blamed, Setting};
use super::event::Event;
use super::page::{FAINT, NAME, shown, styled};
use crate::cli::ask::Asked;
use crate::cli::out::{hand_over, tell};
use crate::json::Document;

/// Events that are asked for at a time.
const PAGE_SIZE: &str = "500";

#[derive(Deserialize)]
struct Page {
    events: Vec<Event>,
    next: Option<String>,
}

/// Which event set each element, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    patient: String,
    resource: String,
    /// The event since which the chart does not hold the resource any more.
    gone: Option<Cause<'a>>,
    elements: Vec<Element<'a>>,
}

#[derive(Serialize)]
struct Element<'a> {
    path: &'a str,
    value: Box<RawValue>,
    #[serde(flatten)]
    cause: Cause<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cause<'a> {
    position: u64,
    recorded_at: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    version_id: Option<&'a str>,
    subject: Option<&'a str>,
}

impl<'a> Cause<'a> {
    fn of(event: &'a Event) -> Self {
        Self {
            position: event.position,
            recorded_at: &event.recorded_at,
            event_type: &event.event_type,
            version_id: event.version_id.as_deref(),
            subject: event.actor.as_ref().map(|actor| actor.subject.as_str()),
        }
    }
}

/// A resource as the events of a chart, one after the other, leave it.
#[derive(Default)]
struct Story {
    events: Vec<Event>,
    /// As the chart holds it, or held it last.
    blamed: Option<Blamed>,
    /// Index of the event since which it does not.
    gone: Option<usize>,
}

impl Story {
    fn take(&mut self, mut event: Event) -> Result<(), Failure> {
        let number = self.events.len();
        match event.body.take() {
            // What comes back is set anew.
            Some(body) => {
                let before = self.blamed.as_ref().filter(|_| self.gone.is_none());
                let document = Document::parse(body.get().as_bytes()).map_err(Failure::failed)?;
                self.blamed = Some(Blamed::new(before, document.root(), number));
                self.gone = None;
            }
            None => self.gone = Some(number),
        }
        self.events.push(event);
        Ok(())
    }
}

/// Prints each element with the event that set it.
///
/// # Errors
///
/// [`Failure`]: there is no such chart, or nothing of the resource in it.
pub fn blame(server: &Asked, arguments: &BlameArguments) -> Result<(), Failure> {
    let (patient, resource) = (arguments.patient.to_string(), arguments.resource.to_string());
    let path = format!("/v1/patients/{patient}/events");
    let mut story = Story::default();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("resource", resource.as_str()), ("count", PAGE_SIZE)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: Page =
            serde_json::from_str(&server.json(&path, &query)?).map_err(Failure::failed)?;
        page.events.into_iter().try_for_each(|event| story.take(event))?;
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let Some(blamed) = &story.blamed else {
        let message = format!("the chart of patient {patient} never held {resource}");
        return Err(Failure::failed(message));
    };
    let settings = blamed.settings();
    let event = |by: usize| {
        let event = story.events.get(by);
        event.ok_or_else(|| Failure::failed("an element has no event"))
    };
    let gone = story.gone.map(event).transpose()?;
    if arguments.look.json {
        let element = |setting: &'_ Setting| -> Result<_, Failure> {
            let value = RawValue::from_string(setting.value.clone()).map_err(Failure::failed)?;
            Ok((value, Cause::of(event(setting.by)?)))
        };
        let values: Vec<_> = settings.iter().map(element).collect::<Result<_, _>>()?;
        let elements = settings.iter().zip(values);
        let elements = elements
            .map(|(Setting { path, .. }, (value, cause))| Element { path, value, cause })
            .collect();
        let told = Told { patient, resource, gone: gone.map(Cause::of), elements };
        let text = serde_json::to_string(&told).map_err(Failure::failed)?;
        return hand_over(&format!("{text}\n"));
    }
    let mut page = format!("{} in chart {patient}\n", styled(NAME, &resource));
    if let Some(event) = gone {
        page.push_str(&format!("not there any more, last as below:\n{}", event.line()));
    }
    let who = settings.iter().map(|setting| Ok(event(setting.by)?.who().chars().count()));
    let width = who.collect::<Result<Vec<_>, Failure>>()?.into_iter().max().unwrap_or_default();
    for setting in &settings {
        let event = event(setting.by)?;
        page.push_str(&format!(
            "{} {} {} {}  {}\n",
            styled(FAINT, format!("{:>7} {}", event.position, event.recorded_at)),
            styled(event.style(), format!("{:<28}", event.event_type)),
            format_args!("{:<width$}", event.who()),
            styled(NAME, &setting.path),
            shown(&setting.value),
        ));
    }
    tell(&page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_set_anew_and_what_is_gone_is_told_as_it_was() {
        let mut story = Story::default();
        let event = |position: u64, body: &str| -> Event {
            let body = if body.is_empty() { String::new() } else { format!(",\"body\":{body}") };
            let text = format!(
                "{{\"position\":{position},\"recordedAt\":\"T\",\"type\":\"Flag.amended\"{body}}}"
            );
            serde_json::from_str(&text).unwrap()
        };
        let set = |story: &Story| -> Vec<usize> {
            story.blamed.as_ref().unwrap().settings().iter().map(|one| one.by).collect()
        };
        for (position, body, by, gone) in [
            (5, r#"{"a":1,"b":1}"#, [0, 0], None),
            (6, r#"{"a":2,"b":1}"#, [1, 0], None),
            (7, "", [1, 0], Some(2)),
            (9, r#"{"a":2,"b":1}"#, [3, 3], None),
        ] {
            story.take(event(position, body)).unwrap();
            assert_eq!((set(&story), story.gone), (by.to_vec(), gone));
        }
    }
}
