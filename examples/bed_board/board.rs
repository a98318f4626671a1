//! A bed board: who is where, and who was where at any past minute, by the places and periods of `Encounter.location`.

use std::collections::{BTreeMap, BTreeSet};

use chartlog::clock::Instant;
use chartlog::feed::projection::Event;
use serde::{Deserialize, Serialize};

use super::shared::{Fold, Known, Reference};

/// The types of resources that it is made from.
pub const TYPES: &str = "Encounter";

/// A patient in a place for some time, in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stay {
    place: String,
    patient: String,
    from: i64,
    /// `None`: still.
    until: Option<i64>,
}

/// Each place with who is there.
pub type Board = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BedBoard {
    known: Known<Vec<Stay>>,
}

impl BedBoard {
    pub fn at(&self, moment: Instant) -> Board {
        board(self.known.all().flatten(), moment)
    }
}

impl Fold for BedBoard {
    fn take(&mut self, event: &Event) {
        if event.is_erased() {
            self.known.forget(event.chart.as_deref().unwrap_or_default());
        } else {
            let body = event.body.as_deref().map_or("", |body| body.get());
            let stays = stays(body, event.patient.as_deref());
            self.known.replace(event, (!stays.is_empty()).then_some(stays));
        }
    }
}

/// What some stays make of a moment.
pub fn board<'a>(stays: impl IntoIterator<Item = &'a Stay>, moment: Instant) -> Board {
    let mut board = Board::new();
    for stay in stays {
        let is_then =
            stay.from <= moment.micros() && stay.until.is_none_or(|until| moment.micros() < until);
        if is_then {
            board.entry(stay.place.clone()).or_default().insert(stay.patient.clone());
        }
    }
    board
}

#[derive(Deserialize)]
struct Encounter {
    status: String,
    subject: Option<Reference>,
    period: Option<Period>,
    #[serde(default)]
    location: Vec<Location>,
}

#[derive(Deserialize)]
struct Location {
    location: Reference,
    status: Option<String>,
    period: Option<Period>,
}

#[derive(Deserialize)]
struct Period {
    start: Option<String>,
    end: Option<String>,
}

/// The stays that an Encounter in a chart tells of; anything else tells of none. A place without a period of its own has that of
/// the whole Encounter.
pub fn stays(resource: &str, patient: Option<&str>) -> Vec<Stay> {
    let (Some(patient), Ok(encounter)) = (patient, serde_json::from_str::<Encounter>(resource))
    else {
        return Vec::new();
    };
    let is_there = ["arrived", "triaged", "in-progress", "onleave", "finished"];
    if !is_there.contains(&encounter.status.as_str())
        || !Reference::is_of(encounter.subject.as_ref(), Some(patient))
    {
        return Vec::new();
    }
    let stay = |location: &Location| {
        if matches!(location.status.as_deref(), Some("planned" | "reserved")) {
            return None;
        }
        let period = location.period.as_ref().or(encounter.period.as_ref())?;
        Some(Stay {
            place: location.location.reference.clone()?,
            patient: patient.to_owned(),
            from: Instant::parse(period.start.as_ref()?)?.micros(),
            until: match &period.end {
                Some(end) => Some(Instant::parse(end)?.micros()),
                None => None,
            },
        })
    };
    encounter.location.iter().filter_map(stay).collect()
}
