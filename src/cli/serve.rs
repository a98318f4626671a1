//! `chartlog serve`: opens the store, listens, and serves until it is told to stop.

use std::sync::Arc;

use super::served::{Served, sign};
use super::{Failure, Secret, import, operator};
use crate::auth::LocalIssuer;
use crate::config::Config;
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
pub fn run(config: Config) -> Result<(), Failure> {
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
        println!("listening on {base}");
        server.await.map_err(Failure::failed)?.map_err(Failure::failed)
    });
    subscriptions.stop();
    publishing.stop();
    operator::stopped(&store);
    forwarding.stop();
    store.engine().close();
    result
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
    println!(
        "\
{loaded}

  FHIR R4     {base}/fhir
  native API  {base}/v1
  docs        {base}/docs/

A token for twelve hours:

export TOKEN={token}

Worth trying:

curl -H \"Authorization: Bearer $TOKEN\" '{base}/fhir/Patient?_count=3'
curl -H \"Authorization: Bearer $TOKEN\" '{base}/v1/patients/p0002/diff?from=5'
curl -H \"Authorization: Bearer $TOKEN\" '{base}/v1/patients/p0002/accesses'
"
    );
    Ok(())
}
