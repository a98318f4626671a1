//! `chartlog serve`: opens the store, listens, and serves until it is told to stop.

use std::sync::Arc;

use super::served::{Served, is_demo, sign};
use super::{Failure, Secret, import, notify, operator, out, private};
use crate::auth::LocalIssuer;
use crate::clock::{Clock, Instant};
use crate::config::{App, Config, DemoConfig, PoliciesConfig, StoreConfig, User};
use crate::demo;
use crate::feed::nats::{NatsError, Publishing};
use crate::feed::siem::{Forwarding, SiemError};
use crate::feed::subscriptions::Subscriptions;
use crate::http::{self, Running};

/// Scopes of the token that `--demo` prints.
const DEMO_SCOPES: &str =
    "user/*.cruds user/SearchParameter.cud user/AuditEvent.rs user/BreakGlass.cru";

/// Runs the server.
///
/// # Errors
///
/// [`Failure`]: the address is taken, the store is damaged or in use, a key file is not there.
pub fn run(mut config: Config) -> Result<(), Failure> {
    if config.demo.enabled {
        add_sign_in(&mut config);
        add_glass(&mut config);
    }
    http::install_metrics();
    let is_new = is_new_demo(&config);
    if is_new {
        record_demo(&config)?;
    }
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
            let address = format!("{scheme}://{address}");
            if !is_new && let Err(failure) = load_demo(&config, &address, &issuer, was_empty).await
            {
                handle.stop(true).await;
                return Err(failure);
            }
            print_welcome(&config, &base, &issuer, is_new || was_empty)?;
        }
        // At once: who waits for the first line may read no further.
        let console = match config.demo.enabled && config.console.enabled {
            true => format!("\n\nA console for the browser:\n\n{base}/console/"),
            false => String::new(),
        };
        // Who started it may not care; the server serves all the same.
        let _ = out::tell(format_args!("listening on {base}{console}\n"));
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
/// Where the console is on this machine.
const CONSOLE_REDIRECTS: [&str; 2] = ["http://127.0.0.1/console/", "http://localhost/console/"];
/// Most patients that are shown to choose from.
const DEMO_CHOICES_MAX: usize = 25;

/// Adds users and apps to the demo, if the configuration has none and nobody beyond this machine reaches the server.
fn add_sign_in(config: &mut Config) {
    let has_some = !config.auth.users.is_empty() || !config.auth.apps.is_empty();
    let is_taken = config.auth.clients.iter().any(|client| client.id == DEMO_APP);
    if !config.may_sign_in() || has_some || is_taken {
        return;
    }
    let (id, name) = demo::family_doctor();
    let patients = config.demo.patients.min(DEMO_CHOICES_MAX);
    let owned = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    config.auth.users.push(User {
        sub: "demo-clinician".to_owned(),
        name,
        fhir_user: Some(format!("Practitioner/{id}")),
        role: Some("physician".to_owned()),
        scopes: owned(&[
            "user/*.cruds",
            "user/AuditEvent.rs",
            "user/SearchParameter.cud",
            "patient/*.cruds",
        ]),
        patients: (1..=patients).map(demo::patient_id).collect(),
    });
    config.auth.users.push(User {
        sub: "demo-officer".to_owned(),
        name: "Compliance office".to_owned(),
        fhir_user: None,
        role: Some("compliance officer".to_owned()),
        scopes: owned(&[
            "user/*.rs",
            "user/AuditEvent.rs",
            "user/BreakGlass.ru",
            "user/ChartErasure.cr",
            "user/ChartHold.cd",
            "user/Feed.crud",
            "user/Retention.r",
        ]),
        patients: Vec::new(),
    });
    config.auth.apps.push(App {
        id: DEMO_APP.to_owned(),
        name: None,
        redirect_uris: DEMO_REDIRECTS.map(str::to_owned).to_vec(),
    });
    config.auth.apps.push(App {
        id: config.console.client_id.clone(),
        name: Some("Chartlog console".to_owned()),
        redirect_uris: CONSOLE_REDIRECTS.map(str::to_owned).to_vec(),
    });
}

/// Minutes for which a broken glass stays broken in the demo.
const DEMO_GLASS_MINUTES: u64 = 30;

