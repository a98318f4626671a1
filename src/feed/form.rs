//! The forms in which events leave: as this server tells them, or as CloudEvents 1.0 in JSON; on a page,
//! on a line each, or as Server-Sent Events.

use std::fmt::Write as _;

use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::json::quote;
use crate::numbers::Position;
use crate::records::LogEvent;

/// How events stand behind each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Separated by commas: what is around them makes a page of them.
    List,
    /// Each on a line.
    Lines,
    /// `text/event-stream`, as the HTML standard says.
    Sse,
}

/// The form in which events leave.
#[derive(Debug, Clone)]
pub struct Form {
    /// How they stand behind each other.
    pub framing: Framing,
    /// The `source` of CloudEvents; `None`: as this server tells events.
    pub cloud_source: Option<String>,
}

impl Form {
    /// What distinguishes it from other forms.
    #[must_use]
    pub fn name(&self) -> String {
        let framing = match self.framing {
            Framing::List => "list",
            Framing::Lines => "lines",
            Framing::Sse => "sse",
        };
        match &self.cloud_source {
            Some(source) => format!("{framing} of CloudEvents from {source}"),
            None => framing.to_owned(),
        }
    }
}

/// Writes events in a form.
#[derive(Debug)]
pub struct Pen<'a> {
    form: &'a Form,
    out: Vec<u8>,
    events: usize,
    /// The time that was written last, and its text: neighbours have the same.
    time: (Instant, String),
}

