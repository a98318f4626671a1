//! SMART standalone launch with users of the configuration, for development: authorization code with PKCE.

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::harness::{
    Request, Response, Server, Setup, observation, only_access_of_request, patient, raw_exchange,
    run, shared, unique,
};
use crate::tokens::base64url;

const SMART: &str = "/fhir/.well-known/smart-configuration";
const VERIFIER: &str = "a-secret-of-the-app-that-nobody-else-has-0123456789";
/// Where the app listens today.
const BACK: &str = "http://127.0.0.1:54321/callback";
const SITE: &str = "http://localhost:5173";
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

fn server() -> Server {
    let setup = Setup::default().set(&format!("server.cors_origins={SITE}"));
    setup.set(&USERS.replace('\n', " ")).set(&APPS.replace('\n', " ")).start()
}

fn challenge() -> String {
    base64url(digest(&SHA256, VERIFIER.as_bytes()))
}

/// What a good app sends at the beginning.
fn wish(server: &Server) -> Vec<(&'static str, String)> {
    wish_of(server, "growth-chart", BACK, WANTED)
}

fn wish_of(server: &Server, client: &str, back: &str, scope: &str) -> Vec<(&'static str, String)> {
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

/// The same with one parameter replaced, or removed.
fn wish_with(server: &Server, name: &str, value: Option<&str>) -> Vec<(&'static str, String)> {
    let mut wish = wish(server);
    match value {
        Some(value) => {
            wish.iter_mut().filter(|one| one.0 == name).for_each(|one| one.1 = value.to_owned())
        }
        None => wish.retain(|one| one.0 != name),
    }
    wish
}

fn encoded(pairs: &[(&str, String)]) -> String {
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
fn led_to(response: &Response, name: &str) -> Option<String> {
    assert_eq!(response.status, 303, "{}", response.text());
    let location = response.header("location").unwrap();
    let query = location.split_once('?').unwrap().1;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.into_iter().find(|pair| pair.0 == name).map(|pair| decoded(pair.1))
}

fn page(server: &Server, wish: &[(&str, String)]) -> Response {
    server.anonymous().get(&format!("/oauth/authorize?{}", encoded(wish)))
}

fn form(server: &Server, target: &str, pairs: &[(&str, String)]) -> Request {
    let request = server.anonymous().request("POST", target);
    request.header("content-type", "application/x-www-form-urlencoded").bytes(encoded(pairs))
}

/// Chooses, as the page has it.
fn choose(
    server: &Server,
    mut wish: Vec<(&'static str, String)>,
    user: &str,
    chart: &str,
) -> Response {
    wish.extend([("user", user.to_owned()), ("patient", chart.to_owned())]);
    form(server, "/oauth/authorize", &wish).header("origin", &server.base).send()
}

fn code(server: &Server) -> String {
    led_to(&choose(server, wish(server), "dr-weiss", "p1"), "code").unwrap()
}

/// What an app sends for a code.
fn exchange(code: &str) -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("client_id", "growth-chart".to_owned()),
        ("redirect_uri", BACK.to_owned()),
        ("code_verifier", VERIFIER.to_owned()),
    ]
}

fn token(server: &Server, pairs: &[(&str, String)]) -> Response {
    form(server, "/oauth/token", pairs).header("origin", SITE).send()
}

#[track_caller]
fn refused(response: &Response, error: &str) {
    assert_eq!(
        (response.status, &response.json()["error"]),
        (400, &json!(error)),
        "{}",
        response.text()
    );
}

/// What a page that leads nowhere says.
#[track_caller]
fn dead_end(response: &Response, status: u16, words: &str) {
    assert_eq!(
        (response.status, response.header("location")),
        (status, None),
        "{}",
        response.text()
    );
    assert!(response.text().contains(words), "{}", response.text());
    assert!(!response.text().contains("<form"), "{}", response.text());
}

/// A wish that the shared server takes, as a query.
pub fn shared_query() -> String {
    let wish = wish_of(shared(), "walk", "http://localhost:1/back", "openid user/Patient.rs");
    format!("?{}", encoded(&wish))
}

/// The same as a form, with its answer.
pub fn shared_choice() -> String {
    format!("{}&user=walker", shared_query().trim_start_matches('?'))
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
        let answer = choose(&server, wish_of(&server, "growth-chart", BACK, scope), user, chart);
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
fn nobody_is_led_to_where_no_app_is() {
    let server = server();
    let ways: [fn(&Server, &[(&'static str, String)]) -> Response; 2] =
        [page, |server, wish| choose(server, wish.to_vec(), "dr-weiss", "p1")];
    for way in ways {
        for address in [
            "https://evil.example/callback",
            "http://127.0.0.1:54321/callback/",
            "http://127.0.0.1:54321/callback?x=1",
            "http://127.0.0.1:54321/callback#x",
            "http://127.0.0.1:54321/",
            "http://127.0.0.1:54321@evil.example/callback",
            "http://127.0.0.1:x/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://localhost:54321/callback",
            "https://127.0.0.1:54321/callback",
            "https://app.example.org/back",
            "https://app.example.org:444/back?x=1",
            "javascript:alert(1)",
            "//evil.example",
            "",
        ] {
            let wish = wish_with(&server, "redirect_uri", Some(address));
            dead_end(&way(&server, &wish), 400, "redirect_uri is none that is registered");
        }
        dead_end(&way(&server, &wish_with(&server, "redirect_uri", None)), 400, "redirect_uri");
        for client in [None, Some("<b>nobody"), Some("warehouse")] {
            dead_end(
                &way(&server, &wish_with(&server, "client_id", client)),
                400,
                "client_id names no app",
            );
        }
        let twice = [wish(&server), vec![("redirect_uri", BACK.to_owned())]].concat();
        dead_end(&way(&server, &twice), 400, "may be given once");
        // What else is wrong is told to the app.
        for (name, value, error) in [
            ("response_type", Some("token"), "unsupported_response_type"),
            ("response_type", None, "unsupported_response_type"),
            ("aud", Some("https://evil.example/fhir"), "invalid_request"),
            ("aud", None, "invalid_request"),
            ("code_challenge", None, "invalid_request"),
            ("code_challenge", Some(VERIFIER), "invalid_request"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
            ("code_challenge_method", None, "invalid_request"),
            ("scope", None, "invalid_scope"),
            ("nonce", Some(&*"n".repeat(5_000)), "invalid_request"),
        ] {
            let answer = way(&server, &wish_with(&server, name, value));
            assert_eq!(led_to(&answer, "error").as_deref(), Some(error), "{name}");
            assert_eq!(led_to(&answer, "state").as_deref(), Some("a state&b=\"><script>"));
            assert_eq!(led_to(&answer, "code"), None, "{name}");
        }
    }
    // An address with a query keeps it.
    let elsewhere = "https://app.example.org/back?x=1";
    let answer = choose(&server, wish_of(&server, "growth-chart", elsewhere, "openid"), "ada", "");
    assert!(answer.header("location").unwrap().starts_with(&format!("{elsewhere}&code=")));
}

#[test]
fn only_the_page_of_this_server_chooses() {
    let server = server();
    let mut choice = wish(&server);
    choice.extend([("user", "dr-weiss".to_owned()), ("patient", "p1".to_owned())]);
    let sent = || form(&server, "/oauth/authorize", &choice);
    let words = "does not come from the page";
    dead_end(&sent().send(), 403, words);
    // Also a site whose pages may read answers.
    let near = server.base.replace("127.0.0.1", "localhost");
    for origin in
        ["null", SITE, "https://evil.example", near.as_str(), &format!("{}0", server.base)]
    {
        dead_end(&sent().header("origin", origin).send(), 403, words);
    }
    assert_eq!(sent().header("origin", &server.base).send().status, 303);
    // A name of another site that leads to this machine.
    let bent = |request: Request| {
        let (address, bytes) = request.written();
        let text = String::from_utf8(bytes).unwrap();
        let text = text.replace(&format!("host: {address}"), "host: evil.example");
        Response::parse(&raw_exchange(address, text.as_bytes()), "GET").unwrap()
    };
    let target = format!("/oauth/authorize?{}", encoded(&wish(&server)));
    dead_end(&bent(server.anonymous().request("GET", &target)), 400, "another host");
    dead_end(&bent(sent().header("origin", "http://evil.example")), 403, "another host");
    dead_end(&bent(sent().header("origin", &server.base)), 403, "another host");
    // Nothing else is taken for the form.
    let json =
        server.anonymous().request("POST", "/oauth/authorize").header("origin", &server.base);
    dead_end(&json.json(&json!({})).send(), 400, "x-www-form-urlencoded");
    // A page of another site is shown nothing that it could read, and cannot show this one in a frame.
    let asked = server.anonymous().request("GET", &target).header("origin", "https://evil.example");
    assert_eq!(asked.send().expect(200).header("access-control-allow-origin"), None);
}

#[test]
fn a_code_is_for_who_asked_for_it_and_good_once() {
    let server = server();
    let with = |name: &str, value: &str| {
        let mut sent = exchange(&code(&server));
        sent.iter_mut().filter(|one| one.0 == name).for_each(|one| one.1 = value.to_owned());
        sent
    };
    for (name, value) in [
        ("code", "made-up"),
        ("client_id", "other"),
        ("client_id", "nobody"),
        ("redirect_uri", "http://127.0.0.1:54322/callback"),
        ("code_verifier", "another-secret-of-another-app-that-is-long-enough"),
        ("code_verifier", &challenge()),
    ] {
        let sent = with(name, value);
        refused(&token(&server, &sent), "invalid_grant");
        // Whoever guesses has one try.
        let first = exchange(&sent[1].1);
        refused(&token(&server, &first), "invalid_grant");
    }
    for name in ["code", "client_id", "redirect_uri", "code_verifier"] {
        refused(&token(&server, &with(name, "")), "invalid_request");
    }
    let sent = exchange(&code(&server));
    let statuses = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| token(&server, &sent).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    // Programs get nothing where none is registered.
    let program =
        [("grant_type", "client_credentials".to_owned()), ("client_id", "growth-chart".to_owned())];
    refused(&token(&server, &program), "invalid_request");
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
    let answer = choose(&server, wish, "demo-clinician", "p0002");
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

#[test]
fn without_users_there_is_no_such_page_and_they_must_make_sense() {
    let server = Server::start();
    server.anonymous().get("/oauth/authorize").problem(404, &["nobody signs in here"]);
    server.anonymous().get("/.well-known/openid-configuration").problem(404, &["nobody signs in"]);
    let request = server.anonymous().request("POST", "/oauth/authorize");
    request.send().problem(404, &["there is no POST /oauth/authorize"]);
    let user = r#"{ sub = "a", name = "A", scopes = ["user/*.rs"] }"#;
    let app = r#"{ id = "x", redirect_uris = ["http://localhost/"] }"#;
    let stranger = r#"{ sub = "a", name = "A", scopes = ["user/*.rs"], password = "x" }"#;
    let of = |part: &str, other: &str| user.replace(part, other);
    let leading = |address: &str| app.replace("http://localhost/", address);
    let beyond = "auth.local_issuer_beyond_loopback=true";
    for (users, apps, further, why) in [
        (user, "", "", "some of both"),
        ("", app, "", "some of both"),
        (user, app, "server.listen=0.0.0.0:0", "other machines can reach server.listen"),
        (user, app, "auth.local_issuer=false", "auth.local_issuer is off"),
        (user, app, "server.public_url=https://charts.example.org", "server.public_url"),
        (user, app, "server.trusted_proxies=127.0.0.1", "a proxy"),
        (user, app, "auth.audience=x", "is a name of this server"),
        (&format!("{user}, {user}"), app, "", "named twice"),
        (&of("user/*.rs", "system/*.rs"), app, "", "another level"),
        (&of("user/*.rs", "user/*.x"), app, "", "is not understood"),
        (&of("\"A\"", "\"\""), app, "", "a sub, a name"),
        (&of("scopes", "patients = [\"a b\"], scopes"), app, "", "no ids of FHIR"),
        (&of("scopes", "fhir_user = \"Device/x\", scopes"), app, "", "a fhir_user that is none"),
        (stranger, app, "", "unknown field `password`"),
        (user, &format!("{app}, {app}"), "", "named twice"),
        (user, &leading("http://app.example.org/"), "", "no code should be sent"),
        (user, &leading("javascript:alert(1)"), "", "no code should be sent"),
        (user, &leading("https://app.example.org/#x"), "", "no code should be sent"),
    ] {
        let (users, apps) = (format!("auth.users=[{users}]"), format!("auth.apps=[{apps}]"));
        let mut arguments = vec!["serve", "--set", "server.listen=127.0.0.1:0"];
        for setting in [users.as_str(), &apps, beyond, further] {
            arguments
                .extend((!setting.is_empty()).then_some(["--set", setting]).into_iter().flatten());
        }
        let output = run(&arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{why}: {told}");
        assert!(told.contains(why), "{why}: {told}");
    }
}
