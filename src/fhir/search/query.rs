//! A whole query: criteria, sorting, and what to include.

use std::cell::Cell;
use std::sync::Arc;

use super::modifier::Modifier;
use super::problem::{Refusal, invalid, not_supported, too_costly, unknown_parameter};
use super::split::{alternatives, split_unescaped, unescaped};
use super::{
    Condition, DatePredicate, Direction, Parameters, ProblemKind, SearchParameter, SearchProblem,
    SearchType, Sort, SortBy,
};
use crate::fhir::types::quotable;
use crate::fhir::{ResourceId, ResourceType};

/// Longest chain of references, counting each `.` and each `_has`.
const CHAIN_LENGTH_MAX: usize = 8;
/// Most criteria that a query may come to: a chain has one for each type of its target.
const CRITERIA_MAX: usize = 2_000;

/// What a search on one type asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// All of them must hold.
    pub criteria: Vec<Criterion>,
    /// By the first, then by the next: FHIR R4 §3.1.1.5.1.
    pub sort: Vec<Sort>,
    /// What to add to the matches: FHIR R4 §3.1.1.5.4.
    pub includes: Vec<Include>,
}

/// One thing that must hold of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// It has one of these ids.
    Ids(Vec<ResourceId>),
    /// It has none of these ids.
    OtherIds(Vec<ResourceId>),
    /// One of these holds of the instant of its last update.
    LastUpdated(Vec<DatePredicate>),
    /// It is an item of that List.
    List(ResourceId),
    /// It has the right value.
    Condition(Condition),
    /// It refers to the right resource.
    Chain(Chain),
    /// The right resource refers to it.
    Has(Has),
    /// One of these holds; for compartments, into which several parameters lead.
    AnyOf(Vec<Criterion>),
    /// A token parameter has one of some codes, or one above or below it in the hierarchy of its code
    /// system: see [`Condition::of_codes`].
    InHierarchy {
        /// Which parameter.
        parameter: Arc<SearchParameter>,
        /// Systems and codes.
        codes: Vec<(String, String)>,
        /// Where else to look.
        direction: Direction,
    },
    /// A token parameter has a code of one of some value sets: see [`Condition::of_codes`].
    InValueSet {
        /// Which parameter.
        parameter: Arc<SearchParameter>,
        /// Canonical URLs, or references such as `ValueSet/1`.
        value_sets: Vec<String>,
        /// `:not-in`: it has none of the codes.
        negated: bool,
    },
}

/// `subject:Patient.name=…`, `patient.name=…`: FHIR R4 §3.1.1.4.14.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chain {
    /// The reference.
    pub parameter: Arc<SearchParameter>,
    /// Of one of these types it leads to a resource of which all criteria hold.
    pub targets: Vec<(ResourceType, Vec<Criterion>)>,
}

/// `_has:Observation:patient:code=…`: FHIR R4 §3.1.1.4.15.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Has {
    /// The type of the resource that refers.
    pub kind: ResourceType,
    /// By this parameter.
    pub parameter: Arc<SearchParameter>,
    /// All of them hold of the resource that refers.
    pub criteria: Vec<Criterion>,
}

/// `_include` or `_revinclude`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Include {
    /// `_revinclude`: what refers to the matches, not what they refer to.
    pub reverse: bool,
    /// Also of what was included.
    pub iterate: bool,
    /// The type that refers.
    pub source: ResourceType,
    /// By which parameter; `None` for all references.
    pub parameter: Option<Arc<SearchParameter>>,
    /// Only references to this type.
    pub target: Option<ResourceType>,
}

impl Query {
    /// Parses the decoded names and values of a query on a type.
    ///
    /// `base_url` is this server's own: references below it are local.
    ///
    /// # Errors
    ///
    /// Everything in the query that is not supported or not valid, in its order.
    pub fn parse(
        parameters: &Parameters,
        kind: ResourceType,
        pairs: &[(String, String)],
        base_url: Option<&str>,
    ) -> Result<Self, Vec<SearchProblem>> {
        let reader = Reader { parameters, base_url, criteria: Cell::new(0) };
        let mut query = Self::default();
        let mut problems = Vec::new();
        for (name, text) in pairs {
            if let Err((problem, diagnostics)) = reader.add(&mut query, kind, name, text) {
                let parameter = name.clone();
                problems.push(SearchProblem { parameter, kind: problem, diagnostics });
            }
        }
        if problems.is_empty() { Ok(query) } else { Err(problems) }
    }
}

/// What names in a query are looked up in.
struct Reader<'a> {
    parameters: &'a Parameters,
    base_url: Option<&'a str>,
    /// How many were read, those in chains included.
    criteria: Cell<usize>,
}

