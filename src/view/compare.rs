//! Comparing two generations, record by record.

use fjall::Readable;

use super::ViewError;
use super::generation::Generation;

/// The result of comparing two generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// All records are the same.
    Same {
        /// How many there are.
        records: u64,
    },
    /// One differs.
    Differs {
        /// The keyspace.
        keyspace: String,
        /// The key of the first record that differs, or that only one generation has.
        key: Vec<u8>,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Generation {
    /// Compares every keyspace with that of a generation that was made from the same logs.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`].
    pub fn compare(&self, made_anew: &Self) -> Result<Comparison, ViewError> {
        let (kept, anew) = (self.database.snapshot(), made_anew.database.snapshot());
        let mut records = 0;
        for (space, other) in self.spaces.all().into_iter().zip(made_anew.spaces.all()) {
            let (mut left, mut right) = (kept.iter(space), anew.iter(other));
            loop {
                let (one, two) = (left.next(), right.next());
                let one = one.map(fjall::Guard::into_inner).transpose()?;
                let two = two.map(fjall::Guard::into_inner).transpose()?;
                let (key, problem) = match (one, two) {
                    (None, None) => break,
                    (Some(one), Some(two)) if one == two => {
                        records += 1;
                        continue;
                    }
                    (Some((key, _)), Some((other, _))) if key == other => {
                        (key, "the record differs")
                    }
                    (Some((key, _)), Some((other, _))) if other < key => {
                        (other, "the record is missing")
                    }
                    (None, Some((key, _))) => (key, "the record is missing"),
                    (Some((key, _)), _) => (key, "the record does not follow from the logs"),
                };
                let (keyspace, key) = (space.name().to_string(), key.to_vec());
                return Ok(Comparison::Differs { keyspace, key, problem });
            }
        }
        Ok(Comparison::Same { records })
    }
}
