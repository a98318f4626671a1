//! The answer: a part for each item, named by its type.

use super::request::Asked;
use crate::fhir::definitions::elements::element;
use crate::fhir::path::{Collection, Element, Trace, Unit, Value};
use crate::fhir::ucum;
use crate::json::quote;

/// Carries what no parameter can: an element that has no data type of its own.
const JSON_VALUE: &str = "http://fhir.forms-lab.com/StructureDefinition/json-value";

/// An answer as far as it is written.
pub(super) struct Answer(Vec<String>);

impl Answer {
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        let evaluator = concat!("Chartlog ", env!("CARGO_PKG_VERSION"), " (R4)");
        let told = [("evaluator", evaluator), ("expression", asked.expression.text())];
        let parts =
            told.map(|(name, text)| named(name, &format!("\"valueString\":{}", quote(text))));
        Self(vec![named("parameters", &format!("\"part\":[{}]", parts.join(",")))])
    }

    /// What the expression leads to, for an item of the context.
    pub(super) fn add(
        &mut self,
        context: Option<&str>,
        items: &Collection<'_>,
        traces: &[Trace<'_>],
    ) {
        let mut parts = parts(items);
        for trace in traces {
            let name = quote(&trace.name);
            let inside = self::parts(&trace.items);
            let inside = match inside.is_empty() {
                true => String::new(),
                false => format!(",\"part\":[{}]", inside.join(",")),
            };
            parts.push(named("trace", &format!("\"valueString\":{name}{inside}")));
        }
        let context = context.map(|context| format!("\"valueString\":{}", quote(context)));
        let parts = (!parts.is_empty()).then(|| format!("\"part\":[{}]", parts.join(",")));
        let members: Vec<String> = context.into_iter().chain(parts).collect();
        self.0.push(named("result", &members.join(",")));
    }

    pub(super) fn finish(self) -> String {
        format!("{{\"resourceType\":\"Parameters\",\"parameter\":[{}]}}", self.0.join(","))
    }
}

fn named(name: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!("{{\"name\":{}{comma}{members}}}", quote(name))
}

fn parts(items: &Collection<'_>) -> Vec<String> {
    items.iter().map(part).collect()
}

fn part(item: &Value<'_>) -> String {
    let value = |name: &str, text: &str| {
        let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
        named(name, &format!("\"value{}{rest}\":{text}", first.to_ascii_uppercase()))
    };
    match item {
        Value::Element(element) => of_element(element),
        Value::Boolean(truth) => value("boolean", &truth.to_string()),
        Value::Integer(integer) => value("integer", &integer.to_string()),
        Value::Decimal(decimal) => value("decimal", &decimal.to_string()),
        Value::Text(text) => value("string", &quote(text)),
        Value::Moment(moment) => {
            let name = item.type_info().name;
            let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
            let name = format!("{}{rest}", first.to_ascii_lowercase());
            value(&name, &quote(&moment.to_string()))
        }
        Value::Quantity(quantity) => {
            let code = quote(quantity.code());
            let system = match &quantity.unit {
                Unit::Ucum(_) => Some(ucum::SYSTEM),
                Unit::Calendar(_) => None,
                Unit::Other { system, .. } => Some(&**system).filter(|system| !system.is_empty()),
            };
            let coded =
                system.map(|system| format!(",\"system\":{},\"code\":{code}", quote(system)));
            let coded = coded.unwrap_or_default();
            let number = quantity.value;
            value("Quantity", &format!("{{\"value\":{number},\"unit\":{code}{coded}}}"))
        }
        Value::Type(info) => {
            let name = format!("{}.{}", info.namespace, info.name);
            json_value("TypeInfo", &quote(&name))
        }
    }
}

fn of_element(item: &Element<'_>) -> String {
    let (node, name) = (item.node(), item.kind().name());
    if node.get("resourceType").is_some() {
        return named(name, &format!("\"resource\":{}", node.text()));
    }
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    let member = format!("value{}{rest}", first.to_ascii_uppercase());
    let can_be_value = element("Parameters.parameter", "value")
        .is_some_and(|element| element.member(&member).is_some());
    if !can_be_value {
        return json_value(name, node.text());
    }
    let value = item.has_value().then(|| format!("\"{member}\":{}", node.text()));
    let beside = item.beside().map(|beside| format!("\"_{member}\":{}", beside.text()));
    let members: Vec<String> = value.into_iter().chain(beside).collect();
    named(name, &members.join(","))
}

fn json_value(name: &str, text: &str) -> String {
    let extension = format!("{{\"url\":\"{JSON_VALUE}\",\"valueString\":{}}}", quote(text));
    named(name, &format!("\"extension\":[{extension}]"))
}
