//! SMART standalone launch with users of the configuration, for development: authorization code with PKCE.

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::harness::{
    Request, Response, Server, Setup, observation, only_access_of_request, patient, shared, unique,
};
use crate::tokens::base64url;

/// Parameters in their order.
pub type Pairs = Vec<(&'static str, String)>;

const SMART: &str = "/fhir/.well-known/smart-configuration";
pub const VERIFIER: &str = "a-secret-of-the-app-that-nobody-else-has-0123456789";
/// Where the app listens today.
pub const BACK: &str = "http://127.0.0.1:54321/callback";
pub const SITE: &str = "http://localhost:5173";
const WANTED: &str = "launch/patient openid fhirUser patient/*.rs user/Practitioner.rs system/*.rs \
                      offline_access";

const USERS: &str = r#"auth.users=[
    { sub = "dr-weiss", name = "Dr. <Weiss>", fhir_user = "Practitioner/weiss", role = "physician",
      scopes = ["patient/*.rs", "user/Practitioner.r"], patients = ["p1", "p2"] },
    { sub = "ada", name = "Ada", scopes = ["patient/Observation.rs"], patients = ["p3"] },
    { sub = "clerk", name = "Clerk", scopes = ["user/Patient.rs"] },
]"#;
const APPS: &str = r#"auth.apps=[
    { id = "growth-chart", name = "Growth chart", redirect_uris = ["http://127.0.0.1/callback", "https://app.example.org/back?x=1"] },
    { id = "other", redirect_uris = ["http://127.0.0.1/callback"] },
]"#;

pub fn server() -> Server {
    let setup = Setup::default().set(&format!("server.cors_origins={SITE}"));
    setup.set(&USERS.replace('\n', " ")).set(&APPS.replace('\n', " ")).start()
}

pub fn challenge() -> String {
    base64url(digest(&SHA256, VERIFIER.as_bytes()))
}

/// What a good app sends at the beginning.
pub fn wish(server: &Server) -> Pairs {
    wish_of(server, "growth-chart", BACK, WANTED)
}

pub fn wish_of(server: &Server, client: &str, back: &str, scope: &str) -> Pairs {
    vec![
        ("response_type", "code".to_owned()),
        ("client_id", client.to_owned()),
        ("redirect_uri", back.to_owned()),
        ("scope", scope.to_owned()),
        ("state", "a state&b=\"><script>".to_owned()),
        ("aud", format!("{}/fhir", server.base)),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256".to_owned()),
        ("nonce", "n-1".to_owned()),
    ]
}

pub fn encoded(pairs: &[(&str, String)]) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    let pair = |(name, value): &(&str, String)| format!("{}={}", text(name), text(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        let hex = (*first == b'%').then(|| std::str::from_utf8(&more[..2]).unwrap());
        out.push(hex.map_or(*first, |hex| u8::from_str_radix(hex, 16).unwrap()));
        rest = if hex.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(out).unwrap()
}

/// A parameter of the address to which an answer leads.
#[track_caller]
pub fn led_to(response: &Response, name: &str) -> Option<String> {
    assert_eq!(response.status, 303, "{}", response.text());
    let location = response.header("location").unwrap();
    let query = location.split_once('?').unwrap().1;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.into_iter().find(|pair| pair.0 == name).map(|pair| decoded(pair.1))
}

pub fn page(server: &Server, wish: &[(&str, String)]) -> Response {
    server.anonymous().get(&format!("/oauth/authorize?{}", encoded(wish)))
}

pub fn form(server: &Server, target: &str, pairs: &[(&str, String)]) -> Request {
    let request = server.anonymous().request("POST", target);
    request.header("content-type", "application/x-www-form-urlencoded").bytes(encoded(pairs))
}

/// Chooses, as the page has it.
pub fn choose(server: &Server, wish: &[(&str, String)], user: &str, chart: &str) -> Response {
    let mut wish = wish.to_vec();
    wish.extend([("user", user.to_owned()), ("patient", chart.to_owned())]);
    form(server, "/oauth/authorize", &wish).header("origin", &server.base).send()
}

pub fn code(server: &Server) -> String {
    led_to(&choose(server, &wish(server), "dr-weiss", "p1"), "code").unwrap()
}

/// What an app sends for a code.
pub fn exchange(code: &str) -> Pairs {
    vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("client_id", "growth-chart".to_owned()),
        ("redirect_uri", BACK.to_owned()),
        ("code_verifier", VERIFIER.to_owned()),
    ]
}

