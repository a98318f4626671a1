//! The answer: a part for each item, named by its type.

use super::request::Asked;
use crate::fhir::definitions::elements::element;
use crate::fhir::path::{Collection, Element, Trace, Unit, Value};
use crate::fhir::ucum;
use crate::json::quote;

/// Carries what no parameter can: an element that has no data type of its own.
const JSON_VALUE: &str = "http://fhir.forms-lab.com/StructureDefinition/json-value";

/// Bytes of items that an answer may have: a short expression can lead to a long text a thousand times.
const BYTES_MAX: usize = 16 << 20;

/// An answer as far as it is written.
pub(super) struct Answer {
    parameters: Vec<String>,
    bytes: usize,
}

/// The answer is longer than it may be.
#[derive(Debug, thiserror::Error)]
#[error("the answer has more than {BYTES_MAX} bytes")]
pub(super) struct TooLong;

impl Answer {
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        let evaluator = concat!("Chartlog ", env!("CARGO_PKG_VERSION"), " (R4)");
        let told = [("evaluator", evaluator), ("expression", asked.expression.text())];
        let parts =
            told.map(|(name, text)| named(name, &format!("\"valueString\":{}", quote(text))));
        let parameters = vec![named("parameters", &format!("\"part\":[{}]", parts.join(",")))];
        Self { parameters, bytes: 0 }
    }

    /// What the expression leads to, for an item of the context.
    ///
    /// # Errors
    ///
    /// It is too long.
    pub(super) fn add(
        &mut self,
        context: Option<&str>,
        items: &Collection<'_>,
        traces: &[Trace<'_>],
    ) -> Result<(), TooLong> {
        let mut parts = self.parts(items)?;
        for trace in traces {
            let name = quote(&trace.name);
            self.count(&name)?;
            let inside = self.parts(&trace.items)?;
            let inside = match inside.is_empty() {
                true => String::new(),
                false => format!(",\"part\":[{}]", inside.join(",")),
            };
            parts.push(named("trace", &format!("\"valueString\":{name}{inside}")));
        }
        let context = context.map(|context| format!("\"valueString\":{}", quote(context)));
        context.iter().try_for_each(|context| self.count(context))?;
        let parts = (!parts.is_empty()).then(|| format!("\"part\":[{}]", parts.join(",")));
        let members: Vec<String> = context.into_iter().chain(parts).collect();
        self.parameters.push(named("result", &members.join(",")));
        Ok(())
    }

    fn parts(&mut self, items: &Collection<'_>) -> Result<Vec<String>, TooLong> {
        let counted = |item| {
            let part = part(item);
            self.count(&part).map(|()| part)
        };
        items.iter().map(counted).collect()
    }

    fn count(&mut self, text: &str) -> Result<(), TooLong> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > BYTES_MAX { Err(TooLong) } else { Ok(()) }
    }

    pub(super) fn finish(self) -> String {
        format!("{{\"resourceType\":\"Parameters\",\"parameter\":[{}]}}", self.parameters.join(","))
    }
}

fn named(name: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!("{{\"name\":{}{comma}{members}}}", quote(name))
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
