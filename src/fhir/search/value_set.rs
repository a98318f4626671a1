//! The codes of a ValueSet that lists them: FHIR R4 §4.9.

use crate::json::Node;

/// Most codes that are taken from one ValueSet.
const CODES_MAX: usize = 10_000;

/// System and code of everything in a ValueSet: of its expansion if it has one, otherwise of its
/// definition, if that lists its codes one by one.
///
/// # Errors
///
/// Why the codes are not known without a terminology server.
pub fn codes_of_value_set(resource: Node<'_>) -> Result<Vec<(String, String)>, String> {
    let mut codes = Vec::new();
    if let Some(expansion) = resource.get("expansion") {
        add_contained(expansion, &mut codes);
    } else {
        let compose = resource.get("compose").ok_or("the ValueSet lists no codes")?;
        for include in compose.get("include").into_iter().flat_map(|list| list.items()) {
            add_included(include, &mut codes)?;
        }
        let mut excluded = Vec::new();
        for exclude in compose.get("exclude").into_iter().flat_map(|list| list.items()) {
            add_included(exclude, &mut excluded)?;
        }
        codes.retain(|code| !excluded.contains(code));
    }
    codes.sort_unstable();
    codes.dedup();
    if codes.len() > CODES_MAX {
        return Err(format!("the ValueSet has more than {CODES_MAX} codes"));
    }
    Ok(codes)
}

/// `ValueSet.expansion.contains`, at all levels.
fn add_contained(parent: Node<'_>, codes: &mut Vec<(String, String)>) {
    for item in parent.get("contains").into_iter().flat_map(|list| list.items()) {
        let is_heading = item.get("abstract").is_some_and(|node| node.text() == "true");
        if let Some(code) = item.get_str("code").filter(|_| !is_heading) {
            codes
                .push((item.get_str("system").unwrap_or_default().into_owned(), code.into_owned()));
        }
        add_contained(item, codes);
    }
}

fn add_included(include: Node<'_>, codes: &mut Vec<(String, String)>) -> Result<(), String> {
    let system = include.get_str("system").unwrap_or_default();
    let Some(concepts) = include.get("concept") else {
        return Err(match include.get_str("system") {
            Some(system) => format!(
                "the ValueSet includes codes of {system} without listing them; only a ValueSet that \
                 lists its codes, or has an expansion, can be used"
            ),
            None => {
                "the ValueSet includes other ValueSets; only one that lists its codes, or has an \
                     expansion, can be used"
                    .to_owned()
            }
        });
    };
    for code in concepts.items().filter_map(|concept| concept.get_str("code")) {
        codes.push((system.clone().into_owned(), code.into_owned()));
    }
    Ok(())
}
