//! The codes of an AuditEvent: FHIR R4 §6.4 and its value sets, and those of IHE BALP.

use serde_json::{Value, json};

use crate::access::{Look, Outcome};

const RESTFUL: &str = "http://hl7.org/fhir/restful-interaction";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit";
/// Code system of the operations of this server, in `AuditEvent.subtype`.
const OPERATIONS: &str = "urn:chartlog:operation";

/// What a profile of BALP asks for, by kind of interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    Create,
    Read,
    Update,
    Delete,
    Query,
    /// None of them.
    Other,
}

impl Pattern {
    /// The pattern of an operation, and its code in `restful-interaction`.
    pub(super) fn of(operation: &str) -> (Self, &'static str) {
        match operation {
            "createResource" => (Self::Create, "create"),
            "readResource" => (Self::Read, "read"),
            "readResourceVersion" => (Self::Read, "vread"),
            "updateResource" | "conditionalUpdate" => (Self::Update, "update"),
            "patchResource" | "conditionalPatch" => (Self::Update, "patch"),
            "deleteResource" | "conditionalDelete" => (Self::Delete, "delete"),
            "searchResources"
            | "searchResourcesByPost"
            | "searchCompartment"
            | "searchCompartmentByPost" => (Self::Query, "search-type"),
            "searchSystem" | "searchSystemByPost" => (Self::Query, "search-system"),
            "readResourceHistory" => (Self::Other, "history-instance"),
            "readTypeHistory" => (Self::Other, "history-type"),
            "readSystemHistory" => (Self::Other, "history-system"),
            "transaction" => (Self::Other, "transaction"),
            _ => (Self::Other, "operation"),
        }
    }

    /// The URL of the profile for a success, about one patient or not.
    pub(super) fn profile(self, is_of_patient: bool) -> Option<String> {
        let name = match self {
            Self::Create => "Create",
            Self::Read => "Read",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Query => "Query",
            Self::Other => return None,
        };
        let patient = if is_of_patient { "Patient" } else { "" };
        Some(format!("{PROFILES}.{patient}{name}"))
    }

    /// Types of the agents: client, server and user. Data flows from source to destination.
    pub(super) fn agents(self) -> [Value; 3] {
        let source = coding(DICOM, "110153", "Source Role ID");
        let destination = coding(DICOM, "110152", "Destination Role ID");
        let author = coding(PARTICIPATION, "AUT", "author (originator)");
        let recipient = coding(PARTICIPATION, "IRCP", "information recipient");
        match self {
            Self::Create | Self::Update => [source, destination, author],
            Self::Delete => {
                let custodian = coding(
                    "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                    "custodian",
                    "Custodian",
                );
                [coding(DICOM, "110150", "Application"), custodian, author]
            }
            Self::Query => [source, destination, recipient],
            Self::Read | Self::Other => [destination, source, recipient],
        }
    }
}

/// `type` and `subtype`.
pub(super) fn types(look: &Look, pattern: Pattern, code: &str) -> (Value, Value) {
    let started = match &*look.operation {
        "serverStart" => Some(coding(DICOM, "110120", "Application Start")),
        "serverStop" => Some(coding(DICOM, "110121", "Application Stop")),
        _ => None,
    };
    let operation = json!({ "system": OPERATIONS, "code": *look.operation });
    if let Some(started) = started {
        return (coding(DICOM, "110100", "Application Activity"), json!([started, operation]));
    }
    let rest = coding(
        "http://terminology.hl7.org/CodeSystem/audit-event-type",
        "rest",
        "Restful Operation",
    );
    let interaction = coding(RESTFUL, code, code);
    match pattern {
        // Its profile allows no other.
        Pattern::Delete => (rest, json!([interaction])),
        _ => (rest, json!([interaction, operation])),
    }
}

/// `outcome` and `outcomeDesc`: what a client did wrong is minor, what it was not allowed to do is serious, what the
/// server failed in is major.
pub(super) fn outcome(look: &Look) -> (&'static str, Option<String>) {
    let code = match (look.outcome, look.status) {
        (Outcome::Granted, _) => return ("0", None),
        (Outcome::Refused, _) => "8",
        (Outcome::Failed, 500..) => "12",
        (Outcome::Failed, _) => "4",
    };
    let reason = look.reason.as_deref().unwrap_or("refused in part");
    let description = match look.status {
        0 => reason.to_owned(),
        status => format!("{status} {reason}"),
    };
    (code, Some(description))
}

/// The types of entities.
pub(super) fn entity_type(code: &str) -> Value {
    let display = match code {
        "1" => "Person",
        "2" => "System Object",
        _ => "Other",
    };
    coding("http://terminology.hl7.org/CodeSystem/audit-entity-type", code, display)
}

/// The roles of entities.
pub(super) fn entity_role(code: &str) -> Value {
    let display = match code {
        "1" => "Patient",
        "4" => "Domain Resource",
        _ => "Query",
    };
    coding("http://terminology.hl7.org/CodeSystem/object-role", code, display)
}

/// The type of the entity that is the id of a request.
pub(super) fn request_id_type() -> Value {
    json!({ "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId" })
}

pub(super) fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}
