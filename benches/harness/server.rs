//! Servers in this process, each with its own threads and port: chartlog, and the plainest one
//! that answers the same.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use chartlog::auth::{About, Issuer, LocalIssuer, TokenRequest, Verifier, VerifierOptions};
use chartlog::clock::Instant;
use chartlog::config::{Config, LimitsConfig};
use chartlog::feed::subscriptions::Subscriptions;
use chartlog::http::{self, ServerOptions};
use chartlog::records::Records;

use super::store;

/// Of the issuer of the tokens.
const SECRET: [u8; 32] = [7; 32];

/// A server that runs until it is dropped.
pub struct Serving {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The command is sent at once; the future only waits for the server's end, as the thread does.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread");
        }
    }
}

/// chartlog over the store in a directory, with its default settings; and a token for it.
pub fn chartlog(root: &Path) -> (Serving, String) {
    over(store::open(root))
}

/// The same over an open store.
pub fn over(store: Arc<Records>) -> (Serving, String) {
    limited(store, LimitsConfig::default())
}

/// The same with limits of its own.
pub fn limited(store: Arc<Records>, limits: LimitsConfig) -> (Serving, String) {
    http::install_metrics();
    let issuer = LocalIssuer::new(SECRET);
    let config = Config { limits, ..Config::default() };
    let verifier = Verifier::new(VerifierOptions {
        audience: config.auth.audience.clone(),
        leeway_seconds: config.auth.leeway_seconds,
        issuers: vec![Issuer {
            name: LocalIssuer::ISSUER.to_owned(),
            keys: vec![issuer.verification_key()],
            requires_binding: false,
        }],
        cache_entries: config.auth.token_cache_entries,
    });
    let token = token_of(None);
    let verifier = Arc::new(verifier.expect("a verifier"));
    let serving = serve(move |listener| {
        let address = listener.local_addr().expect("an address");
        let options = options(&config, format!("http://{address}"));
        let subscriptions = Subscriptions::open(&store, &config.feed, "").expect("subscriptions");
        let running =
            http::start(listener, store, verifier, subscriptions, options).expect("a server");
        (running.handle, running.server)
    });
    (serving, token)
}

/// A token of one of many users of a hospital, with all that an access entry tells of a user; `None`: of one who
/// says little.
pub fn token_of(user: Option<usize>) -> String {
    let audience = &Config::default().auth.audience[0];
    let mut claims = serde_json::json!({
        "iss": LocalIssuer::ISSUER,
        "sub": "dr-bench",
        "aud": audience,
        "exp": Instant::now().seconds() + 3_600,
        "scope": "user/*.cruds user/AuditEvent.rs",
    });
    if let Some(user) = user {
        claims["sub"] = format!("user-{user}").into();
        claims["name"] = format!("Doctor {user}").into();
        claims["role"] = "physician".into();
        claims["organization"] = format!("clinic-{}", user % 20).into();
        claims["client_id"] = format!("app-{}", user % 10).into();
        claims["jti"] = uuid::Uuid::new_v4().to_string().into();
    }
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let key = jsonwebtoken::EncodingKey::from_secret(&SECRET);
    jsonwebtoken::encode(&header, &claims, &key).expect("a token")
}

/// A token of a person whom a resource stands for, perhaps with a role.
pub fn token_as(fhir_user: &str, role: Option<&str>) -> String {
    let request = TokenRequest {
        subject: fhir_user.replace('/', "-"),
        scope: "user/*.cruds".to_owned(),
        audience: Config::default().auth.audience[0].clone(),
        ttl_seconds: 3_600,
        about: About {
            fhir_user: Some(fhir_user.to_owned()),
            role: role.map(str::to_owned),
            ..About::default()
        },
        ..TokenRequest::default()
    };
    LocalIssuer::new(SECRET).sign(&request, Instant::now().seconds()).expect("a token")
}

fn options(config: &Config, public_url: String) -> ServerOptions {
    let limits = LimitsConfig { shutdown_timeout_seconds: 1, ..config.limits.clone() };
    let (workers, proxies) = (config.server.worker_count(), http::Proxies::default());
    let (audit, cors_origins) = (config.audit.clone(), Vec::new());
    let (metrics, docs) = (config.server.metrics, config.server.docs);
    ServerOptions {
        public_url,
        named_url: None,
        workers,
        limits,
        audit,
        proxies,
        cors_origins,
        metrics,
        docs,
        console: config.console.clone(),
        is_demo: false,
        break_glass_minutes: 0,
        tls: None,
        issuers: Arc::default(),
        issuing: None,
        introspection: None,
    }
}

/// Serves bodies by their path, from memory: no token, no store, no trace. Settings as above.
pub fn plain(bodies: HashMap<String, Bytes>) -> Serving {
    let bodies = Arc::new(bodies);
    let options = options(&Config::default(), String::new());
    serve(move |listener| {
        let server = HttpServer::new(move || {
            let bodies = web::Data::from(Arc::clone(&bodies));
            App::new().app_data(bodies).route("/fhir/{type}/{id}", web::get().to(body))
        })
        .workers(options.workers)
        .max_connections(options.limits.connections_per_worker_max)
        .client_request_timeout(Duration::from_millis(options.limits.client_request_timeout_ms))
        .keep_alive(Duration::from_secs(options.limits.keep_alive_seconds))
        .shutdown_timeout(options.limits.shutdown_timeout_seconds)
        .listen(listener)
        .expect("a listening server")
        .run();
        (server.handle(), server)
    })
}

/// Sends the same bytes to everyone who asks, at the same moments, without an end. Settings as above.
pub fn ticking(bytes: Bytes, every: Duration) -> Serving {
    let options = options(&Config::default(), String::new());
    let begun = tokio::time::Instant::now();
    let answer = move || {
        let bytes = bytes.clone();
        let parts = futures_util::stream::unfold(begun, move |before| {
            let (bytes, now) = (bytes.clone(), tokio::time::Instant::now());
            let mut next = before + every;
            while next <= now {
                next += every;
            }
            async move {
                tokio::time::sleep_until(next).await;
                Some((Ok::<_, std::io::Error>(bytes), next))
            }
        });
        async { HttpResponse::Ok().streaming(Box::pin(parts)) }
    };
    serve(move |listener| {
        let server = HttpServer::new(move || App::new().route("/", web::get().to(answer.clone())))
            .workers(options.workers)
            .shutdown_timeout(options.limits.shutdown_timeout_seconds)
            .listen(listener)
            .expect("a listening server")
            .run();
        (server.handle(), server)
    })
}

async fn body(request: HttpRequest, bodies: web::Data<HashMap<String, Bytes>>) -> HttpResponse {
    match bodies.get(request.path()) {
        Some(body) => {
            HttpResponse::Ok().content_type("application/fhir+json").body(Bytes::clone(body))
        }
        None => HttpResponse::NotFound().finish(),
    }
}

fn serve<S: Future<Output = std::io::Result<()>> + 'static>(
    start: impl FnOnce(TcpListener) -> (ServerHandle, S) + Send + 'static,
) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (started, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let (handle, server) = start(listener);
            started.send(handle).expect("somebody waits");
            server.await.expect("the server ends in peace");
        });
    });
    let handle = wait.recv().expect("the server starts");
    Serving { address, handle, thread: Some(thread) }
}
