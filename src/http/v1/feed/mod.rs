//! The feed: `GET /v1/events`, the whole log in its order, as pages, lines, Server-Sent Events or messages of a WebSocket.

pub mod one;
mod stream;

use std::str::FromStr;

use actix_web::http::StatusCode;

use super::super::accept::Accept;
use super::super::paging::page_size;
use super::super::query::parameter;
use super::super::reply::JSON;
use super::super::socket::CLOUD_EVENTS;
use super::super::{Call, Failure, Fault, Reply, shapes};
use super::events::Actor;
use super::instant;
use crate::clock::Instant;
use crate::feed::{Follower, Form, Framing, Pen, filter};
use crate::fhir::check::{IssueCode, PROBLEMS_MAX, Problem};
use crate::numbers::Position;
use crate::records::{BatchLimits, LogFilter, PAGE_BYTES_MAX};

const SSE: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";
const CLOUD: &str = "application/cloudevents+json";
const CLOUD_BATCH: &str = "application/cloudevents-batch+json";

/// The events of the whole log, in its order: those that the token reaches, from any position on. By `Accept` a page,
/// or a stream that goes on live; by Upgrade, a WebSocket.
#[utoipa::path(get, path = "/v1/events", operation_id = "followEvents", tag = "feed",
    params(
        ("after" = Option<u64>, Query, description = "Behind this position: that of the last event that was seen"),
        ("from" = Option<String>, Query, description = "From this position on: next of the page before; or head, behind the last event. Without any of these: 0"),
        ("since" = Option<String>, Query, description = "From the first event on that was recorded at this instant or later"),
        ("lastEventId" = Option<u64>, Query, description = "As the header Last-Event-ID, for a first connection"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As after, and before all others: sent by browsers that connect again"),
        ("limit" = Option<u32>, Query, description = "Events that a page looks at closely; it ends with the commit that is reached then"),
        ("live" = Option<bool>, Query, description = "Whether a stream goes on when it has reached the end of the log: if left out, only text/event-stream does"),
        ("kind" = Option<String>, Query, description = "Only these kinds of event, separated by commas", example = "Observation.recorded,chart.erased"),
        ("type" = Option<String>, Query, description = "Only about resources of these types, separated by commas", example = "Observation,Condition"),
        ("patient" = Option<String>, Query, description = "Only in the chart of this patient"),
        ("criteria" = Option<String>, Query, description = "Only about resources that this search would find, with the event or until then. May be given several times: one must match", example = "Observation?code=8867-4"),
        ("actor" = Option<String>, Query, description = "Only caused by this subject"),
        ("include" = Option<String>, Query, description = "resource: with what the chart holds from the event on; actor: with who caused it; or both, separated by a comma")),
    responses(
        (status = 101, description = "The request asked for a WebSocket. Its messages are those of a stream of lines; with Sec-WebSocket-Protocol: cloudevents.json, CloudEvents. Without the header Authorization, the first message of the client is an object with a token and any of these parameters; a refusal is then a message with problem details, and a close code of 4000 and the status. docs/feed.md says more"),
        (status = 200, description = "A page; or, by Accept, application/x-ndjson or text/event-stream, each also with CloudEvents 1.0 if application/cloudevents+json is named too; or application/cloudevents-batch+json. docs/feed.md says more", content_type = "application/json", body = FeedPage),
        (status = 400, description = "Not a valid request; all that is wrong is named"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "No such chart"),
        (status = 406, description = "In none of these forms"), (status = 503, description = "Too many follow the log already")))]
pub async fn follow(call: Call) -> Result<Reply, Failure> {
    let answer = match call.is_socket() {
        true => Answer::over_socket(call.subprotocol()),
        false => Answer::of(call.list_header("accept").as_deref())?,
    };
    let asked = Asked::of(&call, answer)?;
    let sight = call.records().sight(&call.grant, asked.filter)?;
    let mut follower = Follower::new(call.records(), sight, Position::default());
    let head = follower.head();
    follower.next = match asked.begin {
        Begin::At(position) => position,
        Begin::Since(moment) => call.records().position_at(moment)?.min(head),
        Begin::Head => head,
    };
    if follower.next > head {
        let diagnostics = format!(
            "the log has {head} events so far: a reader who was further has followed another log, or this one \
             before it was restored from an older backup"
        );
        return Err(Failure::at(IssueCode::Value, "from", diagnostics));
    }
    let form = answer.form(&call);
    match form.framing {
        Framing::List => page(&call, follower, asked.limit, answer, form).await,
        Framing::Lines | Framing::Sse => {
            stream::answer(&call, follower, form, asked.is_live, answer.content_type)
        }
    }
}

/// A page of events.
#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
struct FeedPage {
    /// In the order of the log.
    events: Vec<FeedEvent>,
    /// Where the next page begins (`from`). Equal to `head`: there is no more for now.
    next: u64,
    /// Number of events in the log.
    head: u64,
}

