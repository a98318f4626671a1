//! `chartlog diff`: what changed in a chart between two states, by resource and by element.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::{DiffArguments, Failure};
use super::element::{self, differences};
use super::page::{CAME, CHANGED, FAINT, NAME, WENT, plain, shown, styled};
use crate::cli::ask::Asked;
use crate::cli::out::{hand_over, tell};
use crate::json::Document;

#[derive(Deserialize)]
struct Answer {
    from: u64,
    to: u64,
    changes: Vec<Sides>,
}

/// Both sides of a resource, as the API tells them.
#[derive(Deserialize)]
struct Sides {
    resource: String,
    kind: String,
    before: Option<Box<RawValue>>,
    after: Option<Box<RawValue>>,
}

/// What changed in a chart, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    patient: String,
    from: u64,
    to: u64,
    changes: &'a [Change],
}

/// What changed in a resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    resource: String,
    kind: String,
    from_version: Option<String>,
    to_version: Option<String>,
    elements: Vec<Element>,
}

#[derive(Serialize)]
struct Element {
    path: String,
    before: Option<Box<RawValue>>,
    after: Option<Box<RawValue>>,
}

/// Prints what changed.
///
/// # Errors
///
/// [`Failure`]: there is no such chart, version or moment.
pub fn diff(server: &Asked, arguments: &DiffArguments) -> Result<(), Failure> {
    let mut query = vec![("from", arguments.from.as_str())];
    query.extend(arguments.to.as_deref().map(|to| ("to", to)));
    let answer = server.json(&format!("/v1/patients/{}/diff", arguments.patient), &query)?;
    let answer: Answer = serde_json::from_str(&answer).map_err(Failure::failed)?;
    let changes = answer.changes.into_iter().map(change);
    let changes: Vec<Change> = changes.collect::<Result<_, _>>()?;
    let patient = arguments.patient.to_string();
    let (from, to) = (answer.from, answer.to);
    if arguments.look.json {
        let told = Told { patient, from, to, changes: &changes };
        let text = serde_json::to_string(&told).map_err(Failure::failed)?;
        return hand_over(&format!("{text}\n"));
    }
    let differ = match changes.len() {
        1 => "1 resource differs".to_owned(),
        count => format!("{count} resources differ"),
    };
    let patient = styled(NAME, patient);
    let mut page = format!("chart {patient} from version {from} to {to}: {differ}\n");
    changes.iter().for_each(|change| write(change, &mut page));
    tell(&page)
}

fn change(sides: Sides) -> Result<Change, Failure> {
    let read = |side: &Option<Box<RawValue>>| {
        let read = side.as_ref().map(|side| Document::parse(side.get().as_bytes()));
        read.transpose().map_err(Failure::failed)
    };
    let (before, after) = (read(&sides.before)?, read(&sides.after)?);
    let version = |side: &Option<Document>| -> Option<String> {
        let version = side.as_ref()?.root().get("meta")?.get_str("versionId")?;
        Some(version.into_owned())
    };
    let (from_version, to_version) = (version(&before), version(&after));
    let [one, other] = [&before, &after].map(|side| side.as_ref().map(Document::root));
    let elements = differences(one, other).into_iter().map(told).collect::<Result<_, _>>()?;
    let (resource, kind) = (sides.resource, sides.kind);
    Ok(Change { resource, kind, from_version, to_version, elements })
}

fn told(difference: element::Difference) -> Result<Element, Failure> {
    let value = |text: Option<String>| text.map(RawValue::from_string).transpose();
    let before = value(difference.before).map_err(Failure::failed)?;
    let after = value(difference.after).map_err(Failure::failed)?;
    Ok(Element { path: difference.path, before, after })
}

fn write(change: &Change, page: &mut String) {
    let version = |version: &Option<String>| version.as_ref().map(|version| format!("v{version}"));
    let versions = [version(&change.from_version), version(&change.to_version)];
    let versions: Vec<String> = versions.into_iter().flatten().collect();
    let (sign, style) = match change.kind.as_str() {
        "added" => ("+", CAME),
        "removed" => ("-", WENT),
        _ => ("~", CHANGED),
    };
    let name = styled(style, format!("{sign} {}", change.resource));
    page.push_str(&format!("{name} {}\n", styled(FAINT, versions.join(" → "))));
    for Element { path, before, after } in &change.elements {
        let (before, after) = (before.as_ref(), after.as_ref());
        let before = before.map(|value| styled(WENT, format!("-{}", shown(value.get()))));
        let after = after.map(|value| styled(CAME, format!("+{}", shown(value.get()))));
        let values: Vec<String> = [before, after].into_iter().flatten().collect();
        page.push_str(&format!("    {}  {}\n", plain(path), values.join("  ")));
    }
}