impl Reader<'_> {
    fn add(
        &self,
        query: &mut Query,
        kind: ResourceType,
        name: &str,
        text: &str,
    ) -> Result<(), Refusal> {
        let (base, modifier) = split_modifier(name);
        match base {
            "_sort" => {
                refuse_modifier(base, modifier)?;
                for rule in alternatives(text)? {
                    query.sort.push(self.sort(kind, rule)?);
                }
            }
            "_include" | "_revinclude" => {
                let iterate = match modifier {
                    None => false,
                    // The name in DSTU2 and STU3.
                    Some("iterate" | "recurse") => true,
                    Some(other) => {
                        return Err(not_supported(format!(
                            "{base} has no modifier \":{}\"; supported is :iterate",
                            quotable(other)
                        )));
                    }
                };
                let include = self.include(kind, base == "_revinclude", iterate, text)?;
                query.includes.push(include);
            }
            _ => query.criteria.push(self.criterion(kind, name, text, 0)?),
        }
        Ok(())
    }

    /// `depth` is how many references were followed to come to the type.
    fn criterion(
        &self,
        kind: ResourceType,
        name: &str,
        text: &str,
        depth: usize,
    ) -> Result<Criterion, Refusal> {
        if depth > CHAIN_LENGTH_MAX {
            return Err(too_costly(format!(
                "the chain follows more than {CHAIN_LENGTH_MAX} references"
            )));
        }
        self.criteria.set(self.criteria.get() + 1);
        if self.criteria.get() > CRITERIA_MAX {
            return Err(too_costly(format!(
                "the query comes to more than {CRITERIA_MAX} criteria; name the type of each target \
                 in chains"
            )));
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(kind, rest, text, depth).map(Criterion::Has);
        }
        if let Some((reference, rest)) = name.split_once('.') {
            return self.chain(kind, reference, rest, text, depth).map(Criterion::Chain);
        }
        let (base, modifier) = split_modifier(name);
        match base {
            "_id" => match modifier {
                None => Ok(Criterion::Ids(ids(text)?)),
                Some("not") => Ok(Criterion::OtherIds(ids(text)?)),
                Some(other) => Err(not_supported(format!(
                    "_id has no modifier \":{}\" on this server; supported is :not",
                    quotable(other)
                ))),
            },
            "_lastUpdated" => {
                refuse_modifier(base, modifier)?;
                let predicates = alternatives(text)?.into_iter().map(DatePredicate::parse);
                Ok(Criterion::LastUpdated(predicates.collect::<Result<_, _>>()?))
            }
            "_list" => {
                refuse_modifier(base, modifier)?;
                let id = text.strip_prefix("List/").unwrap_or(text);
                let id = ResourceId::parse(id).map_err(|_| {
                    not_supported(format!(
                        "\"{}\" is not the id of a List; nothing else is supported",
                        quotable(text)
                    ))
                })?;
                Ok(Criterion::List(id))
            }
            _ => {
                let parameter = self.named(kind, base)?;
                match Modifier::parse(kind, parameter, modifier)? {
                    modifier @ (Modifier::In | Modifier::NotIn) => Ok(Criterion::InValueSet {
                        parameter: Arc::clone(parameter),
                        value_sets: alternatives(text)?.into_iter().map(unescaped).collect(),
                        negated: modifier == Modifier::NotIn,
                    }),
                    modifier @ (Modifier::Above | Modifier::Below)
                        if parameter.search_type == SearchType::Token =>
                    {
                        let codes = alternatives(text)?.into_iter().map(system_and_code);
                        Ok(Criterion::InHierarchy {
                            parameter: Arc::clone(parameter),
                            codes: codes.collect::<Result<_, _>>()?,
                            direction: match modifier {
                                Modifier::Above => Direction::Above,
                                _ => Direction::Below,
                            },
                        })
                    }
                    modifier => Condition::parse(parameter, modifier, text, self.base_url)
                        .map(Criterion::Condition),
                }
            }
        }
    }

    /// The parameter of that name, if it can be searched by.
    fn named(&self, kind: ResourceType, name: &str) -> Result<&Arc<SearchParameter>, Refusal> {
        let unsupported =
            || (ProblemKind::UnknownParameter, format!("{name} is not supported on this server"));
        if matches!(name, "_text" | "_content" | "_filter" | "_query") {
            return Err(unsupported());
        }
        let parameter = self.parameters.named(kind, name);
        let parameter = parameter.ok_or_else(|| unknown_parameter(self.parameters, kind, name))?;
        if !parameter.search_type.is_supported() {
            return Err(unsupported());
        }
        Ok(parameter)
    }

    fn reference(&self, kind: ResourceType, name: &str) -> Result<&Arc<SearchParameter>, Refusal> {
        let parameter = self.named(kind, name)?;
        if parameter.search_type != SearchType::Reference {
            let found = parameter.search_type.name();
            return Err(invalid(format!("{name} of {kind} is a {found}, not a reference")));
        }
        Ok(parameter)
    }

    /// `reference.rest=text`
    fn chain(
        &self,
        kind: ResourceType,
        reference: &str,
        rest: &str,
        text: &str,
        depth: usize,
    ) -> Result<Chain, Refusal> {
        let (base, modifier) = split_modifier(reference);
        let parameter = self.reference(kind, base)?;
        let kinds = match Modifier::parse(kind, parameter, modifier)? {
            Modifier::Plain => parameter.targets(),
            Modifier::Type(kind) => vec![kind],
            _ => {
                return Err(not_supported("in a chain, only the type of the target is a modifier"));
            }
        };
        let mut targets = Vec::new();
        let mut refusal = None;
        for target in kinds {
            match self.criterion(target, rest, text, depth + 1) {
                Ok(criterion) => targets.push((target, vec![criterion])),
                Err(problem @ (ProblemKind::TooCostly, _)) => return Err(problem),
                // What one type does not know may be known to another.
                Err(problem) => refusal = refusal.or(Some(problem)),
            }
        }
        match (targets.is_empty(), refusal) {
            (true, Some(refusal)) => Err(refusal),
            _ => Ok(Chain { parameter: Arc::clone(parameter), targets }),
        }
    }

    /// `_has:Type:reference:rest=text`
    fn has(
        &self,
        kind: ResourceType,
        name: &str,
        text: &str,
        depth: usize,
    ) -> Result<Has, Refusal> {
        let mut parts = name.splitn(3, ':');
        let (Some(source), Some(reference), Some(rest)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid("_has has the form _has:Type:reference:parameter=value"));
        };
        let source = resource_type(source)?;
        let parameter = self.reference(source, reference)?;
        if !parameter.may_target(kind) {
            return Err(super::reference::wrong_target(parameter, kind.name()));
        }
        let criteria = vec![self.criterion(source, rest, text, depth + 1)?];
        Ok(Has { kind: source, parameter: Arc::clone(parameter), criteria })
    }

    fn sort(&self, kind: ResourceType, rule: &str) -> Result<Sort, Refusal> {
        let (name, descending) = match rule.strip_prefix('-') {
            Some(name) => (name, true),
            None => (rule, false),
        };
        let by = match name {
            "_id" => SortBy::Id,
            "_lastUpdated" => SortBy::LastUpdated,
            _ => {
                let parameter = self.named(kind, name)?;
                if parameter.search_type == SearchType::Composite {
                    return Err(not_supported(format!("{name} has no order: it is a composite")));
                }
                SortBy::Parameter(Arc::clone(parameter))
            }
        };
        Ok(Sort { by, descending })
    }

    /// `Type:parameter:Target`, `Type:parameter`, `Type:*` or `*`.
    fn include(
        &self,
        kind: ResourceType,
        reverse: bool,
        iterate: bool,
        text: &str,
    ) -> Result<Include, Refusal> {
        let mut parts = text.splitn(3, ':');
        let (source, name, target) = match (parts.next(), parts.next()) {
            (Some("*"), None) if !reverse => (kind, "*", None),
            (Some(source), Some(name)) => (resource_type(source)?, name, parts.next()),
            _ => {
                return Err(invalid(format!(
                    "\"{}\" is not of the form Type:parameter or Type:parameter:Target",
                    quotable(text)
                )));
            }
        };
        let target = target.map(resource_type).transpose()?;
        let parameter = match name {
            "*" => None,
            name => Some(Arc::clone(self.reference(source, name)?)),
        };
        if let (Some(parameter), Some(target)) = (&parameter, target)
            && !parameter.may_target(target)
        {
            return Err(super::reference::wrong_target(parameter, target.name()));
        }
        Ok(Include { reverse, iterate, source, parameter, target })
    }
}

