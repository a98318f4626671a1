//! Search parameters, those of the standard and those that clients have defined.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use crate::fhir::ResourceType;
use crate::fhir::definitions::{SearchParameterRow, search_parameter_rows};
use crate::fhir::path::Expression;

/// The search parameters that are known: those of R4, and custom ones.
///
/// A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    custom: Arc<HashMap<ResourceType, Vec<Arc<SearchParameter>>>>,
}

/// What a search on one resource type may ask for: FHIR R4 §3.1.1.3, and the resource
/// SearchParameter.
#[derive(Debug)]
pub struct SearchParameter {
    /// Name in queries, such as `subject`.
    pub name: Cow<'static, str>,
    /// The frozen code of the name, never 0: the same for all types that have it.
    pub code: u16,
    /// The canonical URL of its SearchParameter.
    pub url: Cow<'static, str>,
    /// How values are compared.
    pub search_type: SearchType,
    /// Where in a resource the values are.
    pub expression: Expression,
    /// What a value consists of, if the type is [`SearchType::Composite`].
    pub components: Vec<Component>,
    /// The system of codes in elements that name none: those of the data type `code`.
    pub implied_system: Option<Cow<'static, str>>,
    /// It leads to a part of a name of somebody, of which each word counts.
    pub(super) is_part_of_name: bool,
    /// The types to which references may lead.
    pub(super) targets: Targets,
}

/// One part of the values of a composite: FHIR R4 §3.1.1.4.13.
#[derive(Debug)]
pub struct Component {
    /// The parameter that compares the part.
    pub parameter: Arc<SearchParameter>,
    /// Where the part is, seen from an element to which the composite's expression leads.
    pub expression: Expression,
}

/// How the values of a search parameter are compared: FHIR R4 §3.1.1.4, value set
/// `search-param-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchType {
    /// A number, with prefixes.
    Number,
    /// An instant or period, with prefixes.
    Date,
    /// A text, by its beginning.
    String,
    /// A code or identifier, with or without its system.
    Token,
    /// Another resource.
    Reference,
    /// Several parts that belong together.
    Composite,
    /// A number with a unit, with prefixes.
    Quantity,
    /// A URI, compared literally.
    Uri,
    /// Something with rules of its own.
    Special,
}

/// The types to which a reference may lead.
#[derive(Debug)]
pub(super) enum Targets {
    Any,
    Only(Vec<ResourceType>),
}

impl Parameters {
    /// The parameters of R4.
    #[must_use]
    pub fn standard() -> Self {
        Self::default()
    }

    /// The parameters of R4, and custom ones for some types.
    #[must_use]
    pub fn with_custom(custom: impl IntoIterator<Item = (ResourceType, SearchParameter)>) -> Self {
        let mut of_type: HashMap<_, Vec<_>> = HashMap::new();
        for (kind, parameter) in custom {
            of_type.entry(kind).or_default().push(Arc::new(parameter));
        }
        Self { custom: Arc::new(of_type) }
    }

    /// The parameters of a type: those of R4 in the order of their names, then custom ones.
    ///
    /// Without `_id` and `_lastUpdated`, which are known without reading the resource.
    pub fn of(&self, kind: ResourceType) -> impl Iterator<Item = &Arc<SearchParameter>> {
        standard(kind).iter().chain(self.custom.get(&kind).into_iter().flatten())
    }

    /// The parameter of that name.
    #[must_use]
    pub fn named(&self, kind: ResourceType, name: &str) -> Option<&Arc<SearchParameter>> {
        self.of(kind).find(|parameter| parameter.name == name)
    }
}

impl SearchParameter {
    /// True if references of this parameter may lead to that type.
    #[must_use]
    pub fn may_target(&self, kind: ResourceType) -> bool {
        match &self.targets {
            Targets::Any => true,
            Targets::Only(targets) => targets.contains(&kind),
        }
    }

    /// The types to which references of this parameter may lead; none unless it is a reference.
    #[must_use]
    pub fn targets(&self) -> Vec<ResourceType> {
        match &self.targets {
            Targets::Any => ResourceType::all().collect(),
            Targets::Only(targets) => targets.clone(),
        }
    }
}

/// By their URL and name: what else they say follows from these.
impl PartialEq for SearchParameter {
    fn eq(&self, other: &Self) -> bool {
        (self.code, &self.url, &self.name) == (other.code, &other.url, &other.name)
    }
}

