//! The console: its files, what it is told of the server, and how browsers get there.

use serde_json::{Value, json};

use crate::app_launch;
use crate::harness::{Response, Setup, accesses_of_request, shared, unique};

#[track_caller]
fn policy(response: &Response) -> &str {
    response.header("content-security-policy").unwrap()
}

#[test]
fn its_files_are_there_for_whoever_asks_and_load_nothing_from_elsewhere() {
    let anonymous = shared().anonymous();
    for start in ["/", "/console"] {
        assert_eq!(anonymous.get(start).expect(303).header("location"), Some("/console/"));
    }
    let page = anonymous.get("/console/").expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    for words in
        ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
    {
        assert!(policy(&page).contains(words), "{}", policy(&page));
    }
    assert!(!policy(&page).contains("unsafe"), "{}", policy(&page));
    let text = page.text();
    let is_inline = text.split("<script").skip(1).any(|rest| !rest.contains(" src=\""));
    assert!(!is_inline && !text.contains(" style=") && !text.contains("<style"), "{text}");
    let named: Vec<&str> =
        text.split(['"']).filter(|part| part.ends_with(".js") || part.ends_with(".css")).collect();
    assert!(named.len() > 5, "{named:?}");
    for file in named {
        let answer = anonymous.get(&format!("/console/{file}")).expect(200);
        let is_script = file.ends_with(".js");
        let expected =
            if is_script { "text/javascript; charset=utf-8" } else { "text/css; charset=utf-8" };
        assert_eq!(answer.header("content-type"), Some(expected), "{file}");
        let tag = answer.header("etag").unwrap().to_owned();
        let known =
            anonymous.request("GET", &format!("/console/{file}")).header("if-none-match", &tag);
        assert_eq!(known.send().expect(304).text(), "", "{file}");
    }
    for absent in [
        "/console/none.js",
        "/console/../Cargo.toml",
        "/console/%2e%2e/vendor.py",
        "/console/vendor",
    ] {
        anonymous.get(absent).expect(404);
    }
}

#[test]
fn without_an_issuer_that_signs_people_in_it_takes_tokens_alone() {
    // One signs people in, but for other apps.
    for server in [app_launch::server(), Setup::default().start()] {
        let answer: Value = server.anonymous().get("/console/settings.json").expect(200).json();
        assert_eq!(answer, json!({ "provider": null, "users": null, "isDemo": false }));
    }
}

#[test]
fn it_signs_in_where_the_first_issuer_says_and_may_ask_that_for_a_token() {
    let issuer = r#"auth.issuers=[{ name = "https://id.example.org", jwks_url = "https://id.example.org/keys",
        authorization_endpoint = "https://id.example.org/a", token_endpoint = "https://tokens.example.org/t" }]"#;
    let server = Setup::default()
        .set(issuer)
        .set("console.client_id=pages")
        .set("console.scope=openid user/*.rs")
        .start();
    let told: Value = server.anonymous().get("/console/settings.json").expect(200).json();
    assert_eq!(told["users"], json!(null));
    assert_eq!(
        told["provider"],
        json!({
            "issuer": "https://id.example.org", "authorizationEndpoint": "https://id.example.org/a",
            "tokenEndpoint": "https://tokens.example.org/t", "clientId": "pages", "scope": "openid user/*.rs",
            "audience": format!("{}/fhir", server.base),
        })
    );
    let page = server.anonymous().get("/console/").expect(200);
    assert!(
        policy(&page).contains("connect-src 'self' https://tokens.example.org;"),
        "{}",
        policy(&page)
    );
}

#[test]
fn a_browser_that_opens_an_address_of_the_apis_is_led_to_the_page_about_the_same() {
    let (anonymous, id) = (shared().anonymous(), unique("browser"));
    let open = |target: &str| {
        anonymous
            .request("GET", target)
            .header("accept", "text/html,*/*;q=0.8")
            .header("x-request-id", &id)
            .send()
    };
    let target = open("/fhir/Patient/p-1?_summary=true").expect(303);
    assert_eq!(target.header("location"), Some("/console/#/resources/Patient/p-1"));
    assert_eq!(target.text(), "");
    // Nothing was shown, and nobody was refused.
    assert_eq!(accesses_of_request(shared(), &id), Vec::<Value>::new());
    open("/fhir/metadata").expect(200);
    anonymous.get("/fhir/Patient/p-1").expect(401);
    let token = shared().clinician();
    let reads =
        token.request("GET", "/fhir/Patient/p-none").header("accept", "text/html, */*;q=0.1");
    reads.send().expect(404);
}
