//! Who opens an address of the APIs in a browser sees the page of the console about the same.
//!
//! A browser has no token to send by itself, and a person no use for JSON. The console asks them to sign in, and then for
//! what the address names. Nothing is shown or looked up here.

use actix_web::HttpRequest;
use actix_web::http::{Method, header};

use super::accept::Accept;
use super::lists::listed;
use super::query::encoded;

/// The page of the console for a request without a token that wants a page rather than JSON; `None`: it is answered as any
/// other.
pub fn page(request: &HttpRequest) -> Option<String> {
    let headers = request.headers();
    if *request.method() != Method::GET || headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    let wanted = Accept::of(listed(headers, "accept").as_deref());
    let html = wanted.named("text/html")?;
    let is_for_a_program = ["application/json", "application/fhir+json"]
        .iter()
        .any(|json| wanted.named(json).is_some_and(|quality| quality >= html));
    (html > 0 && !is_for_a_program).then(|| view(request.path(), request.query_string())).flatten()
}

/// The address of the view, from that of the API.
fn view(path: &str, query: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_type = |name: &str| name.starts_with(|letter: char| letter.is_ascii_uppercase());
    let view = match parts.as_slice() {
        ["fhir", kind, id] if is_type(kind) && !id.starts_with(['_', '$']) => {
            format!("resources/{kind}/{id}")
        }
        ["fhir", kind, id, "_history"] if is_type(kind) => {
            format!("resources/{kind}/{id}?tab=versions")
        }
        ["fhir", kind, id, "_history", version] if is_type(kind) => {
            format!("resources/{kind}/{id}?version={version}")
        }
        ["fhir", kind] if is_type(kind) => {
            let search =
                if query.is_empty() { (*kind).to_owned() } else { format!("{kind}?{query}") };
            format!("find/search?q={}", encoded(&search))
        }
        ["v1", "patients", id] | ["v1", "patients", id, "chart" | "events"] => {
            format!("charts/{id}")
        }
        ["v1", "patients", id, "diff"] => format!("charts/{id}/changes"),
        ["v1", "patients", id, "accesses"] => format!("charts/{id}/looks"),
        ["v1", "accesses"] => "looks".to_owned(),
        ["v1", "events" | "subscriptions"] => "live".to_owned(),
        _ => return None,
    };
    Some(format!("/console/#/{view}"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_who_wants_a_page_and_has_no_token_is_sent_to_one() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let seen = |accept: Option<&str>, target: &str| {
            let request = TestRequest::with_uri(target);
            let request = accept
                .into_iter()
                .fold(request, |request, accept| request.insert_header(("accept", accept)));
            page(&request.to_http_request())
        };
        for (target, expected) in [
            ("/fhir/Patient/x-1", Some("resources/Patient/x-1")),
            ("/fhir/Patient/x/_history", Some("resources/Patient/x?tab=versions")),
            ("/fhir/Patient/x/_history/2", Some("resources/Patient/x?version=2")),
            (
                "/fhir/Observation?code=a%7Cb&_count=2",
                Some("find/search?q=Observation%3Fcode%3Da%257Cb%26_count%3D2"),
            ),
            ("/fhir/Observation/", Some("find/search?q=Observation")),
            ("/v1/patients/x/chart?version=2", Some("charts/x")),
            ("/v1/patients/x/accesses", Some("charts/x/looks")),
            ("/fhir/metadata", None),
            ("/fhir/Patient/$everything", None),
            ("/v1/reports/unusual", None),
            ("/health/live", None),
        ] {
            let expected = expected.map(|view| format!("/console/#/{view}"));
            assert_eq!(seen(Some(browser), target), expected, "{target}");
        }
        for accept in [
            None,
            Some("*/*"),
            Some("text/html;q=0"),
            Some("application/fhir+json, text/html"),
            Some("text/*"),
        ] {
            assert_eq!(seen(accept, "/fhir/Patient/x"), None, "{accept:?}");
        }
        let with_token =
            TestRequest::with_uri("/fhir/Patient/x").insert_header(("accept", "text/html"));
        assert_eq!(
            page(&with_token.insert_header(("authorization", "Bearer x")).to_http_request()),
            None
        );
    }
}