/// One event of the log.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct FeedEvent {
    /// Its number in the whole log, from 0.
    position: u64,
    /// Of a further resource that upcasters make of the event: which one, from 1.
    part: Option<u8>,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: String,
    /// Such as Observation.amended or chart.moved-in. Of what was erased with its chart: chart.erased.
    #[schema(rename = "type")]
    event_type: String,
    /// Random name of the chart, the same in all its events; also of the chart that was erased.
    chart: Option<String>,
    /// Whose chart that is.
    patient: Option<String>,
    /// Its number in the chart, from 1.
    version: Option<u64>,
    /// Type/id of the resource it is about.
    resource: Option<String>,
    /// The resource's version from this event on.
    version_id: Option<String>,
    /// Why: of chart.held and chart.released.
    reason: Option<String>,
    /// True: the resource matched the criteria before this event, and no longer does.
    leaves: Option<bool>,
    /// True in the last event of a commit that this reader sees.
    ends_commit: bool,
    /// Who caused it, if that is included.
    actor: Option<Actor>,
    /// The resource as it is from this event on.
    #[schema(schema_with = shapes::resource, required = false)]
    body: Option<String>,
    /// The text that its frame commits to: the envelope, and behind a line feed the resource as it is stored. Of one event
    /// alone, if that is asked for.
    payload: Option<String>,
}

async fn page(
    call: &Call,
    follower: Follower,
    limit: usize,
    answer: Answer,
    form: Form,
) -> Result<Reply, Failure> {
    let limits = BatchLimits { events: limit, bytes: PAGE_BYTES_MAX };
    let Follower { sight, next, .. } = follower;
    let read = move |records: &crate::records::Records, grant: &crate::auth::Grant| {
        let batch = records.follow(grant, &sight, next, limits)?;
        let mut pen = Pen::new(&form);
        batch.events.iter().for_each(|event| pen.event(grant, event));
        Ok((pen.finish(), batch.next, batch.head))
    };
    let (events, next, head) = call.aside(read).await?;
    let (before, behind) = match answer.is_cloud {
        true => ("[".to_owned(), "]".to_owned()),
        false => ("{\"events\":[".to_owned(), format!("],\"next\":{next},\"head\":{head}}}")),
    };
    let body = [before.into_bytes(), events, behind.into_bytes()].concat();
    Ok(Reply::new(StatusCode::OK, answer.content_type, body)
        .header("chartlog-next", next.to_string())
        .header("chartlog-head", head.to_string()))
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    framing: Framing,
    is_cloud: bool,
    /// Whether it goes on at the end of the log, if nothing is said about that.
    is_live: bool,
    content_type: &'static str,
}

impl Answer {
    /// The form that `Accept` wants most; of two that are wanted alike, the one that streams.
    fn of(header: Option<&str>) -> Result<Self, Failure> {
        let accept = Accept::of(header);
        let is_named = |name: &str| accept.named(name).is_some_and(|quality| quality > 0);
        let forms = [
            (SSE, Framing::Sse),
            (LINES, Framing::Lines),
            (CLOUD, Framing::Lines),
            (CLOUD_BATCH, Framing::List),
            (JSON, Framing::List),
        ];
        // CloudEvents beside a form that holds them say what is in it.
        let is_within = |name: &str| name == CLOUD && (is_named(SSE) || is_named(LINES));
        let named = forms.iter().rev().filter(|(name, _)| is_named(name) && !is_within(name));
        let best = named.max_by_key(|(name, _)| accept.named(name));
        match best {
            Some((content_type, framing)) => {
                let is_cloud = match *content_type {
                    SSE | LINES => is_named(CLOUD),
                    name => name != JSON,
                };
                let is_live = *framing == Framing::Sse;
                Ok(Self { framing: *framing, is_cloud, is_live, content_type })
            }
            None if accept.quality(JSON) > 0 => {
                let (framing, content_type) = (Framing::List, JSON);
                Ok(Self { framing, is_cloud: false, is_live: false, content_type })
            }
            None => {
                let names: Vec<&str> = forms.iter().map(|(name, _)| *name).collect();
                let detail = format!("Accept names none of {}", names.join(", "));
                Err(Failure::of(Fault::NotAcceptable, detail))
            }
        }
    }

    /// What a line holds is a message of its own; who opens a socket wants to wait on it.
    fn over_socket(subprotocol: Option<&str>) -> Self {
        let is_cloud = subprotocol == Some(CLOUD_EVENTS);
        Self { framing: Framing::Lines, is_cloud, is_live: true, content_type: LINES }
    }

    fn form(self, call: &Call) -> Form {
        let source = || format!("{}/v1/events", call.options().public_url);
        Form { framing: self.framing, cloud_source: self.is_cloud.then(source) }
    }
}

