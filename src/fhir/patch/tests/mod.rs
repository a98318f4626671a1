//! What patches make of resources.

mod json;
mod path;

use super::*;

fn patched(resource: &str, patch: &str) -> Result<String, Vec<String>> {
    let told =
        |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let patch = Patch::read(Document::parse(patch).unwrap().root()).map_err(told)?;
    let document = patch.apply(resource.into()).map_err(|problem| told(vec![problem]))?;
    Ok(document.text().to_owned())
}
