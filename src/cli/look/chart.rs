//! `chartlog chart`: what a chart holds, or held, a line for each resource.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{ChartArguments, Failure};
use super::page::{FAINT, NAME, plain, shown, styled};
use crate::cli::ask::Asked;
use crate::cli::import::counted;
use crate::cli::out::{hand_over, tell};
use crate::json::{Document, Node};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chart {
    patient: String,
    version: u64,
    recorded_at: Option<String>,
    resources: Vec<Box<RawValue>>,
}

/// Prints a chart.
///
/// # Errors
///
/// [`Failure`]: there is no such chart or version.
pub fn chart(server: &Asked, arguments: &ChartArguments) -> Result<(), Failure> {
    let version = arguments.version.map(|version| version.to_string());
    let mut query = Vec::new();
    query.extend(version.as_deref().map(|version| ("version", version)));
    query.extend(arguments.as_of.as_deref().map(|moment| ("asOf", moment)));
    let answer = server.json(&format!("/v1/patients/{}/chart", arguments.patient), &query)?;
    if arguments.look.json {
        return hand_over(&format!("{answer}\n"));
    }
    let chart: Chart = serde_json::from_str(&answer).map_err(Failure::failed)?;
    let recorded = chart.recorded_at.as_deref().unwrap_or("before the first event");
    let (version, count) = (chart.version, counted(chart.resources.len() as u64, "resource"));
    let mut page = format!(
        "chart {} at version {version}, {}: {count}\n",
        styled(NAME, &chart.patient),
        plain(recorded)
    );
    for resource in &chart.resources {
        let document = Document::parse(resource.get().as_bytes()).map_err(Failure::failed)?;
        page.push_str(&line(document.root()));
    }
    tell(&page)
}

fn line(resource: Node<'_>) -> String {
    let text = |node: Option<Node<'_>>, name: &str| {
        node.and_then(|node| node.get_str(name)).map(|text| text.into_owned()).unwrap_or_default()
    };
    let (kind, id) = (text(Some(resource), "resourceType"), text(Some(resource), "id"));
    let meta = resource.get("meta");
    let version = format!("v{}", text(meta, "versionId"));
    let title = title(resource).unwrap_or_default();
    let status = text(Some(resource), "status");
    let told: Vec<String> = [title, status].into_iter().filter(|text| !text.is_empty()).collect();
    let line = format!(
        "{} {} {}  {}",
        styled(FAINT, text(meta, "lastUpdated")),
        styled(NAME, format!("{kind}/{id}")),
        styled(FAINT, version),
        shown(&told.join(", "))
    );
    format!("{}\n", line.trim_end())
}

/// What a resource is about, in its own words.
fn title(resource: Node<'_>) -> Option<String> {
    let code = ["code", "vaccineCode", "medicationCodeableConcept"];
    let concept = code.iter().find_map(|name| resource.get(name));
    if let Some(concept) = concept {
        let coding = concept.get("coding").and_then(|codings| codings.items().next());
        let words = concept
            .get_str("text")
            .or_else(|| coding.and_then(|coding| coding.get_str("display")))
            .or_else(|| coding.and_then(|coding| coding.get_str("code")));
        return words.map(|words| words.into_owned());
    }
    let name = resource.get("name")?.items().next()?;
    let given = name.get("given").into_iter().flat_map(|given| given.items().collect::<Vec<_>>());
    let parts = given.filter_map(|part| part.as_str()).chain(name.get_str("family"));
    Some(parts.map(|part| part.into_owned()).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_resource_is_about() {
        for (resource, expected) in [
            (
                r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"code":"8867-4"}]},
                    "meta":{"versionId":"2","lastUpdated":"T"}}"#,
                "T Observation/o1 v2  8867-4, final\n",
            ),
            (
                r#"{"resourceType":"Patient","id":"p","name":[{"family":"Quist","given":["Ada","\u001b[2J"]}],
                    "meta":{"versionId":"1","lastUpdated":"T"}}"#,
                "T Patient/p v1  Ada \\u{1b}[2J Quist\n",
            ),
            (
                r#"{"resourceType":"Flag","id":"f","meta":{"versionId":"1","lastUpdated":"T"}}"#,
                "T Flag/f v1\n",
            ),
        ] {
            let document = Document::parse(resource.as_bytes()).unwrap();
            let line = line(document.root());
            assert_eq!(anstream::adapter::strip_str(&line).to_string(), expected);
        }
    }
}
