//! Attacks on the sign-in of users for apps, and settings that would invite them.

use serde_json::json;

use crate::app_launch::{
    BACK, Pairs, SITE, VERIFIER, challenge, choose, code, encoded, exchange, form, led_to, page,
    refused, server, token, wish, wish_of,
};
use crate::harness::{Request, Response, Server, raw_exchange, run};

/// A way to ask for something.
type Way = fn(&Server, &[(&str, String)]) -> Response;

/// The same with one parameter replaced, or removed.
fn wish_with(server: &Server, name: &str, value: Option<&str>) -> Pairs {
    let mut wish = wish(server);
    match value {
        Some(value) => {
            wish.iter_mut().filter(|one| one.0 == name).for_each(|one| one.1 = value.to_owned())
        }
        None => wish.retain(|one| one.0 != name),
    }
    wish
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

#[test]
fn nobody_is_led_to_where_no_app_is() {
    let server = server();
    let ways: [Way; 2] = [page, |server, wish| choose(server, wish, "dr-weiss", "p1")];
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
    let answer = choose(&server, &wish_of(&server, "growth-chart", elsewhere, "openid"), "ada", "");
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
