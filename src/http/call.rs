//! A request as a handler sees it: decoded, bounded, and with its grant.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::HttpRequest;
use tokio::sync::OnceCell;

use super::body::Body;
use super::heavy::Place;
use super::lists::listed;
use super::prefer::preferred;
use super::query::{allow_parameters, decoded, parameter};
use super::rendering::Rendering;
use super::sending::Reading;
use super::state::State;
use super::{Failure, Fault};
use crate::auth::Grant;
use crate::chart::Upcasters;
use crate::clock::Instant;
use crate::engine::{Engine, Settled};
use crate::feed::subscriptions::Subscriptions;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::issuers::Directory;
use crate::issuing::Issuing;
use crate::json::Document;
use crate::numbers::ResourceVersion;
use crate::records::{INLINE_BYTES_MAX, Records, RecordsError};

/// One request that has passed the gate.
#[derive(Debug)]
pub struct Call {
    pub(super) state: Arc<State>,
    /// The store, now or at the moment that all of this request's reads are to see.
    pub(super) records: Arc<Records>,
    /// What it may see, and the duty to record what it saw.
    pub grant: Arc<Grant>,
    pub(super) asked: Asked,
    /// The query, decoded, in its order; on the FHIR API without what says how to write the answer.
    pub query: Vec<(String, String)>,
    /// How the answer is to be written; the gate does that.
    pub rendering: Rendering,
    pub(super) body: Body,
    /// Its place among the requests that take much, once it has turned out to be one of them: one
    /// for all entries of a Bundle.
    pub(super) place: Arc<OnceCell<Place>>,
}

/// What holds the path and the headers.
#[derive(Debug)]
pub(super) enum Asked {
    /// The HTTP request itself.
    Request(HttpRequest),
    /// The HTTP request that goes on as a WebSocket, and the subprotocol that was agreed on.
    Socket(HttpRequest, Option<String>),
    /// An entry of a Bundle.
    Entry {
        /// The named parts of its path.
        segments: Vec<(&'static str, String)>,
        /// The members of its request other than method and url, under the names of headers.
        headers: Vec<(&'static str, String)>,
    },
}

/// A request that needs no token: there is no grant, so nothing that asks for one can be reached.
#[derive(Debug)]
pub struct OpenCall {
    pub(super) state: Arc<State>,
    pub(super) request: HttpRequest,
    /// The query, decoded, in its order.
    pub(super) query: Vec<(String, String)>,
    /// How the answer is to be written.
    pub(super) rendering: Rendering,
}

/// Whether a request is of the FHIR API.
pub(super) fn is_fhir(request: &HttpRequest) -> bool {
    request.path().starts_with("/fhir")
}

impl OpenCall {
    pub(super) fn new(state: Arc<State>, request: HttpRequest) -> Result<Self, Failure> {
        let mut query = decoded(request.query_string())?;
        let mut rendering = Rendering::default();
        if is_fhir(&request) {
            rendering = Rendering::of(&request, &mut query)?;
            rendering.check()?;
        }
        Ok(Self { state, request, query, rendering })
    }

    /// Base URL of the FHIR API, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.state.fhir_base
    }

    /// Where clients get tokens.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.state.options.issuers
    }

    /// What gives tokens here, if anything does.
    #[must_use]
    pub fn issuing(&self) -> Option<&Issuing> {
        self.state.options.issuing.as_deref()
    }

    /// Whether clients can show a certificate to which tokens are bound.
    #[must_use]
    pub fn asks_for_certificates(&self) -> bool {
        self.state.options.tls.as_ref().is_some_and(|tls| tls.asks_clients())
    }

    /// The engine: what is open to everybody needs no grant.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.state.records.engine()
    }

    /// The path as it was sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.request.path()
    }

    /// A named part of the path.
    #[must_use]
    pub fn segment(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// As [`Call::parameter`].
    ///
    /// # Errors
    ///
    /// 400.
    pub fn parameter<T: FromStr>(&self, name: &str, must_be: &str) -> Result<Option<T>, Failure> {
        parameter(&self.query, name, must_be)
    }

    /// As [`Call::allow_parameters`].
    ///
    /// # Errors
    ///
    /// 400.
    pub fn allow_parameters(&self, allowed: &[&str]) -> Result<(), Failure> {
        allow_parameters(&self.query, allowed)
    }
}

