//! The page where a user is chosen: markup alone, no script and no style.

use std::fmt::Write;

use actix_web::http::StatusCode;

use super::super::Reply;
use super::super::markup::escaped;
use crate::config::User;
use crate::issuing::{AUTHORIZE_PATH, Wish, origin};

const WARNING: &str = "<p><strong>For development only.</strong> Nobody is asked for a password here: whoever reaches this \
                       page can be any of these users. It exists on a server alone that no other machine reaches. In \
                       production, people sign in at an OpenID Connect provider.</p>";

/// Asks whom an app is to act for. What it sent comes back with the answer.
pub fn question(wish: &Wish<'_>, users: &[User], sent: &[(&str, &str)]) -> Reply {
    let hidden = sent.iter().fold(String::new(), |mut out, (name, value)| {
        let value = escaped(value);
        let _ = write!(out, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        out
    });
    let app = escaped(wish.app.name.as_deref().unwrap_or(&wish.app.id));
    let mut body = format!(
        "<p><b>{app}</b> asks for access to health records, and goes on at <code>{}</code>.</p>",
        escaped(&origin(wish.redirect_uri))
    );
    for (number, user) in users.iter().enumerate() {
        add_user(&mut body, wish, number, user, &hidden);
    }
    let _ = write!(
        body,
        "<form method=\"post\" action=\"{AUTHORIZE_PATH}\">{hidden}<p><button>Refuse</button></p></form>"
    );
    // Browsers hold where an answer to a form leads against this too.
    let target = format!("'self' {}", origin(wish.redirect_uri));
    page(StatusCode::OK, "Sign in for development", &body, &target)
}

fn add_user(out: &mut String, wish: &Wish<'_>, number: usize, user: &User, hidden: &str) {
    let (name, sub) = (escaped(&user.name), escaped(&user.sub));
    let role = user.role.as_deref().map(|role| format!(", {}", escaped(role))).unwrap_or_default();
    let scope = wish.scope_of(user);
    let _ = write!(out, "<h2>{name}{role}</h2>");
    if scope.is_empty() {
        out.push_str("<p>May allow nothing of what is asked for.</p>");
        return;
    }
    let needs_patient = wish.needs_patient(user);
    if needs_patient && user.patients.is_empty() {
        out.push_str("<p>Has no patient to choose, and the app wants one.</p>");
        return;
    }
    let granted = scope.split(' ').map(|scope| format!("<li><code>{}</code></li>", escaped(scope)));
    let granted: String = granted.collect();
    let _ = write!(
        out,
        "<p>Allows:</p><ul>{granted}</ul><form method=\"post\" action=\"{AUTHORIZE_PATH}\">{hidden}"
    );
    if needs_patient {
        let option = |id: &String| format!("<option>{}</option>", escaped(id));
        let options: String = user.patients.iter().map(option).collect();
        let _ = write!(
            out,
            "<p><label for=\"patient-{number}\">Patient</label> \
             <select id=\"patient-{number}\" name=\"patient\">{options}</select></p>"
        );
    }
    let _ = write!(
        out,
        "<p><button name=\"user\" value=\"{sub}\">Continue as {name}</button></p></form>"
    );
}

/// Says why an app gets no answer at all.
pub fn refusal(status: StatusCode, what: &str) -> Reply {
    let body = format!("<p>This request cannot be answered: {}.</p>", escaped(what));
    page(status, "No sign-in", &body, "'none'")
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Reply {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Chartlog</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head>\
         <body><main><h1>{title}</h1>{WARNING}{body}</main></body></html>\n"
    );
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    );
    Reply::new(status, "text/html; charset=utf-8", text.into_bytes())
        .header("cache-control", "no-store")
        .header("content-security-policy", policy)
        // The form says where it comes from, which it would not without any; the app is told nothing.
        .header("referrer-policy", "same-origin")
}
