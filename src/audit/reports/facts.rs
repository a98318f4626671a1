//! What a chart says about its patient, and about who takes care of them.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::auth::Grant;
use crate::fhir::search::folded;
use crate::fhir::{Reference, ResourceId, ResourceKey, ResourceType};
use crate::json::{Document, Node};
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};
use crate::view::{EventPlace, TermNumbers, View};

/// Types whose resources say who takes part in somebody's care.
const CARE: [&str; 9] = [
    "CareTeam",
    "Encounter",
    "EpisodeOfCare",
    "Appointment",
    "CarePlan",
    "ServiceRequest",
    "MedicationRequest",
    "Procedure",
    "DiagnosticReport",
];

/// Words before and behind a name that are no part of it.
const TITLES: [&str; 14] = [
    "dr",
    "prof",
    "professor",
    "doctor",
    "med",
    "mr",
    "mrs",
    "ms",
    "md",
    "do",
    "rn",
    "np",
    "phd",
    "nurse",
];

/// What a chart says about its patient.
#[derive(Debug, Default)]
pub struct Facts {
    /// The patient's id; `None`: the chart was erased.
    pub patient: Option<ResourceId>,
    /// Surnames.
    pub families: Vec<String>,
    /// Given names and surname.
    pub names: Vec<String>,
    /// Values of identifiers.
    pub identifiers: HashSet<String>,
    /// Codes of security labels and tags, each alone and with its system.
    pub labels: HashSet<String>,
}

/// Who takes care of a patient.
#[derive(Debug, Default)]
pub struct Carers {
    /// `Practitioner/x`.
    references: HashSet<String>,
    /// Their names, as far as references say them.
    names: HashSet<String>,
}

/// Reads what charts say, each once.
pub struct FactReader<'a> {
    records: &'a Records,
    grant: &'a Grant,
    view: View,
    facts: HashMap<StreamAlias, Rc<Facts>>,
    carers: HashMap<StreamAlias, Rc<Carers>>,
}

impl<'a> FactReader<'a> {
    /// On the present state of the views.
    pub fn new(records: &'a Records, grant: &'a Grant) -> Self {
        let (facts, carers) = (HashMap::new(), HashMap::new());
        Self { records, grant, view: records.view(), facts, carers }
    }

    /// What a chart says about its patient.
    ///
    /// # Errors
    ///
    /// The engine's; the budget's.
    pub fn facts(&mut self, chart: StreamAlias) -> Result<Rc<Facts>, RecordsError> {
        if let Some(known) = self.facts.get(&chart) {
            return Ok(Rc::clone(known));
        }
        let mut facts = Facts::default();
        if let Some(patient) = self.view.patient(chart)? {
            let key = ResourceKey::new(ResourceType::PATIENT, patient.clone());
            facts.patient = Some(patient);
            if let Some(document) = self.current(&key)? {
                facts.read(document.root());
            }
        }
        let facts = Rc::new(facts);
        self.facts.insert(chart, Rc::clone(&facts));
        Ok(facts)
    }

    /// Who takes care of the patient of a chart.
    ///
    /// # Errors
    ///
    /// As [`FactReader::facts`].
    pub fn carers(&mut self, chart: StreamAlias) -> Result<Rc<Carers>, RecordsError> {
        if let Some(known) = self.carers.get(&chart) {
            return Ok(Rc::clone(known));
        }
        let mut carers = Carers::default();
        let kinds = CARE.into_iter().filter_map(ResourceType::from_name);
        for kind in std::iter::once(ResourceType::PATIENT).chain(kinds) {
            for location in self.locations(kind, chart)? {
                if let Some(document) = self.open(location)? {
                    carers.read(document.root(), self.records.base_url());
                }
            }
        }
        self.follow_roles(&mut carers)?;
        let carers = Rc::new(carers);
        self.carers.insert(chart, Rc::clone(&carers));
        Ok(carers)
    }

    /// Where the current versions of the resources of a type are read that are in a chart.
    fn locations(
        &self,
        kind: ResourceType,
        chart: StreamAlias,
    ) -> Result<Vec<EventPlace>, RecordsError> {
        let mut found = TermNumbers::in_chart(&self.view, kind, chart);
        let (mut locations, mut from) = (Vec::new(), 0);
        while let Some(chunk) = found.seek(from)? {
            for number in found.members(chunk)?.numbers(chunk) {
                self.grant.budget().read(1)?;
                locations.extend(self.view.head_of(number)?.map(|head| head.place));
            }
            from = chunk + 1;
        }
        Ok(locations)
    }

