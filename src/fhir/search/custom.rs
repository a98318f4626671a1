//! Search parameters that clients define: the resource SearchParameter (FHIR R4 §3.1.3).

use std::borrow::Cow;
use std::sync::Arc;

use super::parameter::{Targets, is_part_of_name};
use super::{Component, Parameters, SearchParameter, SearchType};
use crate::fhir::path::Expression;
use crate::fhir::types::quotable;
use crate::fhir::{IssueCode, Problem, ResourceType};
use crate::json::Node;

impl SearchParameter {
    /// What a SearchParameter that a client has stored defines: one parameter for each type in
    /// `base`, all with the given code, which must be 0x8000 or more and used by no other.
    ///
    /// `known` are those that it may not redefine, and of which a composite may consist.
    ///
    /// # Errors
    ///
    /// Everything that this server cannot do, with the FHIRPath of its place.
    pub fn from_resource(
        known: &Parameters,
        resource: Node<'_>,
        code: u16,
    ) -> Result<Vec<(ResourceType, Self)>, Vec<Problem>> {
        let mut reader = Reader { known, problems: Vec::new() };
        let parameters = reader.parameters(resource, code);
        if reader.problems.is_empty() { Ok(parameters) } else { Err(reader.problems) }
    }
}

struct Reader<'a> {
    known: &'a Parameters,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn parameters(
        &mut self,
        resource: Node<'_>,
        code: u16,
    ) -> Vec<(ResourceType, SearchParameter)> {
        let url = self.text(resource, "url");
        let name = self.text(resource, "code");
        if !is_name(&name) {
            self.problem(
                IssueCode::Value,
                "code",
                format!(
                    "\"{}\" is not a name for a query: letters, digits, '-' and '_', the first one \
                     a letter",
                    quotable(&name)
                ),
            );
        }
        let search_type = self.search_type(resource);
        let expression = self.text(resource, "expression");
        let is_part_of_name = is_part_of_name(&expression);
        let expression = Expression::parse(&expression)
            .map_err(|error| self.problem(IssueCode::NotSupported, "expression", error.to_string()))
            .ok();
        let targets = self.types(resource, "target");
        let bases = self.types(resource, "base");
        let mut parameters = Vec::new();
        for base in bases {
            if let Some(other) = self.known.named(base, &name).filter(|other| other.url != url) {
                let diagnostics =
                    format!("{base} has a search parameter \"{name}\" already: {}", other.url);
                self.problem(IssueCode::Value, "code", diagnostics);
                continue;
            }
            let components = self.components(resource, base, search_type);
            let (Some(search_type), Some(expression)) = (search_type, &expression) else {
                continue;
            };
            let parameter = SearchParameter {
                name: Cow::Owned(name.clone()),
                code,
                url: Cow::Owned(url.clone()),
                search_type,
                expression: expression.clone(),
                components,
                implied_system: None,
                is_part_of_name,
                targets: match targets.is_empty() {
                    true => Targets::Any,
                    false => Targets::Only(targets.clone()),
                },
            };
            if let Err((component, problem)) = parameter.check_leads(base) {
                let place = match component {
                    Some(at) => format!("component[{at}].expression"),
                    None => "expression".to_owned(),
                };
                self.problem(IssueCode::NotSupported, &place, problem);
                continue;
            }
            parameters.push((base, parameter));
        }
        parameters
    }

    fn search_type(&mut self, resource: Node<'_>) -> Option<SearchType> {
        let name = self.text(resource, "type");
        let search_type = SearchType::from_name(&name).filter(|found| found.is_supported());
        if search_type.is_none() {
            let diagnostics = format!(
                "\"{}\" is not supported; supported are number, date, string, token, reference, \
                 composite, quantity and uri",
                quotable(&name)
            );
            self.problem(IssueCode::NotSupported, "type", diagnostics);
        }
        search_type
    }

    /// The resource types in a list of codes; `Resource` and `DomainResource` stand for all.
    fn types(&mut self, resource: Node<'_>, name: &str) -> Vec<ResourceType> {
        let mut types = Vec::new();
        let list = resource.get(name).into_iter().flat_map(|list| list.items());
        for text in list.filter_map(|item| item.as_str()) {
            match (&*text, ResourceType::from_name(&text)) {
                ("Resource" | "DomainResource", _) => types.extend(ResourceType::all()),
                (_, Some(kind)) => types.push(kind),
                (_, None) => {
                    let text = quotable(&text);
                    let diagnostics = format!("\"{text}\" is not a resource type of FHIR R4");
                    self.problem(IssueCode::Value, name, diagnostics);
                }
            }
        }
        types.sort_unstable();
        types.dedup();
        if types.is_empty() && name == "base" {
            self.problem(IssueCode::Required, name, "base names at least one type".to_owned());
        }
        types
    }

    fn components(
        &mut self,
        resource: Node<'_>,
        base: ResourceType,
        search_type: Option<SearchType>,
    ) -> Vec<Component> {
        if search_type != Some(SearchType::Composite) {
            return Vec::new();
        }
        let list = resource.get("component").into_iter().flat_map(|list| list.items());
        let mut components = Vec::new();
        for (at, component) in list.enumerate() {
            let place = format!("component[{at}].definition");
            let url = component.get_str("definition").unwrap_or_default();
            let found = self.known.of(base).find(|parameter| parameter.url == url);
            let Some(parameter) = found.filter(|found| found.search_type != SearchType::Composite)
            else {
                let url = quotable(&url);
                let diagnostics =
                    format!("\"{url}\" is not a search parameter of {base} that is no composite");
                self.problem(IssueCode::NotFound, &place, diagnostics);
                continue;
            };
            let expression = component.get_str("expression").unwrap_or_default();
            match Expression::parse(&expression) {
                Ok(expression) => {
                    components.push(Component { parameter: Arc::clone(parameter), expression });
                }
                Err(error) => {
                    let place = format!("component[{at}].expression");
                    self.problem(IssueCode::NotSupported, &place, error.to_string());
                }
            }
        }
        if components.len() < 2 && self.problems.is_empty() {
            let diagnostics = "a composite has at least two components".to_owned();
            self.problem(IssueCode::Required, "component", diagnostics);
        }
        components
    }

    fn text(&mut self, resource: Node<'_>, name: &str) -> String {
        let text = resource.get_str(name).unwrap_or_default().into_owned();
        if text.is_empty() {
            self.problem(IssueCode::Required, name, format!("{name} is missing"));
        }
        text
    }

    fn problem(&mut self, code: IssueCode, place: &str, diagnostics: String) {
        let expression = format!("SearchParameter.{place}");
        // What is missing is not wrong beside.
        if self.problems.iter().all(|known| known.expression != expression) {
            self.problems.push(Problem { code, expression, diagnostics });
        }
    }
}

fn is_name(name: &str) -> bool {
    const LENGTH_MAX: usize = 64;
    name.len() <= LENGTH_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
