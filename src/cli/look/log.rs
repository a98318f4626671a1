//! `chartlog log`: the events of the log, a line each, as they were recorded and as they come.

use std::io::{self, BufRead, BufReader, Write};

use serde::Deserialize;

use super::super::{Failure, LogArguments};
use super::event::Event;
use crate::cli::ask::Asked;
use crate::cli::out::finished;

/// What comes in a stream besides events: how far it is, and why it ends.
#[derive(Deserialize)]
struct Mark {
    next: u64,
    head: u64,
    end: Option<String>,
}

/// A line of a stream.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Event(Box<Event>),
    Mark(Mark),
}

/// Prints the events that are wanted.
///
/// # Errors
///
/// [`Failure`]: they cannot be asked for, or the answer ends before the log does.
pub fn log(server: &Asked, arguments: &LogArguments) -> Result<(), Failure> {
    let patient = arguments.patient.as_ref().map(ToString::to_string);
    let mut query = vec![("include", "actor")];
    query.push(("live", if arguments.follow { "true" } else { "false" }));
    query.extend(patient.as_deref().map(|id| ("patient", id)));
    query.extend(arguments.since.as_deref().map(|since| ("since", since)));
    query.extend(arguments.actor.as_deref().map(|actor| ("actor", actor)));
    query.extend(arguments.event_type.as_deref().map(|text| (parameter(text), text)));
    if arguments.follow && arguments.since.is_none() {
        query.push(("from", "head"));
    }
    let answer = server.get("/v1/events", &query, "application/x-ndjson")?;
    let lines = BufReader::new(answer.into_body().into_reader());
    if arguments.look.json {
        copy(lines, arguments.follow, |_, line| {
            let mut out = io::stdout().lock();
            out.write_all(line).and_then(|()| out.flush())
        })
    } else {
        let mut out = anstream::stdout().lock();
        copy(lines, arguments.follow, |event, _| {
            out.write_all(event.line().as_bytes())?;
            out.flush()
        })
    }
}

/// The parameter of the feed that narrows to such a type: of resources, or of events.
fn parameter(text: &str) -> &'static str {
    let is_event = text.contains('.') || text.starts_with(|first: char| first.is_ascii_lowercase());
    if is_event { "kind" } else { "type" }
}

/// Writes the events of a stream: to the end of the log, or for ever.
fn copy(
    mut lines: impl BufRead,
    is_live: bool,
    mut write: impl FnMut(&Event, &[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let (mut line, mut shown) = (Vec::new(), 0);
    let broke = |shown: u64, why: &str| {
        Failure::failed(format!("the answer broke off, {shown} events were shown: {why}"))
    };
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line);
        read.map_err(|error| broke(shown, &error.to_string()))?;
        if !line.ends_with(b"\n") {
            return Err(broke(shown, "it has no end"));
        }
        let read = serde_json::from_slice(&line);
        match read.map_err(|error| broke(shown, &format!("a line is not of a feed: {error}")))? {
            Line::Event(event) => {
                let written = write(&event, &line);
                if written.is_err() {
                    return finished(written);
                }
                shown += 1;
            }
            Line::Mark(Mark { next, head, end: Some(_) }) if next == head && !is_live => {
                return Ok(());
            }
            Line::Mark(Mark { next, end: Some(why), .. }) => {
                return Err(broke(shown, &format!("{why}; it would go on at position {next}")));
            }
            Line::Mark(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(lines: &str, is_live: bool) -> Result<Vec<u64>, String> {
        let mut positions = Vec::new();
        let copied = copy(lines.as_bytes(), is_live, |event, _| {
            positions.push(event.position);
            Ok(())
        });
        copied.map(|()| positions).map_err(|failure| failure.message)
    }

    #[test]
    fn a_log_is_whole_or_said_not_to_be() {
        let event = r#"{"position":1,"recordedAt":"T","type":"chart.erased","endsCommit":true}"#;
        let end = r#"{"next":2,"head":2,"end":"the end of the log was reached"}"#;
        let mark = r#"{"next":2,"head":9}"#;
        let whole = format!("{event}\n{mark}\n{end}\n");
        assert_eq!(copied(&whole, false), Ok(vec![1]));
        assert!(copied(&whole, true).unwrap_err().contains("the end of the log"));
        let late = r#"{"next":2,"head":9,"end":"the token has expired"}"#;
        let said = copied(&format!("{event}\n{late}\n"), false).unwrap_err();
        assert!(said.contains("1 events") && said.contains("expired"), "{said}");
        assert!(said.contains("position 2"), "{said}");
        for broken in [event.to_owned(), format!("{event}\n"), "<html>\n".to_owned()] {
            assert!(copied(&broken, false).unwrap_err().contains("broke off"), "{broken}");
        }
    }

    #[test]
    fn a_type_is_of_resources_or_of_events() {
        for (text, expected) in
            [("Observation", "type"), ("Observation.amended", "kind"), ("removed", "kind")]
        {
            assert_eq!(parameter(text), expected);
        }
    }
}