pub fn token(server: &Server, pairs: &[(&str, String)]) -> Response {
    form(server, "/oauth/token", pairs).header("origin", SITE).send()
}

#[track_caller]
pub fn refused(response: &Response, error: &str) {
    assert_eq!(
        (response.status, &response.json()["error"]),
        (400, &json!(error)),
        "{}",
        response.text()
    );
}

/// A wish that the shared server takes, as a query.
pub fn shared_query() -> String {
    let wish = wish_of(shared(), "walk", "http://localhost:1/back", "openid user/Patient.rs");
    format!("?{}", encoded(&wish))
}

/// The same as a form, with its answer.
pub fn shared_choice(request: Request) -> Request {
    let choice = format!("{}&user=walker", shared_query().trim_start_matches('?'));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.header("origin", &shared().base).bytes(choice)
}

/// The fields of the form of a page that belongs to a user, as a browser reads them.
fn fields(page: &str, user: &str) -> Vec<(String, String)> {
    let mine = |form: &&str| form.contains(&format!("name=\"user\" value=\"{user}\""));
    let form = page.split("<form ").find(mine).unwrap();
    let unescaped = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        text.replace("&#39;", "'").replace("&amp;", "&")
    };
    let hidden = form.split("<input type=\"hidden\" name=\"").skip(1).map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), unescaped(rest.split_once("\">").unwrap().0))
    });
    let mut fields: Vec<_> = hidden.collect();
    fields.push(("user".to_owned(), user.to_owned()));
    fields
}

