//! Binary in its own form: FHIR R4 §2.40. Content of any media type comes in and goes out as it is,
//! and is stored as a resource with the content in base64.

use std::sync::Arc;

use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::reply::{FHIR_JSON, JSON};
use super::{Call, Failure, Reply};
use crate::fhir::{ResourceId, ResourceType};
use crate::json::{Document, quote};
use crate::records::Resource;

/// The media type of content of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";
/// Forbids whoever shows the content to run anything in it.
const SANDBOX: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";
/// Padding is not checked: whoever stored the content has had it accepted.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The resource that a write brings: the body, or a Binary around it if the body is not in FHIR's
/// form. Such a Binary gets the id of the address.
///
/// # Errors
///
/// 400.
pub async fn content(
    call: &mut Call,
    kind: ResourceType,
    id: Option<&ResourceId>,
) -> Result<Arc<Document>, Failure> {
    if kind == ResourceType::BINARY
        && let Some(content_type) = call.header("content-type").map(str::to_owned)
        && !is_fhir(&content_type, call.body())
    {
        let body = call.take_body();
        let context = call.header("x-security-context").map(str::to_owned);
        let id = id.cloned();
        let wrap = move || wrapped(id.as_ref(), &content_type, context.as_deref(), &body);
        call.take_place().await?;
        let resource = actix_web::web::block(wrap).await.map_err(|_| Failure::internal())?;
        let document = Document::parse(resource).map_err(|_| Failure::internal())?;
        return Ok(Arc::new(document));
    }
    call.json().await
}

/// Whether the content is a resource: of FHIR's own media type, or JSON that says that it is one.
fn is_fhir(content_type: &str, body: &[u8]) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let says_so = || {
        let document = Document::parse(body);
        document.is_ok_and(|document| ResourceType::of(document.root()).is_some())
    };
    essence.eq_ignore_ascii_case(FHIR_JSON) || essence.eq_ignore_ascii_case(JSON) && says_so()
}

fn wrapped(
    id: Option<&ResourceId>,
    content_type: &str,
    context: Option<&str>,
    content: &[u8],
) -> String {
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    let context =
        context.map(|context| format!(r#""securityContext":{{"reference":{}}},"#, quote(context)));
    let (content_type, context) = (quote(content_type), context.unwrap_or_default());
    let mut out =
        format!(r#"{{"resourceType":"Binary",{id}"contentType":{content_type},{context}"data":""#);
    STANDARD.encode_string(content, &mut out);
    out.push_str("\"}");
    out
}

/// The content of a Binary in its own form, whatever the client takes, unless it wants the resource: FHIR R4 §2.40.1.
///
/// # Errors
///
/// 406: it wants the resource, in a form that is not spoken here.
pub fn reply(call: &Call, resource: &Resource) -> Result<Reply, Failure> {
    let (bytes, rendering) = (resource.bytes(&call.grant), &call.rendering);
    let content = content_of(&bytes).filter(|_| !rendering.is_fhir_named);
    if let Some((content_type, content)) = content {
        let takes_content = rendering.accept.quality(essence(&content_type)) > 0;
        let wants_resource = || rendering.check().is_ok() || rendering.accept.names_fhir();
        if takes_content || !wants_resource() {
            let reply = Reply::new(StatusCode::OK, &content_type, content);
            return Ok(reply.header("content-security-policy", SANDBOX));
        }
    }
    rendering.check()?;
    Ok(Reply::resource(StatusCode::OK, bytes))
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The media type and the content in a Binary.
fn content_of(resource: &[u8]) -> Option<(String, Vec<u8>)> {
    let document = Document::parse(resource).ok()?;
    let data = document.root().get_str("data").unwrap_or_default();
    let digits: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let content_type = document.root().get_str("contentType").unwrap_or_default();
    // It goes into a header as it is.
    let is_header = content_type.contains('/')
        && content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let content_type = if is_header { content_type.into_owned() } else { UNKNOWN.to_owned() };
    Some((content_type, LENIENT.decode(digits).ok()?))
}
