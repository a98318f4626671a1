//! `--data`: serving a store to oneself for the time of an import.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::served::{Served, sign};
use super::super::{Failure, Secret};
use crate::config::Config;
use crate::feed::subscriptions::Subscriptions;
use crate::http::Running;

/// The subject that the events of such an import name.
const SUBJECT: &str = "chartlog-import";
const SCOPES: &str = "system/*.cruds system/SearchParameter.cud";

/// Serves the store on a free port of this machine while `work` runs, and closes it cleanly.
///
/// `work` gets the server's address, a token, and a flag that is set when it is to stop.
///
/// # Errors
///
/// [`Failure`] of opening the store, or of the work.
pub fn with_store<T: Send + 'static>(
    mut config: Config,
    work: impl FnOnce(&str, &Secret, &Arc<AtomicBool>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.auth.local_issuer = true;
    let served = Served::open(&config)?;
    let token = Secret::from(sign(&served.issuer, &config, SUBJECT, SCOPES)?);
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
            work(&format!("http://{address}"), &token, &flag)
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
