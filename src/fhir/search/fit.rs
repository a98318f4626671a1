//! Whether values of a kind can be indexed by a search parameter of a type: FHIR R4 §3.1.1.4.
//!
//! What each type makes of an element is said where it is done, in the file of the type; this is the
//! same by the definitions, before there is an element.

use super::{SearchParameter, SearchType};
use crate::fhir::ResourceType;
use crate::fhir::definitions::Primitive;
use crate::fhir::path::Lead;

impl SearchParameter {
    /// Checks that the parameter can find something in resources of a type.
    ///
    /// # Errors
    ///
    /// Why not, as a sentence fragment, and which component it is, if it is one of these.
    pub(super) fn check_leads(&self, kind: ResourceType) -> Result<(), (Option<usize>, String)> {
        let leads = self.expression.leads(kind).map_err(|problem| (None, problem))?;
        fit(self.search_type, kind, &leads).map_err(|problem| (None, problem))?;
        for (at, component) in self.components.iter().enumerate() {
            let leads = component.expression.leads_from(kind, &leads);
            leads
                .and_then(|leads| fit(component.parameter.search_type, kind, &leads))
                .map_err(|problem| (Some(at), problem))?;
        }
        Ok(())
    }

    /// Whether the parameter can lead to a data type in resources of a type.
    pub(super) fn leads_to(&self, kind: ResourceType, name: &str) -> bool {
        let is_named = |lead: &Lead| match lead {
            Lead::Object(definition) => definition.name == name,
            Lead::Primitive(primitive) => primitive.name() == name,
            Lead::Anything => true,
            Lead::Truth | Lead::Computed => false,
        };
        self.expression.leads(kind).is_ok_and(|leads| leads.iter().any(is_named))
    }
}

fn fit(search_type: SearchType, kind: ResourceType, leads: &[Lead]) -> Result<(), String> {
    if leads.is_empty() {
        return Err(format!("it leads nowhere in a {kind}"));
    }
    if leads.iter().any(|lead| fits(search_type, *lead)) {
        return Ok(());
    }
    let mut names: Vec<&str> = leads.iter().copied().map(Lead::name).collect();
    names.sort_unstable();
    names.dedup();
    let (names, search_type) = (names.join(", "), search_type.name());
    Err(format!("it leads to {names} in a {kind}, which is not indexed as {search_type}"))
}

fn fits(search_type: SearchType, lead: Lead) -> bool {
    match lead {
        // A resource within the resource, or the value of an extension.
        Lead::Anything => true,
        Lead::Computed => false,
        Lead::Truth => search_type == SearchType::Token,
        Lead::Primitive(primitive) => fits_primitive(search_type, primitive),
        Lead::Object(definition) => {
            let mut bases = std::iter::successors(Some(definition), |kind| kind.base());
            bases.any(|kind| fits_object(search_type, kind.name))
        }
    }
}

fn fits_primitive(search_type: SearchType, primitive: Primitive) -> bool {
    use Primitive::{
        Base64Binary, Boolean, Canonical, Date, DateTime, Decimal, Instant, Integer, Oid,
        PositiveInt, UnsignedInt, Uri, Url, Uuid, Xhtml,
    };
    let is_number = matches!(primitive, Decimal | Integer | PositiveInt | UnsignedInt);
    let is_uri = matches!(primitive, Canonical | Oid | Uri | Url | Uuid);
    let is_bulky = matches!(primitive, Base64Binary | Xhtml);
    match search_type {
        SearchType::Number => is_number,
        SearchType::Date => matches!(primitive, Date | DateTime | Instant),
        SearchType::String => !is_number && !is_bulky && primitive != Boolean,
        SearchType::Token => !is_bulky,
        SearchType::Reference | SearchType::Uri => is_uri,
        SearchType::Composite | SearchType::Quantity | SearchType::Special => false,
    }
}

fn fits_object(search_type: SearchType, name: &str) -> bool {
    let names: &[&str] = match search_type {
        SearchType::Number => &["Range"],
        SearchType::Date => &["Period", "Timing"],
        SearchType::String => &["Address", "HumanName"],
        SearchType::Token => &["CodeableConcept", "Coding", "ContactPoint", "Identifier"],
        SearchType::Reference => &["Reference"],
        SearchType::Quantity => &["Money", "Quantity", "Range", "SampledData"],
        SearchType::Composite => return true,
        SearchType::Uri | SearchType::Special => &[],
    };
    // Of an extension, its value is indexed.
    name == "Extension" || names.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::super::Parameters;
    use super::*;

    #[test]
    fn every_parameter_of_the_standard_leads_to_what_it_indexes() {
        let standard = Parameters::standard();
        let mut wrong = Vec::new();
        for kind in ResourceType::all() {
            for parameter in standard.of(kind).filter(|one| one.search_type.is_supported()) {
                if let Err((component, problem)) = parameter.check_leads(kind) {
                    wrong.push(format!("{kind} {}: {component:?} {problem}", parameter.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
