//! Which upcasters would take content that is refused as it is.

use super::chains::Chains;
use super::run::run;
use crate::chart::{Actor, Envelope, EventKind, EventType};
use crate::fhir::{ResourceId, ResourceKey, ResourceType, StoredForm};
use crate::json::Node;

/// Largest content that is tried, and most versions that it is tried in: whoever writes must not cause much work by what is
/// refused anyway.
const CONTENT_BYTES_MAX: usize = 64 << 10;
const VERSIONS_MAX: usize = 16;

/// The files of the shortest chain of a type that makes valid R4 of the content, and does so by changing it.
pub(super) fn of(chains: &Chains, kind: ResourceType, content: Node<'_>) -> Vec<String> {
    let id = content.get_str("id").unwrap_or_default();
    if content.text().len() > CONTENT_BYTES_MAX {
        return Vec::new();
    }
    // What is to be stored under a new id has none yet.
    let id = ResourceId::parse(&id).or_else(|_| ResourceId::parse("new"));
    let Ok(id) = id else { return Vec::new() };
    let body = StoredForm::of(content, &id, &|_| None).bytes;
    let key = ResourceKey::new(kind, id);
    for from in (1..chains.content_of(kind)).rev().take(VERSIONS_MAX) {
        let mut envelope =
            Envelope::new(EventType::of(&key, EventKind::Recorded), Actor::default());
        envelope.content = from;
        envelope.resource = Some(key.to_string());
        let mut files = Vec::new();
        let upcast =
            run(chains, envelope, key.clone(), body.clone(), &mut |step, of, before, outcome| {
                if *of == key && outcome.main.as_ref().is_some_and(|main| main != before) {
                    files.push(step.file.to_string());
                }
            });
        if !files.is_empty() && upcast.is_ok_and(|upcast| !upcast.main.is_dropped) {
            return files;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use crate::json::Document;

    #[test]
    fn a_hint_names_the_files_that_would_take_it() {
        let upcaster = |from: usize, old: &str, new: &str, rest: &str| {
            format!(
                "type = \"PlanDefinition\"\nfrom = {from}\nwhere = \"PlanDefinition.{old}.exists()\"\n[[json-patch]]\n\
                 op = \"move\"\nfrom = \"/{old}\"\npath = \"/{new}\"\n{rest}\n[[example]]\n\
                 before = '{{\"resourceType\":\"PlanDefinition\",\"id\":\"1\",\"status\":\"draft\"}}'\n\
                 after = '{{\"resourceType\":\"PlanDefinition\",\"id\":\"1\",\"status\":\"draft\"}}'"
            )
        };
        let upcasters = read(&[
            &upcaster(1, "headline", "subjectCanonical", ""),
            &upcaster(2, "subjectCanonical", "purpose", ""),
            &upcaster(3, "remark", "usage", ""),
        ]);
        let takers = |rest: &str| {
            let text =
                format!("{{\"resourceType\":\"PlanDefinition\",\"status\":\"draft\",{rest}}}");
            let document = Document::parse(text).unwrap();
            upcasters.hint("PlanDefinition".parse().unwrap(), document.root())
        };
        let takers = |rest: &str| {
            let hint = takers(rest)?;
            let (_, names) = hint.split_once('(')?;
            Some(names.split_once(')')?.0.to_owned())
        };
        assert_eq!(takers(r#""headline":"x""#).unwrap(), "1.toml, 2.toml");
        assert_eq!(takers(r#""subjectCanonical":"http://x""#).unwrap(), "2.toml");
        assert_eq!(
            takers(r#""subjectCanonical":"http://x","remark":"y""#).unwrap(),
            "2.toml, 3.toml"
        );
        assert_eq!(takers(r#""subjectCanonical":"http://x","other":"y""#), None);
        assert_eq!(takers(r#""other":"y""#), None);
    }
}
