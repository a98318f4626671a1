//! The values of a FHIRPath Patch, and what they are in JSON.

use crate::fhir::definitions::elements::{
    Element, ElementType, Form, TypeDefinition, definition_at,
};
use crate::json::{Node, quote};

/// A value as it stands in the patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `valueDate` and such.
    Typed {
        /// The type, as it stands in the name of the member: `Date`.
        type_name: String,
        /// The value as JSON.
        text: Option<String>,
        /// Id and extensions of a primitive value, as JSON.
        beside: Option<String>,
    },
    /// The elements of a value that has no type of its own in Parameters.
    Parts(Vec<(String, Value)>),
    /// A whole resource, as JSON.
    Resource(String),
}

/// A value as JSON: its own text, and that of the member with an underscore.
#[derive(Debug)]
pub(super) struct JsonParts {
    pub(super) text: Option<String>,
    pub(super) beside: Option<String>,
}

impl Value {
    /// Reads the value of a part; `None` if it has none.
    pub(super) fn read(part: Node<'_>) -> Result<Option<Self>, String> {
        let mut found: Vec<Self> = Vec::new();
        for (name, value) in part.members() {
            let typed = name.strip_prefix("value").or_else(|| name.strip_prefix("_value"));
            match (&*name, typed) {
                ("part", _) => {
                    let part = |part: Node<'_>| {
                        let name = part.get_str("name").ok_or("a part has no name")?.into_owned();
                        let value = Self::read(part)?;
                        Ok((name.clone(), value.ok_or(format!("the part {name} has no value"))?))
                    };
                    found
                        .push(Self::Parts(value.items().map(part).collect::<Result<_, String>>()?));
                }
                ("resource", _) => found.push(Self::Resource(value.text().to_owned())),
                (name, Some(type_name)) => {
                    let text = Some(value.text().to_owned());
                    let (text, beside) =
                        if name.starts_with('_') { (None, text) } else { (text, None) };
                    found.push(Self::Typed { type_name: type_name.to_owned(), text, beside });
                }
                _ => {}
            }
        }
        match found.as_mut_slice() {
            [] => Ok(None),
            [_] => Ok(found.pop()),
            // A primitive value, and its id and extensions.
            [
                Self::Typed { type_name, text, beside },
                Self::Typed { type_name: other_name, text: other_text, beside: other_beside },
            ] if type_name == other_name => Ok(Some(Self::Typed {
                type_name: std::mem::take(type_name),
                text: text.take().or(other_text.take()),
                beside: beside.take().or(other_beside.take()),
            })),
            _ => Err("a value is given twice".to_owned()),
        }
    }

    /// The value as an element has it: the name of the member, and the JSON.
    ///
    /// # Errors
    ///
    /// That it has another type than the element.
    pub(super) fn write(&self, element: &Element) -> Result<(String, JsonParts), String> {
        let kind = self.type_in(element)?;
        let member = match element.is_choice {
            true => format!("{}{}", element.name, capital(kind.name)),
            false => element.name.to_owned(),
        };
        let written = match self {
            Self::Typed { text, beside, .. } => {
                JsonParts { text: text.clone(), beside: beside.clone() }
            }
            Self::Resource(text) => JsonParts { text: Some(text.clone()), beside: None },
            Self::Parts(parts) => {
                let definition = match kind.form {
                    Form::Complex(index) => definition_at(index),
                    _ => None,
                };
                let definition = definition.ok_or_else(|| wrong_type(element))?;
                JsonParts { text: Some(object(parts, definition)?), beside: None }
            }
        };
        Ok((member, written))
    }

    /// Which of the types of an element it has.
    fn type_in<'a>(&self, element: &'a Element) -> Result<&'a ElementType, String> {
        let fits = |kind: &&ElementType| match self {
            // There is no valueXhtml.
            Self::Typed { type_name, .. } if kind.name == "xhtml" => type_name == "String",
            Self::Typed { type_name, .. } => capital(kind.name) == *type_name,
            Self::Parts(_) => matches!(kind.form, Form::Complex(_)),
            Self::Resource(_) => kind.form == Form::Resource,
        };
        let mut fitting = element.types.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(kind), None) => Ok(kind),
            _ => Err(wrong_type(element)),
        }
    }
}

/// Elements as the object that they make up.
fn object(
    parts: &[(String, Value)],
    definition: &'static TypeDefinition,
) -> Result<String, String> {
    let mut members: Vec<(String, bool, Vec<JsonParts>)> = Vec::new();
    for (name, value) in parts {
        let element = element_of(definition, name)?;
        let (member, written) = value.write(element)?;
        match members.iter_mut().find(|(known, ..)| *known == member) {
            Some((_, true, values)) => values.push(written),
            Some(_) => return Err(format!("{}.{name} has one value at most", definition.name)),
            None => members.push((member, element.max_is_many, vec![written])),
        }
    }
    let mut out: Vec<String> = Vec::new();
    for (member, is_list, values) in &members {
        out.extend(rows(member, *is_list, values));
    }
    Ok(format!("{{{}}}", out.join(",")))
}

/// The members that hold the values of an element.
pub(super) fn rows(member: &str, is_list: bool, values: &[JsonParts]) -> Vec<String> {
    let row = |name: String, texts: Vec<Option<&str>>| {
        texts.iter().any(Option::is_some).then(|| {
            let texts: Vec<&str> = texts.iter().map(|text| text.unwrap_or("null")).collect();
            let text = texts.join(",");
            format!("{}:{}", quote(&name), if is_list { format!("[{text}]") } else { text })
        })
    };
    let texts = values.iter().map(|value| value.text.as_deref()).collect();
    let beside = values.iter().map(|value| value.beside.as_deref()).collect();
    [row(member.to_owned(), texts), row(format!("_{member}"), beside)]
        .into_iter()
        .flatten()
        .collect()
}

/// The element of that name, for a choice without its type.
pub(super) fn element_of(
    definition: &'static TypeDefinition,
    name: &str,
) -> Result<&'static Element, String> {
    let mut elements = definition.elements();
    let found = elements.find(|element| element.name == name);
    found.ok_or_else(|| format!("{} has no element {}", definition.name, quote(name)))
}

fn wrong_type(element: &Element) -> String {
    let name = |kind: &ElementType| match kind.form {
        Form::Resource => "a resource".to_owned(),
        Form::Complex(_) if kind.name.contains('.') => "parts".to_owned(),
        _ if kind.name == "xhtml" => "valueString".to_owned(),
        _ => format!("value{}", capital(kind.name)),
    };
    let names: Vec<String> = element.types.iter().map(name).collect();
    format!("the value of {} is {}", element.name, names.join(" or "))
}

fn capital(type_name: &str) -> String {
    let (first, rest) = type_name.split_at_checked(1).unwrap_or(("", type_name));
    format!("{}{rest}", first.to_ascii_uppercase())
}
