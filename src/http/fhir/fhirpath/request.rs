//! What a request asks for.

use super::super::Failure;
use crate::fhir::ResourceType;
use crate::fhir::check::IssueCode;
use crate::fhir::definitions::elements::element;
use crate::fhir::path::{Collection, Element, ElementKind, Expression, PathError, Value};
use crate::json::{Node, quote};

/// Most variables of one request.
const VARIABLES_MAX: usize = 100;

/// The parameters, understood.
pub(super) struct Asked<'a> {
    /// The expression.
    pub expression: Expression,
    /// Which parameter it is.
    at: usize,
    /// The resource that it is about, if it is about one.
    pub resource: Option<Node<'a>>,
    /// The expression for whose items the other is evaluated, and its text.
    pub context: Option<(String, Expression)>,
    /// Names and items.
    pub variables: Vec<(String, Collection<'a>)>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(body: Node<'a>) -> Result<Self, Failure> {
        if body.get_str("resourceType").as_deref() != Some("Parameters") {
            let diagnostics = "expected Parameters with an expression and a resource";
            return Err(Failure::at(IssueCode::Structure, "Parameters", diagnostics));
        }
        let mut expression = None;
        let (mut resource, mut context, mut variables) = (None, None, Vec::new());
        let parameters = body.get("parameter").into_iter().flat_map(|list| list.items());
        for (at, parameter) in parameters.enumerate() {
            let place = format!("Parameters.parameter[{at}]");
            match parameter.get_str("name").as_deref() {
                Some("expression") => {
                    let text = text_of(parameter, &place)?;
                    let parsed = parsed(&text, &format!("{place}.valueString"))?;
                    expression = Some((parsed, at));
                }
                Some("context") => {
                    let text = text_of(parameter, &place)?;
                    // What a form leaves empty is not there.
                    if !text.is_empty() {
                        let parsed = parsed(&text, &format!("{place}.valueString"))?;
                        context = Some((text, parsed));
                    }
                }
                Some("resource") => resource = parameter.get("resource"),
                Some("variables") => {
                    let parts = parameter.get("part").into_iter().flat_map(|list| list.items());
                    variables.extend(parts.map(variable));
                }
                // What tools send beside: whether to check, and which server knows value sets.
                Some("validate" | "terminologyserver") => {}
                name => {
                    let name = shown(name.unwrap_or_default());
                    let diagnostics = format!(
                        "{name} is not a parameter of $fhirpath; these are expression, resource, \
                         context and variables"
                    );
                    return Err(Failure::at(
                        IssueCode::NotSupported,
                        format!("{place}.name"),
                        diagnostics,
                    ));
                }
            }
        }
        let Some((expression, at)) = expression else {
            let diagnostics = "a parameter named expression is missing";
            return Err(Failure::at(IssueCode::Required, "Parameters.parameter", diagnostics));
        };
        if variables.len() > VARIABLES_MAX {
            let diagnostics = format!("there are more than {VARIABLES_MAX} variables");
            return Err(Failure::at(IssueCode::TooLong, "Parameters.parameter", diagnostics));
        }
        let asked = Self { expression, at, resource, context, variables };
        asked.check()?;
        Ok(asked)
    }

    /// Where the expression stands.
    pub(super) fn place(&self) -> String {
        format!("Parameters.parameter[{}].valueString", self.at)
    }

    /// Refuses what cannot mean anything by the definitions of the resource's type.
    fn check(&self) -> Result<(), Failure> {
        let Some(resource) = self.resource else { return Ok(()) };
        let name = resource.get_str("resourceType").unwrap_or_default();
        let Some(kind) = ResourceType::from_name(&name) else {
            let name = shown(&name);
            let diagnostics = format!("{name} is not a resource type of FHIR R4");
            let place = "Parameters.parameter.where(name='resource').resource.resourceType";
            return Err(Failure::at(IssueCode::Value, place, diagnostics));
        };
        // With a context, only evaluating tells what the expression is about.
        let (expression, place) = match &self.context {
            None => (&self.expression, self.place()),
            Some((_, context)) => {
                (context, "Parameters.parameter.where(name='context').value".to_owned())
            }
        };
        expression.check(kind).map_err(|error| refused(&error, &place))
    }
}

/// In quotes, and no longer than is of use.
fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    quote(&name.chars().take(CHARACTERS_MAX).collect::<String>())
}

fn parsed(text: &str, place: &str) -> Result<Expression, Failure> {
    Expression::parse(text).map_err(|error| refused(&error, place))
}

fn refused(error: &PathError, place: &str) -> Failure {
    Failure::at(IssueCode::Value, place, error.to_string())
}

fn text_of(parameter: Node<'_>, place: &str) -> Result<String, Failure> {
    let text = parameter.get_str("valueString").map(|text| text.into_owned());
    text.ok_or_else(|| {
        Failure::at(IssueCode::Required, format!("{place}.valueString"), "valueString is missing")
    })
}

/// A variable with its one item, or none.
fn variable(part: Node<'_>) -> (String, Collection<'_>) {
    let name = part.get_str("name").unwrap_or_default().into_owned();
    let resource = part.get("resource").map(Element::resource);
    let value = || {
        let definition = element("Parameters.parameter", "value")?;
        part.members().find_map(|(member, node)| {
            let kind = ElementKind::of(definition.member(&member)?, node);
            Some(Element::new(node, kind))
        })
    };
    (name, resource.or_else(value).map(Value::Element).into_iter().collect())
}
