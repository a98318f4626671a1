//! What an expression reaches in the store, under the grant of its caller.
//!
//! An evaluation does no I/O. It notes what it would need; that is looked up, and it begins again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Grant;
use crate::fhir::definitions::CodeSet;
use crate::fhir::path::{Resolver, Terminology};
use crate::fhir::search::{Canonical, Query, codes_of_value_set};
use crate::fhir::{Reference, ResourceType};
use crate::json::{Document, Node};
use crate::records::{Records, RecordsError, SearchRequest};

/// Where the value sets of R4 itself are.
const OWN_VALUE_SETS: &str = "http://hl7.org/fhir/ValueSet/";
/// Most resources that one request reads.
const RESOURCES_MAX: usize = 100;

/// What is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// The resource to which a reference leads.
    Resource(String),
    /// The value set with a canonical URL.
    ValueSet(String),
}

/// What was looked up.
#[derive(Default)]
pub(super) struct Found(BTreeMap<Wanted, Known>);

/// What a look into the store has found.
enum Known {
    /// It is not there, or out of reach, or does not list its codes.
    Nothing,
    /// A resource.
    Resource(Document),
    /// System and code of everything in a value set.
    Codes(Vec<(String, String)>),
}

/// What was looked up, as an evaluation sees it.
pub(super) struct Sight<'a> {
    found: &'a Found,
    wanted: RefCell<BTreeSet<Wanted>>,
}

impl Found {
    pub(super) fn sight(&self) -> Sight<'_> {
        Sight { found: self, wanted: RefCell::default() }
    }
}

impl<'a> Sight<'a> {
    fn get(&self, wanted: Wanted) -> &'a Known {
        self.found.0.get(&wanted).unwrap_or_else(|| {
            if self.found.0.len() < RESOURCES_MAX {
                self.wanted.borrow_mut().insert(wanted);
            }
            &Known::Nothing
        })
    }

    /// What the evaluation asked for in vain.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        self.wanted.take().into_iter().collect()
    }
}

impl<'a> Resolver<'a> for Sight<'a> {
    fn resolve(&self, reference: &str) -> Option<Node<'a>> {
        match self.get(Wanted::Resource(reference.to_owned())) {
            Known::Resource(document) => Some(document.root()),
            Known::Nothing | Known::Codes(_) => None,
        }
    }
}

impl Terminology for Sight<'_> {
    /// One of the closed value sets of R4 itself, or one that is stored and lists its codes.
    fn is_member(&self, url: &str, system: Option<&str>, code: &str) -> Option<bool> {
        let own = url.split('|').next().and_then(|url| url.strip_prefix(OWN_VALUE_SETS));
        if let Some(set) = own.and_then(CodeSet::named) {
            return Some(system.map_or_else(|| set.has_code(code), |system| set.has(system, code)));
        }
        match self.get(Wanted::ValueSet(url.to_owned())) {
            Known::Codes(codes) => Some(
                codes
                    .iter()
                    .any(|(known, own)| own == code && system.is_none_or(|system| system == known)),
            ),
            Known::Nothing | Known::Resource(_) => None,
        }
    }
}

/// The way into the store.
pub(super) struct Reach<'a> {
    pub records: &'a Records,
    pub grant: &'a Grant,
    pub base_url: &'a str,
}

impl Reach<'_> {
    /// Adds what is wanted to what was found.
    pub(super) fn look_up(
        &self,
        mut found: Found,
        wanted: Vec<Wanted>,
    ) -> Result<Found, RecordsError> {
        for one in wanted.into_iter().take(RESOURCES_MAX) {
            let known = match &one {
                Wanted::Resource(reference) => self.resource(reference)?.map(Known::Resource),
                Wanted::ValueSet(url) => self.value_set(url)?.map(Known::Codes),
            };
            found.0.insert(one, known.unwrap_or(Known::Nothing));
        }
        Ok(found)
    }

    fn resource(&self, reference: &str) -> Result<Option<Document>, RecordsError> {
        let Reference::Local { key, .. } = Reference::parse(reference, Some(self.base_url)) else {
            return Ok(None);
        };
        match self.records.read(self.grant, &key) {
            Ok(resource) => Ok(Document::parse(resource.bytes(self.grant)).ok()),
            // As if it did not exist.
            Err(
                RecordsError::Denied(_) | RecordsError::NotFound(_) | RecordsError::Gone { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn value_set(&self, url: &str) -> Result<Option<Vec<(String, String)>>, RecordsError> {
        let pairs = Canonical::parse(url).parameters();
        let parameters = self.records.parameters();
        let query = Query::parse(&parameters, ResourceType::VALUE_SET, &pairs, Some(self.base_url));
        let Ok(query) = query else { return Ok(None) };
        let request = SearchRequest {
            queries: vec![(ResourceType::VALUE_SET, query)],
            within: None,
            as_of: None,
            start: None,
            limit: 1,
            with_total: false,
        };
        match self.records.search(self.grant, &request) {
            Ok(page) => {
                let first = page.matches.first();
                let read = first.and_then(|found| Document::parse(found.bytes(self.grant)).ok());
                Ok(read.and_then(|found| codes_of_value_set(found.root()).ok()))
            }
            Err(RecordsError::Denied(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
