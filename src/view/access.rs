//! The index over the access log.

use std::sync::Arc;

use fjall::Readable;

use super::generation::Generation;
use super::records::encode;
use super::{View, ViewError, keys};
use crate::log::{Location, StreamAlias};
use crate::numbers::Position;

/// The entries of one group of the access log.
#[derive(Debug, Clone)]
pub struct AccessGroup {
    /// Position of the first.
    pub first_position: Position,
    /// Where the group lies.
    pub location: Location,
    /// The charts of each entry, in order.
    pub charts: Vec<Vec<StreamAlias>>,
}

impl Generation {
    /// Indexes groups of access entries, in order, all or nothing.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn apply_access(&self, groups: &[AccessGroup]) -> Result<(), ViewError> {
        let Some(last) = groups.last() else { return Ok(()) };
        let mut batch = self.database.batch();
        for AccessGroup { first_position, location, charts } in groups {
            for (charts, position) in charts.iter().zip(first_position.get()..) {
                for alias in charts {
                    batch.insert(&self.spaces.access_charts, keys::pair(alias.0, position), []);
                }
            }
            let Location { segment, offset, length } = *location;
            let place = encode(&(segment, offset, length))?;
            batch.insert(&self.spaces.access_groups, first_position.get().to_be_bytes(), place);
        }
        let applied = last.first_position + last.charts.len() as u64;
        batch.insert(&self.spaces.state, "access", encode(&applied)?);
        Ok(batch.commit()?)
    }
}

impl View {
    /// Positions of the access entries that touched a chart, newest first, from below `before`.
    pub fn accesses_of_chart(
        &self,
        alias: StreamAlias,
        before: Position,
    ) -> impl Iterator<Item = Result<Position, ViewError>> + use<> {
        let range = keys::pair(alias.0, 0)..keys::pair(alias.0, before.get());
        let entries = self.snapshot.range(&self.spaces().access_charts, range).rev();
        // The files must stay as long as the iterator.
        let generation = Arc::clone(&self.generation);
        entries.map(move |entry| {
            let _ = &generation;
            Ok(Position::new(keys::last_number(&entry.key()?)))
        })
    }

    /// Where the group lies that holds an access entry.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn access_group(&self, position: Position) -> Result<Option<Location>, ViewError> {
        let range = 0u64.to_be_bytes()..=position.get().to_be_bytes();
        let Some(entry) = self.snapshot.range(&self.spaces().access_groups, range).next_back()
        else {
            return Ok(None);
        };
        let (segment, offset, length) = super::records::decode("access_groups", &entry.value()?)?;
        Ok(Some(Location { segment, offset, length }))
    }
}