/// What a request asks for.
struct Asked {
    filter: LogFilter,
    begin: Begin,
    limit: usize,
    is_live: bool,
}

impl Asked {
    fn of(call: &Call, answer: Answer) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let allowed = [
            "after",
            "from",
            "since",
            "lastEventId",
            "limit",
            "live",
            "kind",
            "type",
            "patient",
            "criteria",
            "actor",
            "include",
        ];
        kept(call.allow_parameters(&allowed), &mut problems);
        let limit = kept(page_size(call, "limit"), &mut problems).unwrap_or(1);
        let live: Option<bool> = value(call, "live", "true or false", &mut problems);
        let is_page = answer.framing == Framing::List;
        let is_given = |name: &str| call.query.iter().any(|(known, _)| known == name);
        let mut wrong = |name: &str, diagnostics: String| {
            let expression = name.to_owned();
            problems.push(Problem { code: IssueCode::Value, expression, diagnostics });
        };
        if is_page && live == Some(true) {
            wrong("live", format!("a page is not live: ask for {SSE} or {LINES}"));
        }
        if !is_page && is_given("limit") {
            wrong("limit", "is for pages".to_owned());
        }
        let begin = place(call, &mut problems);
        let parameters = call.records().parameters();
        let filter = filter(&parameters, &call.query, Some(call.base_url()));
        let filter = filter.unwrap_or_else(|more| {
            problems.extend(more);
            LogFilter::default()
        });
        if !problems.is_empty() {
            problems.truncate(PROBLEMS_MAX);
            return Err(Failure::invalid(problems));
        }
        let is_live = live.unwrap_or(answer.is_live);
        Ok(Self { filter, begin, limit, is_live })
    }
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy)]
enum Begin {
    At(Position),
    /// At the first event that was recorded then or later.
    Since(Instant),
    /// Behind the last event.
    Head,
}

fn place(call: &Call, problems: &mut Vec<Problem>) -> Begin {
    let number = "a position: a whole number, 0 or more";
    let after: Option<Position> = value(call, "after", number, problems);
    let last: Option<Position> = value(call, "lastEventId", number, problems);
    let from: Option<Begin> = value(call, "from", "a position, or head", problems);
    let since: Option<String> = value(call, "since", "an instant", problems);
    let since = since.and_then(|text| kept(instant(&text, "since"), problems));
    let given = ["after", "lastEventId", "from", "since"];
    let given = given.iter().filter(|name| call.query.iter().any(|(known, _)| known == **name));
    if given.count() > 1 {
        let diagnostics = "give one of after, from, since and lastEventId".to_owned();
        let expression = "from".to_owned();
        problems.push(Problem { code: IssueCode::Value, expression, diagnostics });
    }
    // A browser that connects again repeats its query.
    if let Some(text) = call.header("last-event-id") {
        let last: Result<Position, _> = text.parse();
        if last.is_err() {
            let diagnostics = format!("must be {number}");
            let expression = "Last-Event-ID".to_owned();
            problems.push(Problem { code: IssueCode::Value, expression, diagnostics });
        }
        return Begin::At(last.unwrap_or_default().next());
    }
    match (after.or(last), from) {
        (Some(seen), _) => Begin::At(seen.next()),
        (None, Some(from)) => from,
        (None, None) => since.map_or(Begin::At(Position::default()), Begin::Since),
    }
}

/// A position, or `head`.
impl FromStr for Begin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "head" => Ok(Self::Head),
            number => number.parse().map(Self::At).map_err(|_| ()),
        }
    }
}

fn value<T: FromStr>(
    call: &Call,
    name: &str,
    must_be: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    kept(parameter(&call.query, name, must_be), problems).flatten()
}

fn kept<T>(result: Result<T, Failure>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|failure| problems.extend(failure.problems)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_what_is_wanted_most() {
        for (header, expected) in [
            (None, Some((JSON, false))),
            (Some("*/*"), Some((JSON, false))),
            (Some("application/json"), Some((JSON, false))),
            (Some("text/event-stream"), Some((SSE, false))),
            (Some("text/event-stream, */*;q=0.1"), Some((SSE, false))),
            (Some("application/x-ndjson"), Some((LINES, false))),
            (Some("application/x-ndjson;q=0.5, application/json"), Some((JSON, false))),
            (Some("application/cloudevents+json"), Some((CLOUD, true))),
            (Some("application/cloudevents+json, text/event-stream"), Some((SSE, true))),
            (Some("application/x-ndjson, application/cloudevents+json"), Some((LINES, true))),
            (Some("application/cloudevents-batch+json"), Some((CLOUD_BATCH, true))),
            (Some("text/html"), None),
            (Some("text/event-stream;q=0"), None),
        ] {
            let answer = Answer::of(header).ok();
            let told = answer.map(|answer| (answer.content_type, answer.is_cloud));
            assert_eq!(told, expected, "{header:?}");
        }
    }
}
