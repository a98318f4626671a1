//! Breaking the glass of a chart, and the queue in which that is reviewed.
//!
//! Who breaks a glass gets a CommunicationRequest into the chart, which asks for a review: who, why, and until when. It is an
//! event like others: sealed with the chart, provable, told to who follows the log, and erased with the chart. The server alone
//! writes these; one that is acknowledged is completed.

use std::sync::Arc;

use serde_json::json;

use super::reserved::{LIBRARY_ID, REVIEW_ID, is_reserved};
use super::search::{Page, PageStart, SearchRequest};
use super::write::{Action, Change, Target, Write};
use super::{Records, RecordsError};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::search::Query;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::json::Document;
use crate::policies::{Broken, Text};

/// What a scope names that lets a caller break glasses, see the queue, or acknowledge what is in it.
pub const BREAK_GLASS: &str = "BreakGlass";
/// System and code of a broken glass: ActReason of HL7 v3.
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const CODE: &str = "BTG";
/// Media types of what is in force.
const CEDAR: &str = "text/x-cedar";
const JSON: &str = "application/json";
/// Fewest and most characters of a reason.
const REASON_LENGTH: std::ops::RangeInclusive<usize> = 5..=500;

/// Which of the queue is wanted.
#[derive(Debug, Clone, Default)]
pub struct GlassesRequest {
    /// Only those that nobody has acknowledged yet.
    pub open_only: bool,
    /// Only of this patient.
    pub patient: Option<ResourceId>,
    /// Where the page before ended.
    pub start: Option<PageStart>,
    /// Most on a page.
    pub limit: usize,
}

