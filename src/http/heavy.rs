//! Requests that take much: so many are worked on side by side, some wait, and the rest is sent away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Failure, Fault};

/// The place of a request among those that take much, until it is dropped.
pub type Place = OwnedSemaphorePermit;

/// The places for requests that take much.
#[derive(Debug)]
pub struct Heavy {
    places: Arc<Semaphore>,
    /// One permit for each request that may still begin to wait.
    waiting: Semaphore,
    patience: Duration,
}

impl Heavy {
    /// So many at a time, and so many that wait for at most that time.
    pub fn new(requests_max: usize, waiting_max: usize, patience: Duration) -> Self {
        let (places, waiting) = (Semaphore::new(requests_max), Semaphore::new(waiting_max));
        Self { places: Arc::new(places), waiting, patience }
    }

    /// A place, at once or after some time.
    ///
    /// # Errors
    ///
    /// 503: too many wait already, or it takes too long.
    pub async fn enter(&self) -> Result<Place, Failure> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let busy = || Failure::of(Fault::Busy, "too many requests that take much at the same time");
        let _turn = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = tokio::time::timeout(self.patience, self.wait()).await;
        place.map_err(|_| busy())?
    }

    /// A place for the next part of an answer that is going out, however long it takes.
    ///
    /// # Errors
    ///
    /// 500: the server is going down.
    pub async fn wait(&self) -> Result<Place, Failure> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Failure::internal())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn some_are_worked_on_some_wait_and_the_rest_is_sent_away() {
        let heavy = Heavy::new(2, 1, Duration::from_secs(3_600));
        let (first, second) = (heavy.enter().await.unwrap(), heavy.enter().await.unwrap());
        let mut third = Box::pin(heavy.enter());
        assert!((&mut third).now_or_never().is_none(), "it waits");
        assert_eq!(heavy.enter().await.unwrap_err().fault, Fault::Busy);
        drop(first);
        let third = third.await.unwrap();
        // Nobody waits any more: there is room to wait again.
        let mut fourth = Box::pin(heavy.enter());
        assert!((&mut fourth).now_or_never().is_none(), "it waits");
        drop((second, third));
        drop(fourth.await.unwrap());
    }

    #[tokio::test]
    async fn who_has_waited_too_long_is_sent_away() {
        let heavy = Heavy::new(1, 1, Duration::ZERO);
        let _first = heavy.enter().await.unwrap();
        assert_eq!(heavy.enter().await.unwrap_err().fault, Fault::Busy);
    }
}
