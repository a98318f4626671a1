//! The types of values: FHIRPath N1 §4.1 (System) and §10 (reflection), and those of FHIR R4, of which
//! some are specialized from others (§2.24.0).

use crate::fhir::definitions::Primitive;
use crate::fhir::definitions::elements::{
    ElementType, Form, TypeDefinition, definition, definition_at,
};
use crate::json::Node;

/// The type of an element of a resource.
#[derive(Debug, Clone, Copy)]
pub enum ElementKind {
    /// A string, number or boolean.
    Primitive(Primitive),
    /// An object of elements.
    Object(&'static TypeDefinition),
    /// What the definitions do not have: an element of a later version.
    Unknown,
}

/// A type of FHIRPath itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
    Quantity,
}

/// Names and types of System.
const SYSTEM: [(&str, System); 8] = [
    ("Boolean", System::Boolean),
    ("Integer", System::Integer),
    ("Decimal", System::Decimal),
    ("String", System::String),
    ("Date", System::Date),
    ("DateTime", System::DateTime),
    ("Time", System::Time),
    ("Quantity", System::Quantity),
];

impl System {
    pub(super) fn name(self) -> &'static str {
        SYSTEM.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    fn in_fhir(self) -> Option<Primitive> {
        Some(match self {
            Self::Boolean => Primitive::Boolean,
            Self::Integer => Primitive::Integer,
            Self::Decimal => Primitive::Decimal,
            Self::String => Primitive::String,
            Self::Date => Primitive::Date,
            Self::DateTime => Primitive::DateTime,
            Self::Time => Primitive::Time,
            Self::Quantity => return None,
        })
    }
}

/// A type as an expression names it: `Patient`, `FHIR.code`, `System.Boolean`. Without a namespace it may
/// be one of both.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeName {
    fhir: Option<ElementKind>,
    system: Option<System>,
    /// The primitive type that the search parameters of R4 mean when they name one of System, such as
    /// `DateTime`.
    meant: Option<Primitive>,
}

impl TypeName {
    /// The type of that name; `None` if there is none. In System, any name is a type without values.
    pub(super) fn of(namespace: Option<&str>, name: &str) -> Option<Self> {
        let system = SYSTEM.iter().find(|(known, _)| *known == name).map(|(_, system)| *system);
        let fhir = match Primitive::from_name(name) {
            Some(primitive) => Some(ElementKind::Primitive(primitive)),
            None => definition(name).map(ElementKind::Object),
        };
        match namespace {
            None if fhir.is_some() || system.is_some() => {
                let meant = system.filter(|_| fhir.is_none()).and_then(System::in_fhir);
                Some(Self { fhir, system, meant })
            }
            Some("FHIR") if fhir.is_some() => Some(Self { fhir, system: None, meant: None }),
            Some("System") => Some(Self { fhir: None, system, meant: None }),
            _ => None,
        }
    }

    /// The type of a resource, if it is one, and so that of the path which begins with it.
    pub(super) fn definition(self) -> Option<&'static TypeDefinition> {
        match self.fhir {
            Some(ElementKind::Object(definition)) => Some(definition),
            _ => None,
        }
    }

    /// True for the type itself and those that are specialized from it.
    pub(super) fn includes(self, kind: ElementKind) -> bool {
        self.fhir.is_some_and(|own| kind.is_a(own))
    }

    /// The same, as the search parameters of R4 name types.
    pub(super) fn means(self, kind: ElementKind) -> bool {
        self.includes(kind)
            || self.meant.is_some_and(|meant| kind.is_a(ElementKind::Primitive(meant)))
    }

    /// Its name, for errors.
    pub(super) fn name(self) -> &'static str {
        let system = self.system.map_or("type", System::name);
        self.fhir.map_or(system, ElementKind::name)
    }

    /// The same as [`TypeName::includes`]; a primitive type must be that type itself.
    pub(super) fn includes_exactly(self, kind: ElementKind) -> bool {
        match (self.fhir, kind) {
            (Some(ElementKind::Primitive(own)), ElementKind::Primitive(kind)) => own == kind,
            _ => self.includes(kind),
        }
    }

    pub(super) fn includes_system(self, system: Option<System>) -> bool {
        self.system.is_some() && self.system == system
    }
}

impl ElementKind {
    /// The type that an element has by its definition. Of a resource within a resource, it is the one
    /// that it says itself.
    #[must_use]
    pub fn of(element_type: &ElementType, node: Node<'_>) -> Self {
        match element_type.form {
            Form::Primitive(primitive) => Self::Primitive(primitive),
            Form::Complex(index) => definition_at(index).map_or(Self::Unknown, Self::Object),
            Form::Resource => Self::of_resource(node),
        }
    }

    /// The type that a resource says it has.
    #[must_use]
    pub fn of_resource(node: Node<'_>) -> Self {
        let name = node.get_str("resourceType");
        name.and_then(|name| definition(&name)).map_or(Self::Unknown, Self::Object)
    }

    /// Its name, such as `code`, `HumanName` or `Patient.contact`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Primitive(primitive) => primitive.name(),
            Self::Object(definition) => definition.name,
            Self::Unknown => "",
        }
    }

    /// The definition of what is an object.
    #[must_use]
    pub fn definition(self) -> Option<&'static TypeDefinition> {
        match self {
            Self::Object(definition) => Some(definition),
            _ => None,
        }
    }

    /// True if it is that type, or specialized from it.
    fn is_a(self, general: Self) -> bool {
        match (self, general) {
            (Self::Primitive(own), Self::Primitive(general)) => {
                own == general || general_of(own) == Some(general)
            }
            (Self::Object(own), Self::Object(general)) => {
                let mut bases = std::iter::successors(Some(own), |kind| kind.base());
                bases.any(|kind| std::ptr::eq(kind, general))
            }
            (Self::Primitive(_), Self::Object(general)) => general.name == "Element",
            _ => false,
        }
    }
}

/// The type from which a primitive type is specialized: FHIR R4 §2.24.0.1.
fn general_of(primitive: Primitive) -> Option<Primitive> {
    use Primitive::{
        Canonical, Code, Id, Integer, Markdown, Oid, PositiveInt, String, UnsignedInt, Uri, Url,
        Uuid,
    };
    match primitive {
        Code | Id | Markdown => Some(String),
        Canonical | Oid | Url | Uuid => Some(Uri),
        PositiveInt | UnsignedInt => Some(Integer),
        _ => None,
    }
}