    /// A role stands for the practitioner who has it.
    fn follow_roles(&self, carers: &mut Carers) -> Result<(), RecordsError> {
        let roles: Vec<ResourceKey> = carers
            .references
            .iter()
            .filter(|reference| reference.starts_with("PractitionerRole/"))
            .filter_map(|reference| reference.parse().ok())
            .collect();
        for role in roles {
            if let Some(document) = self.current(&role)?
                && let Some(practitioner) = document.root().get("practitioner")
            {
                carers.read(practitioner, self.records.base_url());
            }
        }
        Ok(())
    }

    fn current(&self, key: &ResourceKey) -> Result<Option<Document>, RecordsError> {
        match self.view.head(key)? {
            Some(head) => self.open(head.place),
            None => Ok(None),
        }
    }

    /// The resource that an event brought; `None`: it was deleted, or erased.
    fn open(&self, at: EventPlace) -> Result<Option<Document>, RecordsError> {
        let Ok((_, body)) = self.records.engine().keys().read_event(&self.view, at) else {
            return Ok(None);
        };
        self.grant.budget().open(body.len())?;
        Ok(Document::parse(body).ok())
    }
}

impl Facts {
    fn read(&mut self, patient: Node<'_>) {
        for name in items(patient, "name") {
            let family = name.get_str("family").unwrap_or_default();
            let given: Vec<_> = items(name, "given").filter_map(|given| given.as_str()).collect();
            self.families.extend(Some(plain_name(&family)).filter(|family| !family.is_empty()));
            if !given.is_empty() && !family.is_empty() {
                self.names.push(plain_name(&format!("{} {family}", given.join(" "))));
                self.names.extend(given.first().map(|one| plain_name(&format!("{one} {family}"))));
            }
        }
        let identifiers = items(patient, "identifier");
        self.identifiers.extend(
            identifiers.filter_map(|identifier| Some(identifier.get_str("value")?.into_owned())),
        );
        for list in ["security", "tag"] {
            let Some(meta) = patient.get("meta") else { continue };
            for coding in items(meta, list) {
                let Some(code) = coding.get_str("code") else { continue };
                let system = coding.get_str("system").unwrap_or_default();
                self.labels.insert(format!("{system}|{code}"));
                self.labels.insert(code.into_owned());
            }
        }
    }
}

impl Carers {
    /// Whether one of the references or names is of somebody.
    pub fn include(&self, references: &[String], name: Option<&str>) -> bool {
        references.iter().any(|reference| self.references.contains(reference))
            || name.is_some_and(|name| self.names.contains(name))
    }

    fn read(&mut self, resource: Node<'_>, base_url: Option<&str>) {
        for node in resource.descend() {
            let Some(reference) = node.get_str("reference") else { continue };
            let Reference::Local { key, .. } = Reference::parse(&reference, base_url) else {
                continue;
            };
            if !matches!(key.kind.name(), "Practitioner" | "PractitionerRole") {
                continue;
            }
            self.references.insert(key.to_string());
            if let Some(display) = node.get_str("display") {
                self.names.insert(plain_name(&display));
            }
        }
    }
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> + use<'a> {
    node.get(name).into_iter().flat_map(|list| list.items())
}

/// A name to be compared: surname last, without titles, marks, accents and capitals.
pub fn plain_name(name: &str) -> String {
    let turned = match name.split_once(',') {
        Some((family, given)) => format!("{given} {family}"),
        None => name.to_owned(),
    };
    let folded = folded(&turned);
    let words = folded.split([' ', '.', ',']).filter(|word| !word.is_empty());
    words.filter(|word| !TITLES.contains(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_what_they_are_made_of() {
        for (name, expected) in [
            ("Dr. med. Anna Weiß", "anna weiss"),
            ("de la Cruz, María", "maria de la cruz"),
            ("Anna  ADAMS", "anna adams"),
            ("Dr.Adams", "adams"),
            ("Dr.", ""),
        ] {
            assert_eq!(plain_name(name), expected, "{name}");
        }
    }
}
