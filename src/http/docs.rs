//! The page that shows the OpenAPI document, and the document beside it; all assets are inside the binary.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use utoipa_swagger_ui::SwaggerUi;

use super::document::document;
use super::state::ServerOptions;
use crate::config::LimitsConfig;

/// What the page may load: its own parts, and what it asks the API for. Its scripts set styles, and draw with data.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where the document is read, unless the configuration says how clients reach the server.
const HERE: &str = "/";

/// The page, and what starts it: those that come with it have another title, and keep no token.
const PAGE: &str = include_str!("docs/index.html");
const START: &str = include_str!("docs/swagger-initializer.js");

/// The document as the text that `openapi/` holds.
#[must_use]
pub fn document_text() -> String {
    text(HERE, &LimitsConfig::default())
}

fn text(server: &str, limits: &LimitsConfig) -> String {
    // Maps with string keys, numbers and strings only: this serialisation cannot fail.
    let mut text = serde_json::to_string_pretty(&document(server, limits)).unwrap_or_default();
    text.push('\n');
    text
}

/// The document that a server shows, if it shows one.
pub fn shown(options: &ServerOptions) -> Option<web::Bytes> {
    let server = options.named_url.as_deref().unwrap_or(HERE);
    options.docs.then(|| text(server, &options.limits).into())
}

/// Mounts the document and its page.
pub fn mount(config: &mut ServiceConfig, text: web::Bytes) {
    let served = move || {
        let text = text.clone();
        async { HttpResponse::Ok().content_type("application/json").body(text) }
    };
    let page = || async { HttpResponse::Ok().content_type("text/html; charset=utf-8").body(PAGE) };
    let start =
        || async { HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(START) };
    config
        .route("/docs", web::get().to(to_page))
        .route("/", web::get().to(to_page))
        .route("/openapi.json", web::get().to(served))
        .service(
            web::scope("/docs")
                .wrap(DefaultHeaders::new().add((header::CONTENT_SECURITY_POLICY, POLICY)))
                .route("/", web::get().to(page))
                .route("/index.html", web::get().to(page))
                .route("/swagger-initializer.js", web::get().to(start))
                .service(SwaggerUi::new("/{_:.*}")),
        );
}

async fn to_page() -> impl Responder {
    HttpResponse::Found().insert_header((header::LOCATION, "/docs/")).finish()
}
