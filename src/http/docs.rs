//! The OpenAPI document and the page that shows it; all assets are inside the binary.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::table;

const SCHEME: &str = "bearer";

/// What the page may load: its own parts, and what it asks the API for. Its scripts set styles, and draw with data.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The OpenAPI 3.1 document of everything that is mounted.
#[must_use]
pub fn document() -> OpenApi {
    let routes = table::routes(None);
    let mut components = ComponentsBuilder::new().security_scheme(
        SCHEME,
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build(),
        ),
    );
    for (name, schema) in routes.schemas {
        components = components.schema(name, schema);
    }
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Chartlog")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(env!("CARGO_PKG_DESCRIPTION")))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").build()))
                .build(),
        )
        .paths(routes.paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(SCHEME, Vec::<String>::new())]))
        .tags(Some([
            tag("charts", "The chart as a stream of events: now, then, and what changed between"),
            tag("feed", "The log as others follow it"),
            tag("audit", "Who looked"),
            tag("fhir", "HL7 FHIR R4 (4.0.1)"),
            tag("tokens", "Tokens for programs that are registered here, and for apps of users in development"),
            tag("operations", "Health and figures; no token needed"),
        ]))
        .build()
}

/// The document as the text that `openapi/` holds.
#[must_use]
pub fn document_text() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Mounts the document and its page.
pub fn mount(config: &mut ServiceConfig) {
    let text = web::Bytes::from(document_text());
    let served = move || {
        let text = text.clone();
        async { HttpResponse::Ok().content_type("application/json").body(text) }
    };
    config
        .route("/docs", web::get().to(to_page))
        .route("/", web::get().to(to_page))
        .route("/openapi.json", web::get().to(served))
        .service(
            web::scope("/docs")
                .wrap(DefaultHeaders::new().add((header::CONTENT_SECURITY_POLICY, POLICY)))
                .service(SwaggerUi::new("/{_:.*}").config(Config::from("/openapi.json"))),
        );
}

async fn to_page() -> impl Responder {
    HttpResponse::Found().insert_header((header::LOCATION, "/docs/")).finish()
}
