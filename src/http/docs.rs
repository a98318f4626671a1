//! The OpenAPI document and the page that shows it; all assets are inside the binary.

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_swagger_ui::SwaggerUi;

use super::table;

const SCHEME: &str = "bearer";

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
    config
        .route("/docs", web::get().to(to_page))
        .route("/", web::get().to(to_page))
        .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", document()));
}

async fn to_page() -> impl Responder {
    HttpResponse::Found().insert_header((header::LOCATION, "/docs/")).finish()
}
