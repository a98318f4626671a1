//! The events of the log as they were written.

use super::{Engine, EngineError, envelope_of};
use crate::chart::Envelope;
use crate::numbers::Position;

impl Engine {
    /// Calls `take` with every event that can be read, in the order of the log: its position, envelope and body, as they were written.
    ///
    /// # Errors
    ///
    /// Those of `take` and of the log.
    pub fn each_written(
        &self,
        mut take: impl FnMut(Position, Envelope, Vec<u8>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let view = self.views.view();
        let end = view.applied_events()?;
        for group in self.keys.reader().scan(Position::default(), end) {
            let group = group?;
            let mut position = group.first_position;
            for (frame, location) in group.frames {
                match self.keys.open(&view, frame, location) {
                    Err(EngineError::Erased(_)) => {}
                    payload => {
                        let mut payload = payload?;
                        let (envelope, start) = envelope_of(&payload)?;
                        payload.drain(..start);
                        take(position, envelope, payload)?;
                    }
                }
                position = position.next();
            }
        }
        Ok(())
    }
}
