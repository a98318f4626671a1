//! The numbers that the logs and their contents are counted with, each a type of its own, so that
//! none is taken for another.

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// From the plain number.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The plain number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one before it; of 0: 0.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }

            /// The one that follows it; behind the last there is none, and clients name any number.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // None is larger than what a signed number holds: `int64`, as clients are generated for.
                let _: i64 = text.parse()?;
                text.parse().map(Self)
            }
        }
    };
}

/// Numbers that follow each other without a gap, so that steps between them can be counted.
macro_rules! gapless {
    ($name:ident) => {
        impl std::ops::Add<u64> for $name {
            type Output = Self;

            fn add(self, steps: u64) -> Self {
                Self(self.0 + steps)
            }
        }

        impl std::ops::Sub for $name {
            type Output = u64;

            fn sub(self, other: Self) -> u64 {
                self.0 - other.0
            }
        }
    };
}

number! {
    /// Gapless number of an event or access entry in its log, from 0; also of the next one, which is how
    /// many there are.
    Position
}
gapless!(Position);

number! {
    /// Number of an event within its chart, from 1, which the chart has as its version from then on.
    /// 0: none yet.
    ChartVersion
}
gapless!(ChartVersion);

number! {
    /// Gapless number of an event in the index, from 0: its position, and one more for each part that upcasters have made
    /// of the events before it. Of one generation of views.
    Slot
}
gapless!(Slot);

number! {
    /// Gapless number of an event of a chart in the index, from 1: its chart version, and one more for each part that upcasters
    /// have made in the chart up to there. 0: none yet. Of one generation of views.
    Step
}
gapless!(Step);

number! {
    /// Number of a resource in the index: the slot of its first event.
    ResourceNumber
}

impl ResourceNumber {
    /// Of the resource whose first event stands there.
    #[must_use]
    pub const fn of(first: Slot) -> Self {
        Self(first.0)
    }

    /// Slot of its first event.
    #[must_use]
    pub const fn slot(self) -> Slot {
        Slot(self.0)
    }
}

number! {
    /// An event as access entries name it, whatever upcasters make of it later: its position; and if it is a part of what is told
    /// of an event, that and the number of the part.
    EventId
}

/// Parts that upcasters may make of an event.
pub const PARTS_MAX: u8 = 15;

impl EventId {
    /// Marks the number of a part.
    const PART: u64 = 1 << 63;
    const PART_BITS: u32 = PARTS_MAX.count_ones();

    /// Of a part of an event, from 1; 0: of the event itself.
    #[must_use]
    pub const fn of(position: Position, part: u8) -> Self {
        match part & PARTS_MAX {
            0 => Self(position.0),
            part => Self(Self::PART | position.0 << Self::PART_BITS | part as u64),
        }
    }

    /// Its position in the log.
    #[must_use]
    pub const fn position(self) -> Position {
        match self.part() {
            0 => Position(self.0),
            _ => Position((self.0 & !Self::PART) >> Self::PART_BITS),
        }
    }

    /// Which part of what is told of that event; 0: what it says of its own resource.
    #[must_use]
    pub const fn part(self) -> u8 {
        if self.0 & Self::PART == 0 { 0 } else { (self.0 & PARTS_MAX as u64) as u8 }
    }
}

number! {
    /// Number of a version of a resource, from 1: FHIR's `meta.versionId`. 0: none.
    ResourceVersion
}

impl ResourceVersion {
    /// The version with that id. Ids are texts (FHIR R4 §2.24.0.4): `01` is not the id of version 1.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        let version = id.parse().ok()?;
        (Self(version).to_string() == id).then_some(Self(version))
    }
}
