//! What happened in the whole clinic, in the order of time: commits, and looks at charts.
//!
//! In: the options. Out: [`Step`]s with their moments, the earliest first, and what of it is worth showing. Commits are
//! kept compressed until it is their turn: a clinic of ten thousand patients takes some hundreds of megabytes.

use serde_json::Value;

use super::look::{Look, has, looks, shown_patient};
use super::{DemoOptions, chart, directory, opening, patient_id};
use crate::clock::Instant;

/// What happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A transaction Bundle is sent.
    Commit(String),
    /// Somebody looks.
    Look(Look),
}

/// What of a clinic's past is worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sights {
    /// Id of a patient whose chart has it all.
    pub patient: String,
    /// The middle of its past.
    pub early: Instant,
    /// Just before a correction in it, and just after.
    pub correction: (Instant, Instant),
}

/// A step that waits for its turn.
enum Waiting {
    Commit(Vec<u8>),
    Look(Look),
}

/// All that happened in a clinic, the earliest first.
pub fn history(options: &DemoOptions) -> impl Iterator<Item = (Instant, Step)> + use<> {
    let mut steps = Vec::new();
    steps.extend(packed(&directory::bundle(&opening(options.today))));
    for number in 1..=options.patients {
        let commits = dated(options, number);
        steps.extend(commits.iter().filter_map(|(_, commit)| packed(commit)));
        let looks = looks(options, number, &commits).into_iter();
        steps.extend(looks.map(|(at, look)| (at, Waiting::Look(look))));
    }
    // A stable sort: what refers to a patient stays behind the patient.
    steps.sort_by_key(|(at, _)| *at);
    steps.into_iter().filter_map(|(at, step)| Some((at, step.unpacked()?)))
}

/// What of a clinic is worth showing; `None` of one without patients.
pub fn sights(options: &DemoOptions) -> Option<Sights> {
    let patient = shown_patient(options);
    let number = (1..=options.patients).find(|number| patient_id(*number) == patient)?;
    let commits = dated(options, number);
    // What is no visit is a correction, and says so.
    let is_correction = |commit: &Value| !has(commit, "Encounter");
    let corrected = commits.iter().find(|(_, commit)| is_correction(commit)).or(commits.last())?;
    let (early, _) = commits.get(commits.len() / 2)?;
    const HOUR_MICROS: i64 = 3_600_000_000;
    let hours = |at: Instant, hours: i64| Instant::from_micros(at.micros() + hours * HOUR_MICROS);
    Some(Sights {
        patient,
        early: hours(*early, 24),
        correction: (hours(corrected.0, -1), hours(corrected.0, 1)),
    })
}

/// The commits of a patient with their moments.
fn dated(options: &DemoOptions, number: usize) -> Vec<(Instant, Value)> {
    let commits = chart::commits(options, number).into_iter();
    commits.filter_map(|commit| Some((moment_of(&commit)?, commit))).collect()
}

fn moment_of(commit: &Value) -> Option<Instant> {
    Instant::parse(commit.get("timestamp")?.as_str()?)
}

fn packed(commit: &Value) -> Option<(Instant, Waiting)> {
    // Fast, and still a tenth of the size.
    const LEVEL: i32 = 1;
    let text = commit.to_string();
    let bytes = zstd::bulk::compress(text.as_bytes(), LEVEL).ok()?;
    Some((moment_of(commit)?, Waiting::Commit(bytes)))
}

impl Waiting {
    fn unpacked(self) -> Option<Step> {
        match self {
            Self::Look(look) => Some(Step::Look(look)),
            Self::Commit(bytes) => {
                let text = zstd::decode_all(bytes.as_slice()).ok()?;
                Some(Step::Commit(String::from_utf8(text).ok()?))
            }
        }
    }
}
