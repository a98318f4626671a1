//! `chartlog serve`: opens the store, listens, and serves until it is told to stop.

use std::sync::Arc;

use super::served::{Served, sign};
use super::{Failure, Secret, import, notify, operator, out};
use crate::auth::LocalIssuer;
use crate::config::{App, Config, User};
use crate::demo;
use crate::feed::nats::{NatsError, Publishing};
use crate::feed::siem::{Forwarding, SiemError};
use crate::feed::subscriptions::Subscriptions;
use crate::http::{self, Running};

/// Scopes of the token that `--demo` prints.
const DEMO_SCOPES: &str = "user/*.cruds user/SearchParameter.cud user/AuditEvent.rs";

/// Runs the server.
///
/// # Errors
///
/// [`Failure`]: the address is taken, the store is damaged or in use, a key file is not there.
pub fn run(mut config: Config) -> Result<(), Failure> {
    add_sign_in(&mut config);
    http::install_metrics();
    let mut served = Served::open(&config)?;
    let base = served.base_url.clone();
    let issuer = served.issuer.clone();
    let was_empty = served.store.engine().applied_position().get() == 0;
    let store = Arc::clone(&served.store);
    // Before the start is recorded: it is forwarded too.
    let forwarding = Forwarding::start(&store, &config.audit).map_err(|error| match error {
        SiemError::Settings(_) => Failure::usage(error),
        _ => Failure::failed(error),
    })?;
    operator::started(&store, &config)?;
    let publishing =
        Publishing::start(&store, &config.nats, &base).map_err(|error| match error {
            NatsError::Settings(_) => Failure::usage(error),
            _ => Failure::failed(error),
        })?;
    let subscriptions =
        Subscriptions::open(&store, &config.feed, &base).map_err(Failure::failed)?;
    subscriptions.start().map_err(Failure::failed)?;
    let _keeping = served.keep_keys()?;
    let serving = Arc::clone(&subscriptions);
    let result = actix_web::rt::System::new().block_on(async move {
        let Running { address, handle, server } = served.start(&config, serving)?;
        let server = actix_web::rt::spawn(server);
        if config.demo.enabled {
            let scheme = if config.server.is_tls() { "https" } else { "http" };
            if let Err(failure) =
                load_demo(&config, &format!("{scheme}://{address}"), &issuer, was_empty).await
            {
                handle.stop(true).await;
                return Err(failure);
            }
            print_welcome(&config, &base, &issuer, was_empty)?;
        }
        // Who started it may not care; the server serves all the same.
        let _ = out::tell(format_args!("listening on {base}\n"));
        notify::ready();
        server.await.map_err(Failure::failed)?.map_err(Failure::failed)
    });
    subscriptions.stop();
    publishing.stop();
    operator::stopped(&store);
    forwarding.stop();
    store.engine().close();
    result
}

/// Id of the app that the demo registers, and where it may be on this machine.
const DEMO_APP: &str = "demo-app";
const DEMO_REDIRECTS: [&str; 4] = [
    "http://127.0.0.1/",
    "http://127.0.0.1/callback",
    "http://localhost/",
    "http://localhost/callback",
];
/// Most patients that are shown to choose from.
const DEMO_CHOICES_MAX: usize = 25;

/// Adds a user and an app to the demo, if the configuration has none and nobody beyond this machine reaches the server.
fn add_sign_in(config: &mut Config) {
    let has_some = !config.auth.users.is_empty() || !config.auth.apps.is_empty();
    let is_taken = config.auth.clients.iter().any(|client| client.id == DEMO_APP);
    if !config.demo.enabled || !config.may_sign_in() || has_some || is_taken {
        return;
    }
    let (id, name) = demo::family_doctor();
    let patients = config.demo.patients.min(DEMO_CHOICES_MAX);
    config.auth.users.push(User {
        sub: "demo-clinician".to_owned(),
        name,
        fhir_user: Some(format!("Practitioner/{id}")),
        role: Some("physician".to_owned()),
        scopes: vec!["user/*.cruds".to_owned(), "patient/*.cruds".to_owned()],
        patients: (1..=patients).map(demo::patient_id).collect(),
    });
    config.auth.apps.push(App {
        id: DEMO_APP.to_owned(),
        name: None,
        redirect_uris: DEMO_REDIRECTS.map(str::to_owned).to_vec(),
    });
}

/// Loads the synthetic clinic; what is there already stays as it is.
async fn load_demo(
    config: &Config,
    base: &str,
    issuer: &LocalIssuer,
    was_empty: bool,
) -> Result<u64, Failure> {
    let demo = &config.demo;
    let options =
        demo::DemoOptions { seed: demo.seed, patients: demo.patients, today: demo::TODAY };
    let token = Secret::from(sign(issuer, config, "chartlog-demo", "system/*.cruds")?);
    let base = base.to_owned();
    let load = move || import::load_demo(&base, &token, &options, was_empty);
    actix_web::web::block(load).await.map_err(Failure::failed)?
}

fn print_welcome(
    config: &Config,
    base: &str,
    issuer: &LocalIssuer,
    was_empty: bool,
) -> Result<(), Failure> {
    let token = sign(issuer, config, "demo-clinician", DEMO_SCOPES)?;
    let loaded = if was_empty {
        "A synthetic clinic is loaded. All of its people are made up."
    } else {
        "The synthetic clinic was loaded before. All of its people are made up; whatever else was
stored since is there too."
    };
    let sign_in = match config.auth.apps.iter().any(|app| app.id == DEMO_APP) {
        false => String::new(),
        true => format!(
            "\n  SMART apps  {base}/fhir   client_id {DEMO_APP}, redirect to http://localhost:PORT/callback\n\
             \x20             (development: the page to sign in asks for no password)"
        ),
    };
    let _ = out::tell(format_args!(
        "\
{loaded}

  FHIR R4     {base}/fhir
  native API  {base}/v1
  docs        {base}/docs/{sign_in}

A token for twelve hours:

export TOKEN={token}

Worth trying:

curl -H \"Authorization: Bearer $TOKEN\" '{base}/fhir/Patient?_count=3'
curl -H \"Authorization: Bearer $TOKEN\" '{base}/v1/patients/p0002/diff?from=5'
curl -H \"Authorization: Bearer $TOKEN\" '{base}/v1/patients/p0002/accesses'

"
    ));
    Ok(())
}
