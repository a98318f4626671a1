//! A table of routes, from which the router and the OpenAPI document both come.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};
use utoipa::__dev::{SchemaReferences, Tags};
use utoipa::openapi::Paths;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, schema::Schema};

use super::call::is_fhir;
use super::rendering::Rendering;
use super::socket::Opening;
use super::state::State;
use super::visit;
use super::{Call, Failure, Fault, OpenCall, Reply, gate, socket};

/// All that `#[utoipa::path]` says about a handler.
pub trait Described: utoipa::Path + Tags<'static> + SchemaReferences {}

impl<P: utoipa::Path + Tags<'static> + SchemaReferences> Described for P {}

/// Collects routes for one of the two uses.
pub struct Routes<'a> {
    state: Option<&'a Arc<State>>,
    /// In order: an earlier path wins over a later one that would match too.
    mounted: Vec<(String, Vec<(Method, Route)>)>,
    /// Paths of the OpenAPI document.
    pub paths: Paths,
    /// Schemas that the paths refer to.
    pub schemas: BTreeMap<String, RefOr<Schema>>,
}

impl<'a> Routes<'a> {
    /// An empty table. Without a state only the document is collected.
    pub fn new(state: Option<&'a Arc<State>>) -> Self {
        let (mounted, schemas) = (Vec::new(), BTreeMap::new());
        Self { state, mounted, paths: Paths::default(), schemas }
    }

    /// Mounts a handler behind the gate.
    pub fn gated<P, H, F>(&mut self, handler: H)
    where
        P: Described,
        H: FnOnce(Call) -> F + Copy + 'static,
        F: Future<Output = Result<Reply, Failure>> + 'static,
    {
        self.behind::<P, _>(move |state, operation, request, payload| {
            gate::pass(state, operation, request, payload, handler)
        });
    }

    /// The same, and the answer may be asked for over a WebSocket too.
    pub fn gated_or_socket<P, H, F>(&mut self, handler: H)
    where
        P: Described,
        H: FnOnce(Call) -> F + Copy + 'static,
        F: Future<Output = Result<Reply, Failure>> + 'static,
    {
        self.behind::<P, _>(move |state, operation, request, payload| async move {
            match socket::is_asked(&request) {
                true => {
                    let opening = Opening::Request;
                    socket::pass(state, operation, request, payload, opening, handler).await
                }
                false => gate::pass(state, operation, request, payload, handler).await,
            }
        });
    }

    /// Mounts what ends a request by itself.
    pub fn behind<P, F>(
        &mut self,
        pass: impl Fn(Arc<State>, visit::Operation, HttpRequest, web::Payload) -> F + Copy + 'static,
    ) where
        P: Described,
        F: Future<Output = HttpResponse> + 'static,
    {
        let operation = self.describe::<P>();
        let id: Arc<str> = operation.operation_id.unwrap_or_default().into();
        let path = P::path();
        let Some(state) = self.state else { return };
        let state = Arc::clone(state);
        self.add::<P>(move |method| {
            let (state, id) = (Arc::clone(&state), Arc::clone(&id));
            let operation = visit::Operation { id, route: format!("{method} {path}").into() };
            web::method(method).to(move |request: HttpRequest, payload: web::Payload| {
                pass(Arc::clone(&state), operation.clone(), request, payload)
            })
        });
    }

    /// Mounts a handler that shows nothing clinical and needs no token.
    pub fn open<P, H, F>(&mut self, handler: H)
    where
        P: Described,
        H: Fn(Arc<State>, HttpRequest) -> F + Copy + 'static,
        F: Future<Output = HttpResponse> + 'static,
    {
        self.describe::<P>();
        let Some(state) = self.state else { return };
        let state = Arc::clone(state);
        self.add::<P>(move |method| {
            let state = Arc::clone(&state);
            web::method(method).to(move |request| handler(Arc::clone(&state), request))
        });
    }

