//! Where an expression can lead in resources of a type, by the definitions of the types alone.

use super::syntax::{Expr, Start, Step};
use crate::fhir::ResourceType;
use crate::fhir::definitions::Primitive;
use crate::fhir::definitions::elements::{
    Element, ElementType, Form, TypeDefinition, definition, definition_at,
};

/// What kind of value an expression can lead to.
#[derive(Debug, Clone, Copy)]
pub enum Lead {
    /// A string, number or boolean.
    Primitive(Primitive),
    /// An object of elements.
    Object(&'static TypeDefinition),
    /// The outcome of a comparison.
    Truth,
    /// Something of which the definitions do not say more: a resource within the resource.
    Anything,
}

/// What the expression can lead to in resources of a type, seen from `focus` or, if there is none,
/// from the resource.
pub(super) fn leads(
    expr: &Expr,
    kind: ResourceType,
    focus: Option<&[Lead]>,
) -> Result<Vec<Lead>, String> {
    let Some(root) = definition(kind.name()) else { return Ok(vec![Lead::Anything]) };
    let root = [Lead::Object(root)];
    Course { kind, root: &root }.expression(expr, focus.unwrap_or(&root))
}

struct Course<'a> {
    kind: ResourceType,
    root: &'a [Lead],
}

impl Course<'_> {
    fn expression(&self, expr: &Expr, focus: &[Lead]) -> Result<Vec<Lead>, String> {
        match expr {
            Expr::Path { start, steps } => {
                let mut leads = self.start(start, focus)?;
                for step in steps {
                    leads = self.step(step, leads)?;
                }
                Ok(leads)
            }
            Expr::Union(alternatives) => {
                let mut leads = Vec::new();
                for expr in alternatives {
                    leads.extend(self.expression(expr, focus)?);
                }
                Ok(leads)
            }
            Expr::And(terms) => {
                for expr in terms {
                    self.expression(expr, focus)?;
                }
                Ok(vec![Lead::Truth])
            }
            Expr::Equal { left, .. } => {
                self.expression(left, focus)?;
                Ok(vec![Lead::Truth])
            }
        }
    }

    fn start(&self, start: &Start, focus: &[Lead]) -> Result<Vec<Lead>, String> {
        match start {
            Start::Focus => Ok(focus.to_vec()),
            Start::Resource => Ok(self.root.to_vec()),
            Start::Type(name) => match ResourceType::from_name(name) {
                None if !matches!(&**name, "Resource" | "DomainResource") => {
                    Err(format!("{name} is not a resource type"))
                }
                Some(kind) if kind != self.kind => Ok(Vec::new()),
                _ => Ok(self.root.to_vec()),
            },
            Start::Group(group) => self.expression(group, focus),
        }
    }

    fn step(&self, step: &Step, leads: Vec<Lead>) -> Result<Vec<Lead>, String> {
        let truth = |leads: Vec<Lead>| if leads.is_empty() { leads } else { vec![Lead::Truth] };
        match step {
            Step::Member(name) => follow(&leads, name, |kind| {
                let named = |element: &&'static Element| element.name == &**name;
                match kind.elements().find(named) {
                    Some(element) => element.types.iter().collect(),
                    None => kind.member(name).map(|(_, found)| found).into_iter().collect(),
                }
            }),
            Step::Choice(names) => follow(&leads, names.first().map_or("", |name| name), |kind| {
                names.iter().filter_map(|name| Some(kind.member(name)?.1)).collect()
            }),
            Step::Index(_) => Ok(leads),
            Step::Where(condition) => {
                if !leads.is_empty() {
                    self.expression(condition, &leads)?;
                }
                Ok(leads)
            }
            Step::Extension(_) => follow(&leads, "extension", |kind| {
                kind.member("extension").map(|(_, found)| found).into_iter().collect()
            }),
            Step::Exists | Step::HasExtension(_) | Step::ResolvesTo(_) => Ok(truth(leads)),
        }
    }
}

/// The types of an element, which at least one of the values must be able to have.
fn follow(
    leads: &[Lead],
    name: &str,
    types: impl Fn(&'static TypeDefinition) -> Vec<&'static ElementType>,
) -> Result<Vec<Lead>, String> {
    let mut found = Vec::new();
    for lead in leads {
        match lead {
            Lead::Object(kind) => found.extend(types(kind).into_iter().map(lead_of)),
            Lead::Anything => found.push(Lead::Anything),
            Lead::Primitive(_) | Lead::Truth => {}
        }
    }
    match leads.first() {
        Some(Lead::Object(kind)) if found.is_empty() => {
            Err(format!("{} has no element '{name}'", kind.name))
        }
        Some(_) if found.is_empty() => {
            Err(format!("there is no element '{name}' in a simple value"))
        }
        _ => Ok(found),
    }
}

fn lead_of(found: &'static ElementType) -> Lead {
    match found.form {
        Form::Primitive(primitive) => Lead::Primitive(primitive),
        Form::Complex(index) => definition_at(index).map_or(Lead::Anything, Lead::Object),
        Form::Resource => Lead::Anything,
    }
}