#[test]
fn an_app_is_launched_and_reads_the_chart_that_the_user_chose() {
    let server = server();
    for id in ["p1", "p2"] {
        server.clinician().put(&patient(id)).expect(201);
        server.clinician().put(&observation(&format!("o-{id}"), id)).expect(201);
    }
    // The app learns where to go.
    let told = server.anonymous().get(SMART).expect(200).json();
    let at = |path: &str| json!(format!("{}{path}", server.base));
    assert_eq!(told["authorization_endpoint"], at("/oauth/authorize"));
    assert_eq!(told["token_endpoint"], at("/oauth/token"));
    assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(told["grant_types_supported"], json!(["authorization_code"]));
    assert_eq!(told["issuer"], json!(server.base));
    let capabilities = [
        "permission-v1",
        "permission-v2",
        "permission-patient",
        "permission-user",
        "client-public",
        "launch-standalone",
        "context-standalone-patient",
        "sso-openid-connect",
    ];
    assert_eq!(told["capabilities"], json!(capabilities));
    // A page asks, and shows nothing but what the configuration says.
    let asked = page(&server, &wish(&server)).expect(200);
    assert_eq!(asked.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(asked.header("cache-control"), Some("no-store"));
    let policy = asked.header("content-security-policy").unwrap();
    let expected = "default-src 'none'; base-uri 'none'; form-action 'self' http://127.0.0.1:54321; \
                    frame-ancestors 'none'";
    assert_eq!(policy, expected);
    let text = asked.text();
    for part in ["For development only", "Growth chart", "Dr. &lt;Weiss&gt;", "<option>p2</option>"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in ["<script", "<Weiss>", "<code>system/", "<code>offline_access"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    // Who has no patient has no button, as the app wants one.
    assert!(text.contains("Has no patient") && !text.contains("value=\"clerk\""), "{text}");
    let mut sent = fields(text, "dr-weiss");
    sent.push(("patient".to_owned(), "p1".to_owned()));
    let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let answer = form(&server, "/oauth/authorize", &sent).header("origin", &server.base).send();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("location").unwrap().starts_with(&format!("{BACK}?")));
    assert_eq!(led_to(&answer, "state").as_deref(), Some("a state&b=\"><script>"));
    let code = led_to(&answer, "code").unwrap();
    // The app exchanges the code, from a page of another site.
    let granted = token(&server, &exchange(&code)).expect(200);
    assert_eq!(granted.header("cache-control"), Some("no-store"));
    assert_eq!(granted.header("access-control-allow-origin"), Some(SITE));
    let granted = granted.json();
    assert_eq!(granted["scope"], "fhirUser launch/patient openid patient/*.rs user/Practitioner.r");
    assert_eq!(
        (&granted["token_type"], &granted["expires_in"], &granted["patient"]),
        (&json!("Bearer"), &json!(3600), &json!("p1"))
    );
    // It verifies who has signed in, by what the issuer publishes.
    let about = server.anonymous().get("/.well-known/openid-configuration").expect(200).json();
    assert_eq!((&about["issuer"], &about["jwks_uri"]), (&json!(server.base), &at("/oauth/keys")));
    let keys = server.anonymous().get("/oauth/keys").expect(200).json();
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let mut expected = Validation::new(Algorithm::ES256);
    expected.set_audience(&["growth-chart"]);
    expected.set_issuer(&[&server.base]);
    let id_token = granted["id_token"].as_str().unwrap();
    let key = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let who = jsonwebtoken::decode::<Value>(id_token, &key, &expected).unwrap().claims;
    assert_eq!(
        (&who["sub"], &who["nonce"], &who["fhirUser"]),
        (&json!("dr-weiss"), &json!("n-1"), &at("/fhir/Practitioner/weiss"))
    );
    assert_eq!(who["name"], Value::Null, "it was not asked for");
    server.with_token(id_token).get("/fhir/Patient/p1").refused(401, &[]);
    // It reads that chart and no other, and what it does is the user's.
    let app = server.with_token(granted["access_token"].as_str().unwrap());
    let found = app.get("/fhir/Observation").expect(200).json();
    assert_eq!(found["total"], 1, "{found}");
    app.get("/fhir/Patient/p2").refused(404, &[]);
    app.delete("/fhir/Observation/o-p1").refused(403, &[]);
    let id = unique("request");
    app.request("GET", "/fhir/Patient/p1").header("x-request-id", &id).send().expect(200);
    let entry = only_access_of_request(&server, &id);
    let said = ["subject", "name", "role"].map(|name| entry[name].clone());
    assert_eq!(said[0], "dr-weiss", "{entry}");
    assert_eq!((&said[1], &said[2]), (&json!("Dr. <Weiss>"), &json!("physician")), "{entry}");
    assert!(entry.to_string().contains("growth-chart"), "{entry}");
    // A code is good once.
    refused(&token(&server, &exchange(&code)), "invalid_grant");
}

#[test]
fn scopes_are_those_that_the_user_may_allow() {
    let server = server();
    let granted = |scope: &str, user: &str, chart: &str| {
        let answer = choose(&server, &wish_of(&server, "growth-chart", BACK, scope), user, chart);
        match led_to(&answer, "code") {
            Some(code) => token(&server, &exchange(&code)).expect(200).json(),
            None => json!(led_to(&answer, "error")),
        }
    };
    let one = granted("patient/*.cruds user/*.cruds", "ada", "p3");
    assert_eq!((&one["scope"], &one["patient"]), (&json!("patient/Observation.rs"), &json!("p3")));
    assert_eq!(one["id_token"], Value::Null, "openid was not asked for");
    let one = granted("user/*.rs openid", "clerk", "");
    assert_eq!((&one["scope"], &one["patient"]), (&json!("openid user/Patient.rs"), &Value::Null));
    assert!(one["id_token"].is_string(), "{one}");
    // A chart that the app does not ask for is not told to it.
    let one = granted("user/Practitioner.rs", "dr-weiss", "p1");
    assert_eq!((&one["scope"], &one["patient"]), (&json!("user/Practitioner.r"), &Value::Null));
    for (scope, user, chart, error) in [
        ("user/*.cruds", "ada", "p3", "invalid_scope"),
        ("system/*.cruds", "dr-weiss", "p1", "invalid_scope"),
        ("patient/*.rs", "dr-weiss", "p3", "access_denied"),
        ("patient/*.rs", "dr-weiss", "", "access_denied"),
        ("launch/patient", "clerk", "p1", "access_denied"),
        ("patient/*.rs", "nobody", "p1", "access_denied"),
        ("patient/*.rs", "", "p1", "access_denied"),
    ] {
        assert_eq!(granted(scope, user, chart), json!(error), "{scope} {user} {chart}");
    }
}

#[test]
fn choices_and_exchanges_leave_their_entries_and_no_secret() {
    let server = server();
    let traced = |request: Request| {
        let id = unique("request");
        let answer = request.header("x-request-id", &id).send();
        (answer, only_access_of_request(&server, &id))
    };
    let choice = |user: &str| {
        let mut wish = wish(&server);
        wish.extend([("user", user.to_owned()), ("patient", "p1".to_owned())]);
        form(&server, "/oauth/authorize", &wish).header("origin", &server.base)
    };
    let outline = |entry: &Value| {
        ["operation", "outcome", "subject"]
            .map(|name| entry[name].as_str().unwrap_or("-").to_owned())
    };
    let (answer, chosen) = traced(choice("dr-weiss"));
    assert_eq!(outline(&chosen), ["chooseUser", "granted", "dr-weiss"], "{chosen}");
    let code = led_to(&answer, "code").unwrap();
    let (_, exchanged) = traced(form(&server, "/oauth/token", &exchange(&code)));
    assert_eq!(outline(&exchanged), ["token", "granted", "dr-weiss"], "{exchanged}");
    let (_, denied) = traced(choice(""));
    assert_eq!(outline(&denied), ["chooseUser", "refused", "-"], "{denied}");
    let (_, again) = traced(form(&server, "/oauth/token", &exchange(&code)));
    assert_eq!(outline(&again), ["token", "refused", "-"], "{again}");
    for secret in [code.as_str(), VERIFIER] {
        for entry in [&chosen, &exchanged, &denied, &again] {
            assert!(!entry.to_string().contains(secret), "{entry}");
        }
        assert!(!server.log().contains(secret));
    }
}

#[test]
fn the_demo_launches_an_app_with_no_other_server() {
    let server = Setup::default().set("demo.patients=2").argument("--demo").start();
    let told = server.anonymous().get(SMART).expect(200).json();
    assert_eq!(told["token_endpoint"], format!("{}/oauth/token", server.base));
    let wish = wish_of(&server, "demo-app", BACK, "launch/patient patient/*.rs openid fhirUser");
    let answer = choose(&server, &wish, "demo-clinician", "p0002");
    let mut sent = exchange(&led_to(&answer, "code").unwrap());
    sent[2].1 = "demo-app".to_owned();
    let granted = token(&server, &sent).expect(200).json();
    let app = server.with_token(granted["access_token"].as_str().unwrap());
    app.get("/fhir/Patient/p0002").expect(200);
    app.get("/fhir/Patient/p0001").refused(404, &[]);
    // Whoever it is is there to be read.
    let claims = granted["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    let user = claims["fhirUser"].as_str().unwrap().strip_prefix(&server.base).unwrap();
    server.clinician().get(user).expect(200);
}