impl Call {
    /// The store.
    #[must_use]
    pub fn records(&self) -> &Arc<Records> {
        &self.records
    }

    /// How old events are told in today's terms.
    #[must_use]
    pub fn upcasters(&self) -> &Arc<Upcasters> {
        self.state.records.engine().upcasters()
    }

    /// Who is sent what comes.
    #[must_use]
    pub fn subscriptions(&self) -> &Arc<Subscriptions> {
        &self.state.subscriptions
    }

    /// Waits until no event can be recorded any more at a moment, or before it.
    ///
    /// # Errors
    ///
    /// 503.
    pub async fn settled(&self, moment: Instant) -> Result<Settled, Failure> {
        Ok(self.records.settled(moment).await?)
    }

    /// Server-wide limits and names.
    #[must_use]
    pub fn options(&self) -> &super::ServerOptions {
        &self.state.options
    }

    /// Base URL of the FHIR API, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.state.fhir_base
    }

    /// A named part of the path.
    #[must_use]
    pub fn segment(&self, name: &str) -> &str {
        match &self.asked {
            Asked::Request(request) | Asked::Socket(request, _) => {
                request.match_info().get(name).unwrap_or_default()
            }
            Asked::Entry { segments, .. } => named(segments, name).unwrap_or_default(),
        }
    }

    /// The resource type in the path.
    ///
    /// # Errors
    ///
    /// 404: FHIR R4 has no such type.
    pub fn kind(&self) -> Result<ResourceType, Failure> {
        self.segment("type")
            .parse()
            .map_err(|error| Failure::of(Fault::UnknownType, format!("{error}")))
    }

    /// The id in the path.
    ///
    /// # Errors
    ///
    /// 400: it breaks FHIR's rule for ids.
    pub fn id(&self) -> Result<ResourceId, Failure> {
        self.segment("id").parse().map_err(|error| Failure::of(Fault::Invalid, format!("{error}")))
    }

    /// The resource named by the path.
    ///
    /// # Errors
    ///
    /// As [`Call::kind`] and [`Call::id`].
    pub fn key(&self) -> Result<ResourceKey, Failure> {
        Ok(ResourceKey::new(self.kind()?, self.id()?))
    }

    /// The version in the path.
    ///
    /// # Errors
    ///
    /// 404: this server gives out numbers only.
    pub fn version(&self) -> Result<ResourceVersion, Failure> {
        let text = self.segment("version");
        ResourceVersion::named(text).ok_or_else(|| {
            let detail = format!("there is no version \"{text}\": versions are numbers, from 1 on");
            Failure::of(Fault::NotFound, detail)
        })
    }

    /// A header's text; empty headers count as absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let text = match &self.asked {
            Asked::Request(request) | Asked::Socket(request, _) => {
                request.headers().get(name)?.to_str().ok()
            }
            Asked::Entry { headers, .. } => named(headers, name),
        };
        text.map(str::trim).filter(|text| !text.is_empty())
    }

    /// The text of a header on which depends what a write does.
    ///
    /// # Errors
    ///
    /// 400: it comes more than once, or is not text.
    pub fn only_header(&self, name: &str) -> Result<Option<&str>, Failure> {
        let (Asked::Request(request) | Asked::Socket(request, _)) = &self.asked else {
            return Ok(self.header(name));
        };
        let mut lines = request.headers().get_all(name);
        let wrong = |why: &str| Failure::at(IssueCode::Value, name, why);
        let Some(line) = lines.next() else { return Ok(None) };
        if lines.next().is_some() {
            return Err(wrong("may be given once"));
        }
        let text = std::str::from_utf8(line.as_bytes()).map_err(|_| wrong("is not UTF-8"))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    /// The text of a header that is a list, on however many lines it came.
    #[must_use]
    pub fn list_header(&self, name: &str) -> Option<Cow<'_, str>> {
        match &self.asked {
            Asked::Request(request) | Asked::Socket(request, _) => listed(request.headers(), name),
            Asked::Entry { headers, .. } => named(headers, name).map(Cow::Borrowed),
        }
    }

    /// The one value of a query parameter.
    ///
    /// # Errors
    ///
    /// 400: it occurs twice, or is not what it must be.
    pub fn parameter<T: FromStr>(&self, name: &str, must_be: &str) -> Result<Option<T>, Failure> {
        parameter(&self.query, name, must_be)
    }

    /// Refuses query parameters outside a list, naming them all.
    ///
    /// # Errors
    ///
    /// 400.
    pub fn allow_parameters(&self, allowed: &[&str]) -> Result<(), Failure> {
        allow_parameters(&self.query, allowed)
    }

    /// The same of a read, from which [lenient](Self::is_lenient) clients get the answer without them.
    ///
    /// # Errors
    ///
    /// 400.
    pub fn allow_parameters_of_read(&self, allowed: &[&str]) -> Result<(), Failure> {
        if self.is_lenient() { Ok(()) } else { self.allow_parameters(allowed) }
    }

    /// Whether the client lets a read or search go on without the parameters that are not known or
    /// not supported: FHIR R4 §3.1.1.2.
    #[must_use]
    pub fn is_lenient(&self) -> bool {
        self.preferred("handling").is_some_and(|way| way.eq_ignore_ascii_case("lenient"))
    }

    /// The value of a preference of the client's, known or not.
    #[must_use]
    pub fn preferred(&self, name: &str) -> Option<String> {
        preferred(&self.list_header("prefer")?, name)
    }

    /// The body as JSON. Large bodies are parsed on the blocking pool.
    ///
    /// # Errors
    ///
    /// 400 with line and column; 503.
    pub async fn json(&mut self) -> Result<Arc<Document>, Failure> {
        let body = self.take_body();
        let parsed = if body.len() <= INLINE_BYTES_MAX {
            Document::parse(body)
        } else {
            self.take_place().await?;
            actix_web::web::block(move || Document::parse(body))
                .await
                .map_err(|_| Failure::internal())?
        };
        parsed.map(Arc::new).map_err(|error| {
            Failure::invalid(vec![Problem {
                code: IssueCode::Structure,
                expression: format!("line {}, column {}", error.line, error.column),
                diagnostics: format!("the body is not acceptable JSON: {}", error.problem),
            }])
        })
    }

    /// Runs a large read on the blocking pool.
    ///
    /// # Errors
    ///
    /// The store's; 503 when too many requests take much already.
    pub async fn aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Records, &Grant) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.take_place().await?;
        let (records, grant) = (Arc::clone(self.records()), Arc::clone(&self.grant));
        let result = actix_web::web::block(move || read(&records, &grant)).await;
        Ok(result.map_err(|_| Failure::internal())??)
    }

    /// Takes a place among the requests that take much, and keeps it to the end. The time of its budget
    /// begins when it has one.
    ///
    /// # Errors
    ///
    /// 503: too many wait for one.
    pub async fn take_place(&self) -> Result<(), Failure> {
        let enter = || async {
            let place = self.state.heavy.enter().await?;
            self.grant.budget().renew();
            Ok(place)
        };
        self.place.get_or_try_init(enter).await.map(drop)
    }

    /// What reads the further parts of the answer.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let (state, records) = (Arc::clone(&self.state), Arc::clone(&self.records));
        Reading { state, records, grant: Arc::clone(&self.grant) }
    }

    /// Whether it is an entry of a Bundle, whose answer is one part of another.
    #[must_use]
    pub fn is_entry(&self) -> bool {
        matches!(self.asked, Asked::Entry { .. })
    }

    /// Whether the answer goes out as the messages of a WebSocket, one for each of its lines.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        matches!(self.asked, Asked::Socket(..))
    }

    /// The subprotocol of that WebSocket, if one was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        match &self.asked {
            Asked::Socket(_, subprotocol) => subprotocol.as_deref(),
            Asked::Request(_) | Asked::Entry { .. } => None,
        }
    }

    /// Bytes of the body, until [`Call::json`] has taken it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body.bytes
    }

    /// The same, to keep.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body.bytes)
    }
}

fn named<'a>(list: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
    list.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
}