impl<'a> Pen<'a> {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(form: &'a Form) -> Self {
        let start = Instant::from_micros(0);
        Self { form, out: Vec::new(), events: 0, time: (start, start.to_string()) }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Writes an event. Its body is noted in the grant.
    pub fn event(&mut self, grant: &Grant, event: &LogEvent) {
        self.put(grant, event, None);
    }

    /// Writes what is short of an event, and the address where the whole of it is.
    pub fn reference(&mut self, grant: &Grant, event: &LogEvent, whole_at: &str) {
        let short = LogEvent { body: None, reason: None, ..event.clone() };
        self.put(grant, &short, Some(whole_at));
    }

    fn put(&mut self, grant: &Grant, event: &LogEvent, whole_at: Option<&str>) {
        match self.form.framing {
            Framing::List if self.events > 0 => self.out.push(b','),
            Framing::List | Framing::Lines => {}
            Framing::Sse => {
                // Who has not got all parts of an event yet resumes before it.
                if !event.goes_on {
                    self.out.extend(format!("id: {}\n", event.position).into_bytes());
                }
                let head = format!("event: {}\ndata: ", event.event_type);
                self.out.extend(head.into_bytes());
            }
        }
        self.events += 1;
        if self.time.0 != event.recorded_at {
            self.time = (event.recorded_at, event.recorded_at.to_string());
        }
        match &self.form.cloud_source {
            Some(source) => self.cloud_event(source, grant, event, whole_at),
            None => self.own_event(grant, event, whole_at),
        }
        match self.form.framing {
            Framing::List => {}
            Framing::Lines => self.out.push(b'\n'),
            Framing::Sse => self.out.extend(b"\n\n"),
        }
    }

    /// Says how far the log goes, and where a reader would go on that has seen everything up to now.
    pub fn mark(&mut self, next: Position, head: Position) {
        let mark = match (self.form.framing, &self.form.cloud_source) {
            (Framing::List, _) => return,
            // A line that is no CloudEvent would be one too many.
            (Framing::Lines, Some(_)) => "\n".to_owned(),
            (Framing::Lines, None) => format!("{{\"next\":{next},\"head\":{head}}}\n"),
            // An id without data moves the place where a reader resumes, and is dispatched to nobody.
            (Framing::Sse, _) if next > Position::default() => {
                format!(": head {head}\nid: {}\n\n", next.previous())
            }
            (Framing::Sse, _) => format!(": head {head}\n\n"),
        };
        self.out.extend(mark.into_bytes());
    }

    /// The same at the end of an answer, and why it ends here.
    pub fn end(&mut self, next: Position, head: Position, reason: &str) {
        match (self.form.framing, &self.form.cloud_source) {
            (Framing::List, _) | (Framing::Lines, Some(_)) => {}
            (Framing::Lines, None) => {
                let reason = quote(reason);
                let end = format!("{{\"next\":{next},\"head\":{head},\"end\":{reason}}}\n");
                self.out.extend(end.into_bytes());
            }
            (Framing::Sse, _) => {
                self.out.extend(format!(": {reason}\n").into_bytes());
                self.mark(next, head);
            }
        }
    }

    fn own_event(&mut self, grant: &Grant, event: &LogEvent, whole_at: Option<&str>) {
        let mut text = format!(
            "{{\"position\":{},\"recordedAt\":\"{}\",\"type\":\"{}\"",
            event.position, self.time.1, event.event_type
        );
        // Writing into memory does not fail.
        if event.part > 0 {
            let _ = write!(text, ",\"part\":{}", event.part);
        }
        if let Some(chart) = event.chart {
            let _ = write!(text, ",\"chart\":\"{chart}\"");
        }
        if let Some(patient) = &event.patient {
            let _ = write!(text, ",\"patient\":\"{patient}\"");
        }
        if let Some(version) = event.chart_version {
            let _ = write!(text, ",\"version\":{version}");
        }
        if let Some(resource) = &event.resource {
            let _ =
                write!(text, ",\"resource\":\"{resource}\",\"versionId\":\"{}\"", event.version);
        }
        if let Some(reason) = &event.reason {
            let _ = write!(text, ",\"reason\":{}", quote(reason));
        }
        if event.leaves {
            text.push_str(",\"leaves\":true");
        }
        let _ = write!(text, ",\"endsCommit\":{}", event.ends_commit);
        if let Some(whole_at) = whole_at {
            let _ = write!(text, ",\"wholeAt\":{}", quote(whole_at));
        }
        if let Some(actor) = &event.actor {
            // Strings alone: this serialisation cannot fail.
            let actor = serde_json::to_string(actor).unwrap_or_default();
            let _ = write!(text, ",\"actor\":{actor}");
        }
        self.out.extend(text.into_bytes());
        if let Some(body) = &event.body {
            self.out.extend(b",\"body\":");
            self.out.extend(body.bytes(grant));
        }
        if let Some(payload) = &event.payload {
            let payload = quote(&String::from_utf8_lossy(payload));
            self.out.extend(format!(",\"payload\":{payload}").into_bytes());
        }
        self.out.push(b'}');
    }

    /// CloudEvents 1.0.2, JSON format 1.0.2; names of extension attributes are lower case.
    fn cloud_event(
        &mut self,
        source: &str,
        grant: &Grant,
        event: &LogEvent,
        whole_at: Option<&str>,
    ) {
        let position = event.position.get();
        let mut text = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":{},\"type\":\"chartlog.{}\",\
             \"time\":\"{}\",\"sequence\":\"{position:020}\"",
            event.id(),
            quote(source),
            event.event_type,
            self.time.1
        );
        let of_patient = event.patient.as_ref();
        let of_patient = of_patient.map(|patient| format!("{}/{patient}", ResourceType::PATIENT));
        if let Some(subject) = event.resource.as_ref().or(of_patient.as_ref()) {
            let _ = write!(text, ",\"subject\":\"{subject}\"");
        }
        if let Some(chart) = event.chart {
            let _ = write!(text, ",\"partitionkey\":\"{chart}\"");
        }
        if let Some(patient) = &event.patient {
            let _ = write!(text, ",\"patient\":\"{patient}\"");
        }
        if let Some(version) = event.chart_version {
            // Integers of CloudEvents have 32 bits.
            let _ = write!(text, ",\"chartversion\":\"{version}\"");
        }
        if event.resource.is_some() {
            let _ = write!(text, ",\"versionid\":\"{}\"", event.version);
        }
        if let Some(reason) = &event.reason {
            let _ = write!(text, ",\"reason\":{}", quote(reason));
        }
        if event.leaves {
            text.push_str(",\"leaves\":true");
        }
        if let Some(actor) = &event.actor {
            let _ = write!(text, ",\"actor\":{}", quote(&actor.subject));
        }
        let _ = write!(text, ",\"endscommit\":{}", event.ends_commit);
        if let Some(whole_at) = whole_at {
            // The extension Dataref of CloudEvents.
            let _ = write!(text, ",\"dataref\":{}", quote(whole_at));
        }
        self.out.extend(text.into_bytes());
        if let Some(body) = &event.body {
            self.out.extend(b",\"datacontenttype\":\"application/fhir+json\",\"data\":");
            self.out.extend(body.bytes(grant));
        }
        self.out.push(b'}');
    }
}
