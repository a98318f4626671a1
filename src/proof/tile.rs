//! Names of tiles (C2SP tlog-tiles, "Merkle Tree").

use std::fmt;
use std::str::FromStr;

use super::ProofError;

/// Hashes of a full tile.
pub const TILE_WIDTH: u64 = 256;

/// Highest level that the standard knows.
const LEVEL_MAX: u32 = 63;
/// Decimal digits of one element of the path.
const ELEMENT_BASE: u64 = 1000;

/// A tile: `width` consecutive hashes of a tile level. As text, its path: `tile/0/x001/234` for a
/// full one, `tile/0/x001/234.p/5` for the first five hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// Each hash is the root over 256^`level` leaves.
    pub level: u32,
    /// Number of the tile in its level, from 0.
    pub index: u64,
    /// Hashes in it: 256, or 1 to 255 of a partial tile.
    pub width: u16,
}

impl Tile {
    /// Number of its first hash within its level; `None` if no log can be so long.
    #[must_use]
    pub fn start(&self) -> Option<u64> {
        self.index.checked_mul(TILE_WIDTH)
    }

    /// Whether all its hashes are there.
    #[must_use]
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index_text, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, decimal(width).filter(|width| *width < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for element in index_text.split('/') {
            let digits = element.strip_prefix('x').unwrap_or(element);
            let value = digits.parse::<u64>().ok().filter(|value| *value < ELEMENT_BASE)?;
            index = index.checked_mul(ELEMENT_BASE)?.checked_add(value)?;
        }
        let level = u32::try_from(decimal(level)?).ok().filter(|level| *level <= LEVEL_MAX)?;
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, index, width })
    }
}

fn decimal(text: &str) -> Option<u64> {
    text.parse().ok()
}

impl FromStr for Tile {
    type Err = ProofError;

    fn from_str(path: &str) -> Result<Self, ProofError> {
        // A tile has exactly one path: signs, further zeros and missing `x` are refused.
        Self::parse(path)
            .filter(|tile| tile.to_string() == path)
            .ok_or_else(|| ProofError::TilePath(path.chars().take(80).collect()))
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut elements = vec![self.index % ELEMENT_BASE];
        let mut rest = self.index / ELEMENT_BASE;
        while rest > 0 {
            elements.push(rest % ELEMENT_BASE);
            rest /= ELEMENT_BASE;
        }
        write!(formatter, "tile/{}/", self.level)?;
        for (place, element) in elements.iter().enumerate().rev() {
            let (before, after) = if place > 0 { ("x", "/") } else { ("", "") };
            write!(formatter, "{before}{element:03}{after}")?;
        }
        if self.is_full() { Ok(()) } else { write!(formatter, ".p/{}", self.width) }
    }
}
