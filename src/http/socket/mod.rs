//! Requests that go on as a WebSocket (RFC 6455): the same gate for answers that go out message by message.
//!
//! In: a request for the upgrade. Who can set headers sends a token with it, and is refused as any request is. A
//! browser cannot: it says in its first message who it is and what it wants, and is refused by a message and a code.
//! Out: each line of the answer as a message, pulled as any answer in parts is, so a reader of any slowness holds the
//! memory of one part.
//!
//! Nothing that a browser sends by itself, such as a cookie, opens anything here: a page of another site has no token to
//! say, so where a page comes from (`Origin`) need not be asked.

mod conversation;
mod first;
mod frames;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::AggregatedMessageStream;
use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;

use self::conversation::Conversation;
use self::first::Introduction;
use super::body::Body;
use super::call::Asked;
use super::gate;
use super::passage::Passage;
use super::query::{decoded, joined};
use super::rendering::Rendering;
use super::state::State;
use super::visit::{Operation, Visit};
use super::{Call, Failure, Fault, Reply};
use crate::auth::Caller;

/// Largest message of a client, in bytes: as the head of a request, which says the same.
const MESSAGE_BYTES_MAX: usize = 131_072;
/// Subprotocols of which one may be agreed on: each message is a CloudEvent (CloudEvents 1.0.2, WebSockets protocol
/// binding).
const SUBPROTOCOLS: [&str; 1] = [CLOUD_EVENTS];
/// That of CloudEvents in JSON.
pub const CLOUD_EVENTS: &str = "cloudevents.json";

/// Names and values, as of a query.
type Pairs = Vec<(String, String)>;

/// Whether a request asks to go on as a WebSocket.
pub fn is_asked(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get("upgrade").and_then(|value| value.to_str().ok());
    let is_socket = |upgrade: &str| upgrade.trim().eq_ignore_ascii_case("websocket");
    *request.method() == Method::GET && upgrade.is_some_and(is_socket)
}

/// What the first message of a client has to be that could set no headers.
#[derive(Debug, Clone, Copy)]
pub enum Opening {
    /// An object with its token and what else a query would say.
    Request,
    /// `bind-with-token` and a token that was given for some Subscriptions (Subscriptions R5 Backport, websocket).
    Binding,
}

/// Runs one request that asks for a WebSocket through the gate.
pub async fn pass<F>(
    state: Arc<State>,
    operation: Operation,
    request: HttpRequest,
    payload: web::Payload,
    opening: Opening,
    handler: impl FnOnce(Call) -> F + 'static,
) -> HttpResponse
where
    F: Future<Output = Result<Reply, Failure>> + 'static,
{
    let started = Stopwatch::now();
    let visit = Visit::of(&state, operation, &request);
    let mut passage = Passage::new(state, visit);
    let (response, body) = match Upgrade::of(&passage, request, payload).await {
        Ok(Upgrade { response, caller: Some(caller), wanted, ends }) => {
            let call = wanted.call(&mut passage, caller, Vec::new());
            let reply = passage.end(handler(call).await).await;
            if !reply.status.is_success() {
                return answered(&passage.visit, reply, started);
            }
            (response, Conversation::new(passage, reply, ends).bytes().boxed_local())
        }
        Ok(Upgrade { response, caller: None, wanted, mut ends }) => {
            let places = Arc::clone(&passage.state.stranger_sockets);
            let Ok(place) = places.try_acquire_owned() else {
                let detail = "too many have not said yet who they are: try again";
                let reply = passage.end(Err(Failure::of(Fault::Busy, detail))).await;
                return answered(&passage.visit, reply, started);
            };
            let opened = async move {
                let said = introduction(&passage, opening, &mut ends).await;
                drop(place);
                let result = match said {
                    Ok((caller, said)) => handler(wanted.call(&mut passage, caller, said)).await,
                    Err(failure) => Err(failure),
                };
                let reply = passage.end(result).await;
                Conversation::new(passage, reply, ends).bytes()
            };
            (response, stream::once(opened).flatten().boxed_local())
        }
        Err(failure) => {
            let reply = passage.end(Err(failure)).await;
            return answered(&passage.visit, reply, started);
        }
    };
    response.set_body(BodyStream::new(body)).map_into_boxed_body()
}

