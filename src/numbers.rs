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
    /// Number of a resource in the index: the position of its first event.
    ResourceNumber
}

impl ResourceNumber {
    /// Of the resource whose first event stands there.
    #[must_use]
    pub const fn of(first: Position) -> Self {
        Self(first.0)
    }

    /// Position of its first event.
    #[must_use]
    pub const fn position(self) -> Position {
        Position(self.0)
    }
}

number! {
    /// Number of a version of a resource, from 1: FHIR's `meta.versionId`. 0: none.
    ResourceVersion
}