/// The ids of `_id`, sorted, each once.
fn ids(text: &str) -> Result<Vec<ResourceId>, Refusal> {
    let parse = |value| ResourceId::parse(value).map_err(|error| invalid(error.to_string()));
    let mut ids = alternatives(text)?.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// `system|code`: what stands in a hierarchy is a code of a system.
fn system_and_code(text: &str) -> Result<(String, String), Refusal> {
    match split_unescaped(text, '|')?.as_slice() {
        [system, code] if !system.is_empty() && !code.is_empty() => {
            Ok((unescaped(system), unescaped(code)))
        }
        _ => Err(invalid(format!(
            "\"{}\" is not of the form system|code, which :above and :below need",
            quotable(text)
        ))),
    }
}

fn split_modifier(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((name, modifier)) => (name, Some(modifier)),
        None => (name, None),
    }
}

fn resource_type(name: &str) -> Result<ResourceType, Refusal> {
    let error = || invalid(format!("\"{}\" is not a resource type of FHIR R4", quotable(name)));
    ResourceType::from_name(name).ok_or_else(error)
}

fn refuse_modifier(name: &str, modifier: Option<&str>) -> Result<(), Refusal> {
    let Some(modifier) = modifier else { return Ok(()) };
    let modifier = quotable(modifier);
    Err(not_supported(format!("{name} has no modifier \":{modifier}\" on this server")))
}