/// An answer instead of the upgrade.
fn answered(visit: &Visit, reply: Reply, started: Stopwatch) -> HttpResponse {
    gate::tell(visit, &reply, started);
    gate::headed(visit, &reply).body(reply.body.bytes)
}

/// A request for an upgrade that can be had.
struct Upgrade {
    response: HttpResponse<()>,
    /// Who asks, if that is known already.
    caller: Option<Arc<Caller>>,
    wanted: Wanted,
    ends: Ends,
}

/// What the request says.
struct Wanted {
    request: HttpRequest,
    query: Pairs,
    subprotocol: Option<String>,
}

/// The two directions of a WebSocket.
struct Ends {
    /// What comes from the client.
    incoming: AggregatedMessageStream,
    /// While it is there, the library takes the connection for open.
    _outgoing: BoxBody,
}

impl Upgrade {
    async fn of(
        passage: &Passage,
        request: HttpRequest,
        payload: web::Payload,
    ) -> Result<Self, Failure> {
        let caller = match request.headers().contains_key("authorization") {
            true => Some(gate::authenticate(passage, request.headers()).await?),
            false => {
                passage.state.rates.address(passage.visit.client())?;
                None
            }
        };
        let query = decoded(request.query_string())?;
        let (response, _, incoming) =
            actix_ws::handle_with_protocols(&request, payload, &SUBPROTOCOLS).map_err(|error| {
                Failure::of(Fault::Invalid, format!("this is no request for a WebSocket: {error}"))
            })?;
        let (mut response, outgoing) = response.into_parts();
        let agreed = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
        let subprotocol = agreed.and_then(|name| name.to_str().ok()).map(str::to_owned);
        for (name, value) in passage.visit.headers() {
            // They were taken from headers, or are digits and letters.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        let incoming = incoming.max_frame_size(MESSAGE_BYTES_MAX).aggregate_continuations();
        let incoming = incoming.max_continuation_size(MESSAGE_BYTES_MAX);
        let wanted = Wanted { request, query, subprotocol };
        Ok(Self { response, caller, wanted, ends: Ends { incoming, _outgoing: outgoing } })
    }
}

impl Wanted {
    /// The same as a request of somebody who is known, and has said more.
    fn call(self, passage: &mut Passage, caller: Arc<Caller>, said: Pairs) -> Call {
        if !said.is_empty() {
            passage.visit.add_form(&joined(said.iter()));
        }
        Call {
            state: Arc::clone(&passage.state),
            records: Arc::clone(&passage.state.records),
            grant: passage.admit(caller),
            asked: Asked::Socket(self.request, self.subprotocol),
            query: [self.query, said].concat(),
            rendering: Rendering::default(),
            body: Body::default(),
            place: Arc::default(),
        }
    }
}

/// Who it is, and what else the first message says. It has as much time as the head of a request.
async fn introduction(
    passage: &Passage,
    opening: Opening,
    ends: &mut Ends,
) -> Result<(Arc<Caller>, Pairs), Failure> {
    let state = &passage.state;
    let patience = Duration::from_millis(state.options.limits.client_request_timeout_ms);
    let read = timeout(patience, first::message(&mut ends.incoming)).await;
    let late = |_| Failure::of(Fault::Timeout, "nothing was said in time about who it is");
    let message = read.map_err(late)??;
    match opening {
        Opening::Request => {
            let Introduction { token, said } = Introduction::read(message.as_bytes())?;
            Ok((gate::verified(passage, &token).await?, said))
        }
        Opening::Binding => {
            let ticket = state.subscriptions.kept().redeem(first::binding_token(&message)?);
            let bad = "the binding token is unknown, was used, or has expired: ask for another";
            let ticket = ticket.ok_or_else(|| Failure::of(Fault::BadToken, bad))?;
            let id = |id: String| ("id".to_owned(), id);
            Ok((ticket.caller, ticket.ids.into_iter().map(id).collect()))
        }
    }
}
