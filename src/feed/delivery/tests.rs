//! Deliveries to an outlet that ends when it likes.

use std::path::Path;

use super::*;
use crate::disk::RealDisk;

/// So many numbers, three in each batch.
struct Numbers(u64);

impl Source for Numbers {
    type Item = u64;
    type Place = u64;

    async fn next(&mut self, from: &u64) -> Result<(Vec<u64>, u64), Failed> {
        let end = (from + 3).min(self.0);
        Ok(((*from..end).collect(), end))
    }

    fn behind(&self, place: &u64) -> u64 {
        self.0 - place
    }

    async fn moved(&mut self) {}
}

/// Ends after so many batches, and is back at once, each time; then it stays.
struct Ending {
    sessions: Vec<usize>,
    batches: usize,
    is_ended: bool,
    in_doubt: Duration,
    taken: Vec<u64>,
}

impl Outlet for Ending {
    type Item = u64;
    type Place = u64;

    async fn deliver(&mut self, items: &[u64]) -> Result<(), Failed> {
        self.check()?;
        self.taken.extend(items);
        self.batches += 1;
        self.is_ended = self.sessions.first() == Some(&self.batches);
        Ok(())
    }

    fn in_doubt(&self) -> Duration {
        self.in_doubt
    }

    fn check(&mut self) -> Result<(), Failed> {
        if std::mem::take(&mut self.is_ended) {
            self.sessions.remove(0);
            self.batches = 0;
            return Err(Failed("ended".to_owned()));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failed> {
        self.check()
    }
}

fn delivery(
    folder: &Path,
    numbers: u64,
    sessions: &[usize],
    in_doubt: Duration,
) -> Delivery<Numbers, Ending> {
    let (sessions, batches, is_ended, taken) = (sessions.to_vec(), 0, false, Vec::new());
    let outlet = Ending { sessions, batches, is_ended, in_doubt, taken };
    let cursor = CursorFile::new(RealDisk::handle(), folder, "numbers").unwrap();
    let place = cursor.load().unwrap().unwrap_or_default();
    Delivery {
        name: "numbers".to_owned(),
        figure: "numbers".to_owned(),
        source: Numbers(numbers),
        outlet,
        cursor,
        place,
        doubted: VecDeque::new(),
        repeating: 0,
        is_fresh: true,
        stalls: 0,
        saved: place,
        saved_at: Instant::now(),
        failing_since: None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Until there is nothing more.
fn drain(delivery: &mut Delivery<Numbers, Ending>) {
    runtime().block_on(async { while delivery.step().await != Ok(false) {} });
}

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn what_is_in_doubt_comes_again_and_the_cursor_stays_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = delivery(folder.path(), 10, &[3], LONG);
    drain(&mut delivery);
    let all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(delivery.outlet.taken, [&all[..], &all[..], &[9]].concat());
    delivery.save();
    assert_eq!(delivery.cursor.load().unwrap(), None, "nothing has arrived for sure");
    // The other side has ended it in order.
    let (stop, stopping) = watch::channel(true);
    drop(stop);
    runtime().block_on(delivery.run(stopping));
    let after = self::delivery(folder.path(), 10, &[3], LONG);
    assert_eq!(after.place, 10);
}

#[test]
fn what_has_arrived_does_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = delivery(folder.path(), 10, &[2], Duration::ZERO);
    // The second batch is in doubt when the outlet ends.
    drain(&mut delivery);
    assert_eq!(delivery.outlet.taken, [0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9]);
    delivery.save();
    assert_eq!(delivery.cursor.load().unwrap(), Some(10));
}

#[test]
fn an_outlet_that_ends_after_each_batch_gets_everything_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = delivery(folder.path(), 7, &[1; 100], LONG);
    drain(&mut delivery);
    let taken = &delivery.outlet.taken;
    let count = |number| taken.iter().filter(|taken| **taken == number).count();
    assert_eq!([0, 3].map(count), [1 + REPEATS_MAX as usize; 2]);
    assert_eq!(count(6), 1);
}