    /// Mounts a handler that shows nothing clinical to whoever asks: no token, no access entry.
    pub fn public<P, H, F>(&mut self, handler: H)
    where
        P: Described,
        H: Fn(OpenCall) -> F + Copy + 'static,
        F: Future<Output = Result<Reply, Failure>> + 'static,
    {
        self.describe::<P>();
        let Some(state) = self.state else { return };
        let state = Arc::clone(state);
        self.add::<P>(move |method| {
            let state = Arc::clone(&state);
            web::method(method).to(move |request: HttpRequest| {
                let client = state.client(&request).map(|(client, _)| client);
                let call = state.rates.address(client);
                let call = call.and_then(|()| OpenCall::new(Arc::clone(&state), request.clone()));
                async move {
                    let (rendering, result) = match call {
                        Ok(call) => (call.rendering.clone(), handler(call).await),
                        Err(failure) => (Rendering::default(), Err(failure)),
                    };
                    let is_fhir = is_fhir(&request);
                    let reply = result.unwrap_or_else(|failure| failure.render(is_fhir, "none"));
                    plain(gate::written(reply, rendering, &request).await)
                }
            })
        });
    }

    /// Hands the routes to an application.
    pub fn mount(self, config: &mut ServiceConfig) {
        let Some(state) = self.state else { return };
        for (path, routes) in self.mounted {
            let mut names: Vec<&str> = routes.iter().map(|(method, _)| method.as_str()).collect();
            names.extend(path.starts_with("/fhir").then_some("OPTIONS"));
            let allow: Arc<str> = names.join(", ").into();
            let state = Arc::clone(state);
            let no_method = move |request: HttpRequest| {
                no_method(request, Arc::clone(&state), Arc::clone(&allow))
            };
            // The same with a slash at the end: some clients join addresses that way.
            let paths = [format!("{path}/"), path];
            let mut resource = web::resource(paths).default_service(web::to(no_method));
            for (_, route) in routes {
                resource = resource.route(route);
            }
            config.service(resource);
        }
    }

    fn describe<P: Described>(&mut self) -> Operation {
        let mut operation = P::operation();
        operation.tags = Some(P::tags().into_iter().map(str::to_owned).collect());
        self.paths.add_path_operation(P::path(), P::methods(), operation.clone());
        let mut schemas = Vec::new();
        P::schemas(&mut schemas);
        self.schemas.extend(schemas);
        operation
    }

    fn add<P: utoipa::Path>(&mut self, route: impl Fn(Method) -> Route) {
        // OpenAPI has no word for a parameter with slashes in it; the index of a tile is one.
        let path = P::path().replace("{index}", "{index:.+}");
        for method in P::methods() {
            let method = actix_method(&method);
            // HEAD is GET whose body stays behind (RFC 9110 §9.3.2): the same handler, the same trace.
            let head = (method == Method::GET).then_some(Method::HEAD);
            for method in [method].into_iter().chain(head) {
                let route = (method.clone(), route(method));
                match self.mounted.iter_mut().find(|(known, _)| *known == path) {
                    Some((_, routes)) => routes.push(route),
                    None => self.mounted.push((path.clone(), vec![route])),
                }
            }
        }
    }
}

fn actix_method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// An address that does not exist.
pub async fn no_route(request: HttpRequest, state: Arc<State>) -> HttpResponse {
    let detail = format!("there is no {} {}", request.method(), request.path());
    let failure = Failure::of(Fault::NoRoute, detail);
    gate::beside(state, "noRoute", request, Err(failure)).await
}

/// An address that exists, but not with this method; `allow` names those that it has.
async fn no_method(request: HttpRequest, state: Arc<State>, allow: Arc<str>) -> HttpResponse {
    let mut response = if is_fhir(&request) && *request.method() == Method::OPTIONS {
        // What can be asked for here is in the CapabilityStatement; this says no more.
        gate::beside(state, "options", request, Ok(Reply::empty(StatusCode::NO_CONTENT))).await
    } else {
        let detail = format!("{} has no {}, but {allow}", request.path(), request.method());
        let failure = Failure::of(Fault::Method, detail);
        gate::beside(state, "noMethod", request, Err(failure)).await
    };
    // The names of methods are letters.
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// The answer as it stands, to what left no trace.
pub fn plain(reply: Reply) -> HttpResponse {
    let mut response = HttpResponse::build(reply.status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.body(reply.body.bytes)
}
