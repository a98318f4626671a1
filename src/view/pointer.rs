//! Pointers: where the index of events has an event.

use crate::numbers::Slot;
use serde::{Deserialize, Serialize};

/// Events in a full stretch, as a power of two.
const STRETCH_BITS: u32 = 6;
/// Events in a full stretch.
pub const STRETCH_EVENTS: u64 = 1 << STRETCH_BITS;

/// Where the index of events has an event: slot, and number of events before it in its
/// stretch, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer(u64);

impl Pointer {
    /// Of an event at a slot, so many events behind the start of its stretch.
    pub fn new(slot: Slot, back: u64) -> Self {
        Self(slot.get() << STRETCH_BITS | back & (STRETCH_EVENTS - 1))
    }

    /// The event's slot.
    pub fn slot(self) -> Slot {
        Slot::new(self.0 >> STRETCH_BITS)
    }

    /// Slot of the first event of its stretch.
    pub fn first(self) -> Slot {
        Slot::new(self.slot().get() - self.back())
    }

    /// How many events of its stretch stand before it.
    pub fn back(self) -> u64 {
        self.0 & (STRETCH_EVENTS - 1)
    }

    /// The event so many events behind it, in the same group.
    pub fn onward(self, events: u64) -> Self {
        Self::new(self.slot() + events, self.back() + events)
    }

    /// The event so many events before it, in the same group.
    pub fn backward(self, events: u64) -> Self {
        let back = self.back().wrapping_sub(events);
        Self::new(Slot::new(self.slot().get().saturating_sub(events)), back)
    }
}
