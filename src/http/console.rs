//! The console: pages for people, in `console/assets` of the source and inside the binary.
//!
//! In: requests for its files. Out: the files, and where people sign in. The pages use the two APIs as any program does,
//! under the rights of who signed in; nothing is shown here that the APIs do not show, so nothing here needs a token or
//! leaves a trace.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::Embed;
use serde_json::{Value, json};

use super::Reply;
use super::encoding::compressed;
use super::etag;
use super::gate::is_gzip_taken;
use super::lists::listed;
use super::routes::{no_route, plain};
use super::state::State;
use crate::config::User;
use crate::issuing::{AUTHORIZE_PATH, Issuing, origin};

/// Where the pages are, and what a browser is sent to that asks for the server alone.
pub const PLACE: &str = "/console/";

#[derive(Embed)]
#[folder = "console/assets"]
struct Files;

/// Mounts the pages, if there are to be any.
pub fn mount(state: Arc<State>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        if !state.options.console.enabled {
            return;
        }
        let settings = Arc::clone(&state);
        config
            .route("/", web::get().to(to_pages))
            .route("/console", web::get().to(to_pages))
            .route(
                "/console/settings.json",
                web::get().to(move || {
                    let settings = sign_in(&settings);
                    async move {
                        HttpResponse::Ok()
                            .insert_header((header::CACHE_CONTROL, "no-store"))
                            .json(settings)
                    }
                }),
            )
            .route(
                "/console/{file:.*}",
                web::get().to(move |request: HttpRequest, file: web::Path<String>| {
                    served(Arc::clone(&state), request, file.into_inner())
                }),
            );
    }
}

async fn to_pages() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, PLACE)).finish()
}

async fn served(state: Arc<State>, request: HttpRequest, name: String) -> HttpResponse {
    let name = if name.is_empty() { "index.html" } else { name.as_str() };
    let Some(file) = Files::get(name) else { return no_route(request, state).await };
    let tag = URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash());
    let known = listed(request.headers(), "if-none-match");
    let reply = match etag::is_known(known.as_deref(), &tag) {
        true => Reply::empty(StatusCode::NOT_MODIFIED),
        false => Reply::new(StatusCode::OK, content_type(name), file.data.into_owned()),
    };
    let reply = compressed(reply, is_gzip_taken(&request))
        .header("etag", format!("W/\"{tag}\""))
        .header("cache-control", "no-cache")
        .header("content-security-policy", policy(&state))
        // The form that signs in says where it comes from, which it would not without any.
        .header("referrer-policy", "same-origin");
    plain(reply)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    }
}

/// What the pages may load: files of this server, and what they ask it and the issuer for. No script and no style stands
/// in a page, and no text becomes markup.
fn policy(state: &State) -> String {
    let about = state.options.issuers.first();
    let endpoint = about.as_ref().and_then(|about| about.token_endpoint.as_deref());
    let issuer = endpoint.map(origin).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' {issuer}; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
}

/// Where people sign in, and as whom without a password, on a server for development.
fn sign_in(state: &State) -> Value {
    let options = &state.options;
    let client = options.console.client_id.as_str();
    let own = options.issuing.as_deref().and_then(Issuing::sign_in);
    let own_page = format!("{}{AUTHORIZE_PATH}", options.public_url);
    let about = options.issuers.first();
    let provider = about.as_ref().and_then(|about| {
        let page = about.authorization_endpoint.as_ref()?;
        let own = own.filter(|_| *page == own_page);
        let is_known = own.is_none_or(|own| own.knows(client));
        is_known.then_some((about, page, about.token_endpoint.as_ref()?, own))
    });
    let Some((about, page, token_endpoint, own)) = provider else {
        return json!({ "provider": null, "users": null, "isDemo": options.is_demo });
    };
    let user = |user: &User| json!({ "sub": user.sub, "name": user.name, "role": user.role });
    json!({
        "provider": {
            "issuer": about.issuer,
            "authorizationEndpoint": page,
            "tokenEndpoint": token_endpoint,
            "clientId": client,
            "scope": options.console.scope,
            "audience": state.fhir_base,
        },
        "users": own.map(|own| own.users().iter().map(user).collect::<Vec<_>>()),
        "isDemo": options.is_demo,
    })
}
