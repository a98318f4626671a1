//! Pointers: where the index of events has an event.

use crate::numbers::Position;
use serde::{Deserialize, Serialize};

/// Events in a full stretch, as a power of two.
const STRETCH_BITS: u32 = 6;
/// Events in a full stretch.
pub const STRETCH_EVENTS: u64 = 1 << STRETCH_BITS;

/// Where the index of events has an event: position, and number of events before it in its
/// stretch, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer(u64);

impl Pointer {
    /// Of an event at a position, so many events behind the start of its stretch.
    pub fn new(position: Position, back: u64) -> Self {
        Self(position.get() << STRETCH_BITS | back & (STRETCH_EVENTS - 1))
    }

    /// The event's position.
    pub fn position(self) -> Position {
        Position::new(self.0 >> STRETCH_BITS)
    }

    /// Position of the first event of its stretch.
    pub fn first(self) -> Position {
        Position::new(self.position().get() - self.back())
    }

    /// How many events of its stretch stand before it.
    pub fn back(self) -> u64 {
        self.0 & (STRETCH_EVENTS - 1)
    }

    /// The event so many events behind it, in the same group.
    pub fn onward(self, events: u64) -> Self {
        Self::new(self.position() + events, self.back() + events)
    }

    /// The event so many events before it, in the same group.
    pub fn backward(self, events: u64) -> Self {
        let back = self.back().wrapping_sub(events);
        Self::new(Position::new(self.position().get().saturating_sub(events)), back)
    }
}
