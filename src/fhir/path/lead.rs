//! Where an expression can lead in resources of a type, by the definitions of the types alone.

use super::PathError;
use super::function::{Function, Lazy, OnCollection, OnTree, Target};
use super::syntax::{Call, Expr, Operator, Start, Step};
use super::types::{ElementKind, TypeName};
use super::value::Value;
use crate::fhir::ResourceType;
use crate::fhir::definitions::Primitive;
use crate::fhir::definitions::elements::{
    ElementType, Form, TypeDefinition, definition, definition_at,
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
    /// A computed value that is no truth: a number, a text, a date.
    Computed,
    /// Something of which the definitions do not say more: a resource within the resource.
    Anything,
}

/// What the expression can lead to in resources of a type, seen from `focus` or, if there is none,
/// from the resource.
pub(super) fn leads(
    expr: &Expr,
    kind: ResourceType,
    focus: Option<&[Lead]>,
) -> Result<Vec<Lead>, PathError> {
    let Some(root) = definition(kind.name()) else { return Ok(vec![Lead::Anything]) };
    let root = [Lead::Object(root)];
    let course = Course { kind, root: &root, is_strict: false };
    course.expression(expr, focus.unwrap_or(&root))
}

/// Checks an expression that is about one type, for what search parameters may do and it may not: name
/// an element as in JSON, begin with another type, or take items by their place where there is no order.
pub(super) fn check(expr: &Expr, kind: ResourceType) -> Result<(), PathError> {
    let Some(root) = definition(kind.name()) else { return Ok(()) };
    let root = [Lead::Object(root)];
    Course { kind, root: &root, is_strict: true }.expression(expr, &root).map(drop)
}

struct Course<'a> {
    kind: ResourceType,
    root: &'a [Lead],
    is_strict: bool,
}

impl Course<'_> {
    fn expression(&self, expr: &Expr, focus: &[Lead]) -> Result<Vec<Lead>, PathError> {
        match expr {
            Expr::Path { start, steps } => {
                let mut leads = self.start(start, focus)?;
                let mut is_ordered = true;
                for step in steps {
                    if let Step::Call(call) = step
                        && call.function.needs_order()
                        && !is_ordered
                    {
                        let problem = "children have no order, so none can be taken by its place";
                        return Err(PathError { problem: problem.to_owned(), offset: call.at });
                    }
                    is_ordered = !self.is_strict || !is_unordered(step);
                    leads = self.step(step, leads, focus)?;
                }
                Ok(leads)
            }
            Expr::Chain { first, rest } => {
                let mut leads = self.expression(first, focus)?;
                for operation in rest {
                    let right = self.expression(&operation.operand, focus)?;
                    leads = match operation.operator {
                        Operator::Union => leads.into_iter().chain(right).collect(),
                        Operator::Add
                        | Operator::Subtract
                        | Operator::Multiply
                        | Operator::Divide
                        | Operator::WholeDivide
                        | Operator::Remainder
                        | Operator::Concatenate => vec![Lead::Computed],
                        _ => vec![Lead::Truth],
                    };
                }
                Ok(leads)
            }
            Expr::Signed { operand, .. } => {
                self.expression(operand, focus)?;
                Ok(vec![Lead::Computed])
            }
        }
    }

    fn start(&self, start: &Start, focus: &[Lead]) -> Result<Vec<Lead>, PathError> {
        Ok(match start {
            Start::Focus => focus.to_vec(),
            Start::Type(name, at) => {
                let is_it = |lead: &&Lead| matches!(lead, Lead::Object(kind) if name.includes(ElementKind::Object(kind)));
                let found: Vec<Lead> = focus.iter().filter(is_it).copied().collect();
                let found = match found.is_empty() {
                    true => self.root.iter().filter(is_it).copied().collect(),
                    false => found,
                };
                if self.is_strict && found.is_empty() && !focus.is_empty() {
                    let problem = format!("the path is about another type than {}", self.kind);
                    return Err(PathError { problem, offset: *at });
                }
                found
            }
            Start::Literal(Value::Boolean(_)) => vec![Lead::Truth],
            Start::Literal(_) | Start::Index => vec![Lead::Computed],
            Start::Nothing => Vec::new(),
            Start::Variable(name, _) if matches!(&**name, "resource") => self.root.to_vec(),
            Start::Total | Start::Variable(..) => vec![Lead::Anything],
            Start::Group(group) => self.expression(group, focus)?,
        })
    }

    fn step(&self, step: &Step, leads: Vec<Lead>, focus: &[Lead]) -> Result<Vec<Lead>, PathError> {
        match step {
            Step::Member(name) => {
                let types = |kind: &'static TypeDefinition| match name.elements.in_type(kind) {
                    Some(element) => element.types.iter().collect(),
                    None if self.is_strict => Vec::new(),
                    None => kind.member(&name.text).map(|(_, found)| found).into_iter().collect(),
                };
                follow(&leads, &name.text, types)
                    .map_err(|problem| PathError { problem, offset: name.at })
            }
            Step::Item(index, _) => {
                self.expression(index, focus)?;
                Ok(leads)
            }
            Step::Is(..) | Step::ResolvesTo(..) => Ok(truth(&leads)),
            Step::As(name, at) => narrowed(leads, *name, *at, self.is_strict),
            Step::OfType(name) => narrowed(leads, *name, 0, self.is_strict),
            Step::Call(call) => self.call(call, leads, focus),
        }
    }

    fn call(&self, call: &Call, leads: Vec<Lead>, focus: &[Lead]) -> Result<Vec<Lead>, PathError> {
        let inner = match call.function {
            Function::Lazy(Lazy::DefineVariable) => return Ok(leads),
            Function::Lazy(_) => &leads[..],
            _ => focus,
        };
        let mut arguments = Vec::with_capacity(call.arguments.len());
        // Where nothing leads, conditions are about nothing.
        if !inner.is_empty() {
            for argument in &call.arguments {
                arguments.push(self.expression(argument, inner)?);
            }
        }
        use OnCollection as C;
        Ok(match call.function {
            Function::Lazy(Lazy::Where | Lazy::Trace | Lazy::Sort | Lazy::DefineVariable)
            | Function::Tree(OnTree::GetValue)
            | Function::Collection(
                C::First
                | C::Last
                | C::Tail
                | C::Skip
                | C::Take
                | C::Single
                | C::Distinct
                | C::Exclude
                | C::Intersect,
            ) => leads,
            Function::Collection(C::Union | C::Combine) => {
                leads.into_iter().chain(arguments.into_iter().flatten()).collect()
            }
            Function::Lazy(Lazy::Select) => arguments.into_iter().flatten().collect(),
            Function::Lazy(Lazy::Iif) => arguments.into_iter().skip(1).flatten().collect(),
            Function::Lazy(Lazy::Repeat) => {
                let mut found: Vec<Lead> = arguments.into_iter().flatten().collect();
                // What comes of it a second time may be of other types, and is not followed.
                found.extend(found.is_empty().then_some(Lead::Anything));
                found
            }
            Function::Lazy(Lazy::Aggregate)
            | Function::Tree(OnTree::Children | OnTree::Descendants | OnTree::Resolve) => {
                if leads.is_empty() { leads } else { vec![Lead::Anything] }
            }
            Function::Tree(OnTree::Extension) => follow(&leads, "extension", |kind| {
                kind.member("extension").map(|(_, found)| found).into_iter().collect()
            })
            .map_err(|problem| PathError { problem, offset: call.at })?,
            Function::Collection(C::Count)
            | Function::Tree(OnTree::Type)
            | Function::Text(_)
            | Function::Number(_)
            | Function::Moment(_) => vec![Lead::Computed],
            Function::To(target) if target != Target::Boolean => vec![Lead::Computed],
            _ => truth(&leads),
        })
    }
}

