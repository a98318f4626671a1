//! The settings of `[console]`.

use super::super::kind::Kind;
use super::super::setting::Setting;
use super::setting;

/// The settings of `[console]`.
pub static SETTINGS: &[Setting] = &[
    setting("console.enabled", Kind::Switch, "Whether there is a console at /console/", |config| {
        &mut config.console.enabled
    }),
    setting(
        "console.client_id",
        Kind::Text("the client_id of an app"),
        "The client_id that the console has where people sign in: at the first of auth.issuers that says\n\
         where tokens are to be had. It is a public client there (authorization code with PKCE), and\n\
         browsers come back to PUBLIC_URL/console/",
        |config| &mut config.console.client_id,
    ),
    setting(
        "console.scope",
        Kind::Text("scopes with spaces between"),
        "The scopes that the console asks for there; it shows what it is given of them",
        |config| &mut config.console.scope,
    ),
];