/// Lets a glass be broken in the demo, which has one that was.
fn add_glass(config: &mut Config) {
    if config.policies.break_glass_minutes == 0 {
        config.policies.break_glass_minutes = DEMO_GLASS_MINUTES;
    }
}

/// Whether the past of the clinic can be recorded with its own times: there is no store yet, and its logs get a name that
/// says so. Logs under a name of somebody's own are stamped by the system's clock alone.
fn is_new_demo(config: &Config) -> bool {
    config.demo.enabled && config.proof.origin.is_none() && !config.store.data.join("log").exists()
}

fn demo_options(config: &Config) -> demo::DemoOptions {
    let DemoConfig { seed, patients, .. } = config.demo;
    demo::DemoOptions { seed, patients, today: demo::TODAY }
}

/// Makes a store with the past of the synthetic clinic. No rule of the configuration is held against it: it is all before their time.
fn record_demo(config: &Config) -> Result<(), Failure> {
    let mut past = demo::history(&demo_options(config)).peekable();
    let Some((opened, _)) = past.peek() else { return Ok(()) };
    let clock = Clock::standing(*opened);
    let mut config = config.clone();
    config.proof.origin = Some(format!("{}{}", demo::ORIGIN, uuid::Uuid::new_v4().simple()));
    let break_glass_minutes = config.policies.break_glass_minutes;
    config.policies = PoliciesConfig { break_glass_minutes, ..PoliciesConfig::default() };
    config.store.referential_integrity = StoreConfig::default().referential_integrity;
    config.limits.requests_per_second_per_token = 0;
    config.limits.requests_per_second_per_address = 0;
    private::with_clock(config, clock.clone(), move |base, sign, stop| {
        import::record_demo(base, sign, &clock, past, stop)
    })
}

/// Loads the synthetic clinic; what is there already stays as it is.
async fn load_demo(
    config: &Config,
    base: &str,
    issuer: &LocalIssuer,
    was_empty: bool,
) -> Result<(), Failure> {
    let options = demo_options(config);
    let (subject, scopes) = import::LOADER;
    let token = Secret::from(sign(issuer, config, subject, scopes)?);
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
    let loaded = match (was_empty, is_demo(config)) {
        (true, true) => {
            "A synthetic clinic is loaded. All of its people are made up, and so are the times at which its
past was recorded."
        }
        (true, false) => "A synthetic clinic is loaded. All of its people are made up.",
        (false, _) => {
            "The synthetic clinic was loaded before. All of its people are made up; whatever else was
stored since is there too."
        }
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
  docs        {base}/docs{sign_in}

A token for twelve hours:

export TOKEN={token}

Worth trying:
{}
",
        worth_trying(config, base)
    ));
    Ok(())
}

/// Requests that show what others cannot.
fn worth_trying(config: &Config, base: &str) -> String {
    let ask = |words: &str, target: &str| {
        format!("\n# {words}\ncurl -H \"Authorization: Bearer $TOKEN\" '{base}{target}'\n")
    };
    let sights = demo::sights(&demo_options(config)).filter(|_| is_demo(config));
    let Some(demo::Sights { patient, early, correction: (before, after) }) = sights else {
        return ["/fhir/Patient?_count=3", "/v1/accesses?count=3", "/v1/events?limit=3"]
            .map(|target| ask(&format!("GET {target}"), target))
            .concat();
    };
    let conditions = format!("/fhir/Condition?patient={patient}&_elements=code,onsetDateTime");
    let as_of = format!("{conditions}&_asOf={}", seconds(early));
    let (before, after) = (seconds(before), seconds(after));
    let diff = format!("/v1/patients/{patient}/diff?from={before}&to={after}");
    let glass = format!("/v1/patients/{patient}/accesses?breakGlass=true");
    let accesses = format!("/v1/patients/{patient}/accesses?count=20");
    [
        ask("What the patient has", &conditions),
        ask("What was known of it then", &as_of),
        ask("A correction: what changed within two hours", &diff),
        ask("Who looked at the chart", &accesses),
        ask("Who broke the glass, and when", &glass),
        ask("Why: those that nobody has reviewed yet", "/v1/break-glass"),
    ]
    .concat()
}

/// An instant as people write it.
fn seconds(at: Instant) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
}