/// True if what the step leads to has no order.
fn is_unordered(step: &Step) -> bool {
    let Step::Call(call) = step else { return false };
    matches!(call.function, Function::Tree(OnTree::Children | OnTree::Descendants))
}

fn truth(leads: &[Lead]) -> Vec<Lead> {
    if leads.is_empty() { Vec::new() } else { vec![Lead::Truth] }
}

/// Those of a type.
fn narrowed(
    leads: Vec<Lead>,
    name: TypeName,
    offset: usize,
    is_strict: bool,
) -> Result<Vec<Lead>, PathError> {
    if leads.is_empty() {
        return Ok(leads);
    }
    let narrowed: Vec<Lead> = leads
        .iter()
        .filter_map(|lead| match lead {
            Lead::Primitive(primitive) => {
                name.includes(ElementKind::Primitive(*primitive)).then_some(*lead)
            }
            Lead::Object(kind) if name.includes(ElementKind::Object(kind)) => Some(*lead),
            Lead::Object(general) => {
                name.definition().filter(|kind| is_base(general, kind)).map(Lead::Object)
            }
            Lead::Anything => Some(name.definition().map_or(Lead::Anything, Lead::Object)),
            Lead::Truth | Lead::Computed => Some(*lead),
        })
        .collect();
    if narrowed.is_empty() && !is_strict {
        let problem = "none of the types that the element may have is that one".to_owned();
        return Err(PathError { problem, offset });
    }
    Ok(narrowed)
}

fn is_base(general: &TypeDefinition, kind: &'static TypeDefinition) -> bool {
    let mut bases = std::iter::successors(Some(kind), |kind| kind.base());
    bases.any(|base| std::ptr::eq(base, general))
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
            Lead::Anything | Lead::Computed => found.push(Lead::Anything),
            Lead::Primitive(_) => {
                let own = definition("Element").map(&types).unwrap_or_default();
                found.extend(own.into_iter().map(lead_of));
            }
            Lead::Truth => {}
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
