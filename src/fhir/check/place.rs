//! Where in a resource: written out as FHIRPath only when there is a problem to report.

use std::fmt;

/// A place, as a chain that leads up to the resource.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The resource, with its own place.
    Root(&'a str),
    /// A member of the object at the place above.
    Member(&'a Place<'a>, &'a str),
    /// An item of the array at the place above.
    Item(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    /// The index, for an item of an array.
    pub(super) fn index(&self) -> Option<usize> {
        match self {
            Self::Item(_, index) => Some(*index),
            Self::Root(_) | Self::Member(..) => None,
        }
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Self::Item(self, index)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(text) => formatter.write_str(text),
            Self::Member(above, name) if is_identifier(name) => write!(formatter, "{above}.{name}"),
            // FHIRPath's delimited identifier.
            Self::Member(above, name) => {
                let name = crate::fhir::types::quotable(name);
                let name = name.escape_debug().to_string().replace('`', "\\`");
                write!(formatter, "{above}.`{name}`")
            }
            Self::Item(above, index) => write!(formatter, "{above}[{index}]"),
        }
    }
}

fn is_identifier(name: &str) -> bool {
    const LENGTH_MAX: usize = 80;
    name.len() <= LENGTH_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
