//! `--data`: serving a store to oneself for the time of a command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::served::{Served, sign_as};
use super::{Failure, Secret};
use crate::auth::TokenRequest;
use crate::clock::Clock;
use crate::config::Config;
use crate::feed::subscriptions::Subscriptions;
use crate::http::Running;

/// Signs a token for the server.
pub type Sign = dyn Fn(TokenRequest) -> Result<Secret, Failure> + Send;

/// Serves the store on a free port of this machine while `work` runs, and closes it cleanly. Nobody else has a token
/// for it: the key that signs them lives in this process only.
///
/// `work` is done in the name of a subject, with its scopes. It gets the server's address, a token, and a flag that is
/// set when it is to stop.
///
/// # Errors
///
/// [`Failure`] of opening the store, or of the work.
pub fn with_store<T: Send + 'static>(
    config: Config,
    (subject, scopes): (&str, &str),
    work: impl FnOnce(&str, &Secret, &Arc<AtomicBool>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (subject, scope) = (subject.to_owned(), scopes.to_owned());
    with_clock(config, Clock::default(), move |url, sign, stop| {
        let token = sign(TokenRequest { subject, scope, ..TokenRequest::default() })?;
        work(url, &token, stop)
    })
}

/// The same with another clock that the logs are stamped by, in the name of whomever `work` signs tokens for.
///
/// # Errors
///
/// [`Failure`] of opening the store, or of the work.
pub fn with_clock<T: Send + 'static>(
    mut config: Config,
    clock: Clock,
    work: impl FnOnce(&str, &Sign, &Arc<AtomicBool>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.tls_certificate_file = None;
    config.auth.local_issuer = true;
    config.auth.issuers.clear();
    let served = Served::privately(&config, clock)?;
    let (issuer, settings) = (Arc::clone(&served.issuer), config.clone());
    let sign = move |wanted| sign_as(&issuer, &settings, wanted).map(Secret::from);
    let store = Arc::clone(&served.store);
    // Not started: who subscribes is told by the next server.
    let subscriptions = Subscriptions::open(&store, &config.feed, &served.base_url);
    let subscriptions = subscriptions.map_err(Failure::failed)?;
    let result = actix_web::rt::System::new().block_on(async move {
        let Running { address, handle, server } = served.start(&config, subscriptions)?;
        let mut server = actix_web::rt::spawn(server);
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let mut work = std::pin::pin!(actix_web::web::block(move || {
            work(&format!("http://{address}"), &sign, &flag)
        }));
        let done = tokio::select! {
            done = &mut work => {
                handle.stop(true).await;
                // The result of the server is of no use any more.
                let _ = server.await;
                done
            }
            // Interrupted: further requests of the work fail.
            _ = &mut server => {
                stop.store(true, Ordering::Relaxed);
                work.await
            }
        };
        done.map_err(Failure::failed)?
    });
    store.engine().close();
    result
}