impl Records {
    /// Breaks the glass of a chart for a caller, for some minutes and a reason. Nothing is done if it is broken already.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`] without the right to it; [`RecordsError::Invalid`] of a reason;
    /// [`RecordsError::NotFound`] of a chart.
    pub async fn break_glass(
        self: &Arc<Self>,
        grant: &Grant,
        patient: &ResourceId,
        reason: &str,
        minutes: u64,
    ) -> Result<(), RecordsError> {
        grant.may(BREAK_GLASS, Permission::Create)?;
        if minutes == 0 {
            return Err(grant.denied(Permission::Create, BREAK_GLASS).into());
        }
        check_reason(reason)?;
        let chart = self.view().chart(patient)?;
        let chart = chart
            .ok_or_else(|| RecordsError::NotFound(format!("the chart of patient {patient}")))?;
        let (now, alias) = (Instant::now(), chart.alias());
        let (rules, identity) = (self.rules(), &grant.caller().identity);
        if rules.glasses.of(identity, now).contains(&alias) {
            return Ok(());
        }
        let lasts = i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60_000_000);
        let until = Instant::from_micros(now.micros().saturating_add(lasts));
        let recorded = self.engine.now();
        let ends = Instant::from_micros(recorded.micros().saturating_add(lasts));
        let id = format!("{REVIEW_ID}{}", uuid::Uuid::now_v7());
        let mut requester = json!({
            "identifier": { "system": identity.issuer, "value": identity.subject },
        });
        if let Some(name) = &identity.name {
            set(&mut requester, "display", name.as_str().into());
        }
        let review = json!({
            "resourceType": "CommunicationRequest", "id": id, "status": "active",
            "category": [{
                "coding": [{ "system": REASONS, "code": CODE }],
                "text": "Review of a broken glass",
            }],
            "subject": { "reference": format!("Patient/{patient}") },
            "authoredOn": recorded, "requester": requester,
            "occurrencePeriod": { "start": recorded, "end": ends },
            "reasonCode": [{ "text": reason }],
        });
        self.write_own(grant, ResourceType::COMMUNICATION_REQUEST, &id, &review).await?;
        let (issuer, subject) = (identity.issuer.clone(), identity.subject.clone());
        rules.glasses.add(&Broken { issuer, subject, chart: alias, until }, now);
        Ok(())
    }

    /// A page of the queue of broken glasses, the newest last. What is on it is noted in the grant.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`] without the right to it; those of a search.
    pub fn broken_glasses(
        &self,
        grant: &Grant,
        request: &GlassesRequest,
    ) -> Result<Page, RecordsError> {
        grant.may(BREAK_GLASS, Permission::Read)?;
        let mut pairs = vec![("category".to_owned(), format!("{REASONS}|{CODE}"))];
        if request.open_only {
            pairs.push(("status".to_owned(), "active".to_owned()));
        }
        if let Some(patient) = &request.patient {
            pairs.push(("patient".to_owned(), format!("Patient/{patient}")));
        }
        let kind = ResourceType::COMMUNICATION_REQUEST;
        let view = self.view();
        let query = Query::parse(view.parameters(), kind, &pairs, self.base_url());
        let query = query.map_err(|_| RecordsError::unreadable("a query of this server's own"))?;
        let own = grant.of_server();
        let mut page = self.search(
            &own,
            &SearchRequest {
                queries: vec![(kind, query)],
                within: None,
                as_of: None,
                start: request.start.clone(),
                limit: request.limit,
                with_total: false,
            },
        )?;
        page.matches.retain(|review| is_reserved(&review.key));
        for review in &page.matches {
            let head = view.head(&review.key)?;
            head.iter().flat_map(|head| head.aliases()).for_each(|alias| grant.saw_chart(alias));
        }
        Ok(page)
    }

    /// Says that somebody has looked at why a glass was broken. Nobody does that for themselves.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`]; [`RecordsError::NotFound`] of a broken glass; [`RecordsError::Conflict`] when that is said
    /// already.
    pub async fn acknowledge_glass(
        self: &Arc<Self>,
        grant: &Grant,
        id: &ResourceId,
        note: Option<&str>,
    ) -> Result<(), RecordsError> {
        grant.may(BREAK_GLASS, Permission::Update)?;
        if let Some(note) = note {
            check_reason(note)?;
        }
        let key = ResourceKey::new(ResourceType::COMMUNICATION_REQUEST, id.clone());
        let missing = || RecordsError::NotFound(format!("the broken glass {id}"));
        if !is_reserved(&key) {
            return Err(missing());
        }
        let own = grant.of_server();
        let review = self.read(&own, &key).map_err(|error| match error {
            RecordsError::NotFound(_) | RecordsError::Gone { .. } => missing(),
            other => other,
        })?;
        let mut review: serde_json::Value = serde_json::from_slice(&review.body)
            .map_err(|_| RecordsError::unreadable("a request of this server's own"))?;
        let identity = &grant.caller().identity;
        let who = json!({ "system": identity.issuer, "value": identity.subject });
        if review.pointer("/requester/identifier") == Some(&who) {
            return Err(grant.denied(Permission::Update, "a glass that the caller broke").into());
        }
        if review.pointer("/status") != Some(&json!("active")) {
            let reason = format!("the broken glass {id} is acknowledged already");
            return Err(RecordsError::Conflict { place: String::new(), reason });
        }
        let now = Instant::now();
        set(&mut review, "status", "completed".into());
        set(&mut review, "sender", json!({ "identifier": who }));
        if let Some(note) = note {
            set(&mut review, "note", json!([{ "time": now, "text": note }]));
        }
        self.write_own(grant, ResourceType::COMMUNICATION_REQUEST, id.as_str(), &review).await
    }

    /// Keeps what is in force, so that its history is that of a resource: policies and settings. Nothing is written
    /// when it is kept already.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn keep_access(
        self: &Arc<Self>,
        grant: &Grant,
        texts: &[Text],
    ) -> Result<(), RecordsError> {
        use base64::Engine as _;
        let content = |Text { file, content }: &Text| {
            let kind = if file.ends_with(".json") { JSON } else { CEDAR };
            let data = base64::engine::general_purpose::STANDARD.encode(content);
            json!({ "contentType": kind, "title": file, "data": data })
        };
        let mut library = json!({
            "resourceType": "Library", "id": LIBRARY_ID, "status": "active",
            "name": "ChartlogAccess", "title": "Who may see what on this server",
            "type": {
                "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/library-type",
                    "code": "logic-library",
                }],
            },
        });
        if !texts.is_empty() {
            set(&mut library, "content", texts.iter().map(content).collect());
        }
        let key = ResourceKey::new(ResourceType::LIBRARY, parsed(LIBRARY_ID)?);
        let known = match self.read(&grant.of_server(), &key) {
            Ok(known) => serde_json::from_slice::<serde_json::Value>(&known.body).ok(),
            Err(RecordsError::NotFound(_)) if texts.is_empty() => return Ok(()),
            Err(RecordsError::NotFound(_) | RecordsError::Gone { .. }) => None,
            Err(error) => return Err(error),
        };
        if known.is_some_and(|known| known.get("content") == library.get("content")) {
            return Ok(());
        }
        self.write_own(grant, ResourceType::LIBRARY, LIBRARY_ID, &library).await
    }

    /// Writes what the server alone may write, in the name of who caused it.
    async fn write_own(
        self: &Arc<Self>,
        grant: &Grant,
        kind: ResourceType,
        id: &str,
        resource: &serde_json::Value,
    ) -> Result<(), RecordsError> {
        let key = ResourceKey::new(kind, parsed(id)?);
        let document = Document::parse(resource.to_string())
            .map_err(|_| RecordsError::unreadable("a resource of this server's own"))?;
        let (document, size) = (Arc::new(document), resource.to_string().len());
        let root = document.root().index();
        let change = Change::new(Target::Key(key), Action::Put(document, root));
        let write = Arc::new(Write { changes: vec![change], size, ..Write::default() });
        self.write(&Arc::new(grant.of_server()), write).await.map(drop)
    }
}

/// Sets a member of a resource.
fn set(resource: &mut serde_json::Value, name: &str, value: serde_json::Value) {
    if let Some(members) = resource.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn parsed(id: &str) -> Result<ResourceId, RecordsError> {
    id.parse().map_err(|_| RecordsError::unreadable("an id of this server's own"))
}

fn check_reason(reason: &str) -> Result<(), RecordsError> {
    let length = reason.trim().chars().count();
    if REASON_LENGTH.contains(&length) && !reason.chars().any(char::is_control) {
        return Ok(());
    }
    let (least, most) = (REASON_LENGTH.start(), REASON_LENGTH.end());
    Err(RecordsError::Invalid(vec![Problem {
        code: IssueCode::Value,
        expression: "X-Break-Glass".to_owned(),
        diagnostics: format!("a reason has {least} to {most} characters, on one line"),
    }]))
}