impl Eq for SearchParameter {}

impl std::hash::Hash for SearchParameter {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.code.hash(state);
    }
}

impl SearchType {
    /// The type with that code.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "number" => Self::Number,
            "date" => Self::Date,
            "string" => Self::String,
            "token" => Self::Token,
            "reference" => Self::Reference,
            "composite" => Self::Composite,
            "quantity" => Self::Quantity,
            "uri" => Self::Uri,
            "special" => Self::Special,
            _ => return None,
        })
    }

    /// The code in a CapabilityStatement.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }

    /// False for special parameters, which are known but not answered.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self != Self::Special
    }
}

/// The parameters of R4 for a type, made when they are first asked for.
fn standard(kind: ResourceType) -> &'static [Arc<SearchParameter>] {
    type OfType = Vec<OnceLock<Vec<Arc<SearchParameter>>>>;
    static STANDARD: LazyLock<OfType> = LazyLock::new(|| {
        let types = ResourceType::all().map(|kind| usize::from(kind.code())).max().unwrap_or(0);
        (0..=types).map(|_| OnceLock::new()).collect()
    });
    let of_type = STANDARD.get(usize::from(kind.code()));
    of_type.map_or(&[], |of_type| of_type.get_or_init(|| read(kind)))
}

/// A row that does not read is left out here and found by the test below, so that reading the
/// table has no way to fail in a running server.
fn read(kind: ResourceType) -> Vec<Arc<SearchParameter>> {
    let (composites, simple): (Vec<_>, Vec<_>) =
        search_parameter_rows(kind).partition(|row| !row.components.is_empty());
    let simple = simple.iter().filter_map(|row| parameter(row, Vec::new()));
    let mut parameters: Vec<_> = simple.map(Arc::new).collect();
    for row in composites {
        let component = |text: &str| {
            let (name, expression) = text.split_once('=')?;
            let parameter = parameters.iter().find(|parameter| parameter.name == name)?;
            let expression = Expression::parse(expression).ok()?;
            Some(Component { parameter: Arc::clone(parameter), expression })
        };
        let components: Option<Vec<_>> = row.components.split(';').map(component).collect();
        let composite = components.and_then(|components| parameter(&row, components));
        parameters.extend(composite.map(Arc::new));
    }
    parameters.sort_by(|one, other| one.name.cmp(&other.name));
    parameters
}

fn parameter(row: &SearchParameterRow, components: Vec<Component>) -> Option<SearchParameter> {
    let targets = match row.targets {
        "*" => Targets::Any,
        names => Targets::Only(names.split(' ').filter_map(ResourceType::from_name).collect()),
    };
    Some(SearchParameter {
        name: Cow::Borrowed(row.name),
        code: row.code.parse().ok()?,
        url: Cow::Borrowed(row.url),
        search_type: SearchType::from_name(row.search_type)?,
        expression: Expression::parse(row.expression).ok()?,
        components,
        implied_system: (!row.system.is_empty()).then_some(Cow::Borrowed(row.system)),
        is_part_of_name: is_part_of_name(row.expression),
        targets,
    })
}

/// Whether an expression leads to texts in a HumanName, the only type with such elements; `text` is one of
/// many others too.
pub(super) fn is_part_of_name(expression: &str) -> bool {
    let last = expression.rsplit('.').next().unwrap_or_default();
    matches!(last, "family" | "given" | "prefix" | "suffix")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        for kind in ResourceType::all() {
            let read: Vec<_> = standard(kind).iter().map(|parameter| &*parameter.name).collect();
            let mut rows: Vec<_> = search_parameter_rows(kind).map(|row| row.name).collect();
            rows.sort_unstable();
            assert_eq!(read, rows, "{kind}");
        }
        let count: usize = ResourceType::all().map(|kind| standard(kind).len()).sum();
        assert_eq!(count, 2290);
    }

    #[test]
    fn references_without_targets_lead_anywhere() {
        let kind = ResourceType::from_name("RequestGroup").unwrap();
        let parameters = Parameters::standard();
        let instantiates = parameters.named(kind, "instantiates-canonical").unwrap();
        assert!(instantiates.may_target(ResourceType::from_name("PlanDefinition").unwrap()));
    }
}
