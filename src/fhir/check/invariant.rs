//! Invariants: what must hold of several elements together: FHIR R4 §2.1.24.1
//! (ElementDefinition.constraint).
//!
//! Each type has a plan, made once: its rules with their expressions parsed, found by the index of
//! the type. Most are decided by which elements an object has, which the check knows when it has
//! read it; the others are evaluated. As for HL7's validator, a rule holds if its expression is true:
//! an empty outcome breaks it. Where the expression cannot be evaluated, or takes too many steps,
//! the rule is not shown to be broken; only [`warnings`](super::warnings) tell.

use std::sync::LazyLock;

use super::corrections::{Reading, reading};
use super::place::Place;
use super::seen::{Seen, bit};
use super::{Check, IssueCode};
use crate::fhir::definitions::elements::{self, ElementType, TypeDefinition, definition_at};
use crate::fhir::definitions::{InvariantRow, invariant_rows};
use crate::fhir::path::{Element, ElementKind, Expression, Presence, Value};
use crate::json::{Kind, Node};

/// Most steps that all rules of a resource may take together. The largest of the official resources,
/// the definitions of the standard itself, take a tenth of it.
pub(super) const STEPS_MAX: u64 = 1_000_000;

/// An invariant, ready to be asked.
struct Rule {
    row: InvariantRow,
    expression: Expression,
    /// What the elements that an object has say of the outcome.
    presence: Presence,
    /// The element to whose values it applies, with its bit; otherwise it applies to the object.
    element: Option<(&'static elements::Element, u64)>,
}

/// The rules of each type, at its index; those of its bases among them.
static PLANS: LazyLock<Vec<Vec<Rule>>> = LazyLock::new(|| {
    let rows: Vec<_> = invariant_rows().collect();
    let plan = |kind: &'static TypeDefinition| {
        let lineage: Vec<_> = std::iter::successors(Some(kind), |kind| kind.base()).collect();
        let states = |row: &&InvariantRow| lineage.iter().any(|kind| kind.name == row.type_name);
        rows.iter().filter(states).filter_map(|row| Rule::new(kind, *row)).collect()
    };
    (0..).map_while(definition_at).map(plan).collect()
});

impl Rule {
    /// `None` for those that the code asks; a test parses all expressions.
    fn new(kind: &'static TypeDefinition, row: InvariantRow) -> Option<Self> {
        let Reading::Expression(text) = reading(&row) else { return None };
        let expression = Expression::parse(text).ok()?;
        let element = match row.element.trim_end_matches("[x]") {
            "" => None,
            name => {
                let element = kind.elements().find(|element| element.name == name)?;
                Some((element, bit(kind, name)?))
            }
        };
        let presence = match element {
            None => expression.presence(&|name| bit(kind, name)),
            Some(_) => Presence::Unknown,
        };
        Some(Self { row, expression, presence, element })
    }
}

impl<'a> Check<'a> {
    /// The rules of a type, about an object that has been read and in which nothing else is wrong.
    pub(super) fn invariants(
        &mut self,
        kind: &'static TypeDefinition,
        object: Node<'a>,
        seen: &Seen,
        place: &Place<'_>,
    ) {
        let rules = PLANS.get(kind.index).map_or(&[][..], Vec::as_slice);
        let has_warnings = self.warnings.is_some();
        for rule in rules.iter().filter(|rule| rule.row.is_error || has_warnings) {
            match rule.element {
                None => match rule.presence.truth(seen.once) {
                    Some(true) => {}
                    Some(false) => self.broken(rule, place),
                    None => self.evaluate(rule, Element::object(object, kind), place),
                },
                Some((element, bit)) if seen.once & bit != 0 => {
                    self.invariant_of_element(rule, element, object, place);
                }
                Some(_) => {}
            }
        }
    }

    /// A rule about each value of an element of the object.
    fn invariant_of_element(
        &mut self,
        rule: &Rule,
        element: &'static elements::Element,
        object: Node<'a>,
        place: &Place<'_>,
    ) {
        for (name, value) in object.members() {
            let Some(kind) = element.member(&name) else { continue };
            let place = place.member(&name);
            if value.kind() == Kind::Array {
                for (index, item) in value.items().enumerate() {
                    self.evaluate(rule, typed(item, kind), &place.item(index));
                }
            } else {
                self.evaluate(rule, typed(value, kind), &place);
            }
        }
    }

    fn evaluate(&mut self, rule: &Rule, element: Element<'a>, place: &Place<'_>) {
        let Some(context) = &self.context else { return };
        match rule.expression.truth(context, &Value::Element(element)) {
            Ok(Some(true)) => {}
            Ok(_) => self.broken(rule, place),
            Err(error) => self.warn(IssueCode::Invariant, place, || {
                let InvariantRow { human, key, .. } = rule.row;
                format!("{human} ({key}): whether it is so cannot be told: {error}")
            }),
        }
    }

    fn broken(&mut self, rule: &Rule, place: &Place<'_>) {
        let InvariantRow { human, key, is_error, .. } = rule.row;
        let diagnostics = || format!("{human} ({key})");
        if is_error {
            self.problems.add(IssueCode::Invariant, place, diagnostics());
        } else {
            self.warn(IssueCode::Invariant, place, diagnostics);
        }
    }
}

/// A value of an element, for an expression.
fn typed<'a>(node: Node<'a>, kind: &ElementType) -> Element<'a> {
    Element::new(node, ElementKind::of(kind, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_is_understood() {
        for row in invariant_rows() {
            let Reading::Expression(text) = reading(&row) else { continue };
            if let Err(error) = Expression::parse(text) {
                panic!("{} of {}: {text}: {error}", row.key, row.type_name);
            }
            let kind = elements::definition(row.type_name).unwrap();
            assert!(Rule::new(kind, row).is_some(), "{row:?}");
        }
        let planned: usize = PLANS.iter().map(Vec::len).sum();
        assert!(planned > 200, "{planned}");
    }
}
