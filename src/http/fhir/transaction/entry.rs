//! What one entry of a Bundle asks for: FHIR R4 §3.1.0.11.1.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::super::checked::checked;
use super::super::super::etag::versions;
use super::super::Failure;
use super::super::create::{criteria, criteria_of};
use super::super::update::check_named;
use super::look::Look;
use super::reader::{Reader, relative};
use crate::fhir::check::IssueCode;
use crate::fhir::{Patch, ResourceKey, ResourceType, parse_query};
use crate::json::{Document, Node};
use crate::records::{Action, Change, Target};

/// Media type of a JSON Patch.
const JSON_PATCH: &str = "application/json-patch+json";

/// What an entry asks for.
#[derive(Debug)]
pub(super) enum Work {
    /// A write.
    Change(Box<Change>),
    /// A read.
    Look(Look),
}

impl Reader<'_> {
    /// Understands an entry; the failure carries all that is wrong with it.
    pub(super) fn read(self, entry: Node<'_>) -> Result<Work, Failure> {
        let request = entry.get("request").ok_or_else(|| self.required("request"))?;
        let method =
            self.text(request, "method")?.ok_or_else(|| self.required("request.method"))?;
        let url = self.text(request, "url")?.ok_or_else(|| self.required("request.url"))?;
        let url = &*relative(self.base_url, &url);
        if let Some(look) = Look::read(self, entry, request, &method, url)? {
            return Ok(Work::Look(look));
        }
        let resource = || entry.get("resource").ok_or_else(|| self.required("resource"));
        let (target, action) = match method.as_ref() {
            "POST" => self.creation(request, url, resource()?)?,
            "PUT" => self.update(url, resource()?)?,
            "PATCH" => (self.target(url)?, Action::Patch(Arc::new(self.patch(resource()?)?))),
            "DELETE" => (self.target(url)?, Action::Remove),
            other => {
                let diagnostics =
                    format!("\"{other}\" is not GET, HEAD, POST, PUT, PATCH or DELETE");
                return Err(self.wrong(IssueCode::NotSupported, "request.method", diagnostics));
            }
        };
        let mut change = Change::new(target, action);
        let named = |name: &str| {
            versions(self.text(request, name)?.as_deref(), &self.at(&format!("request.{name}")))
        };
        change.if_match = named("ifMatch")?;
        change.if_none_match = named("ifNoneMatch")?;
        change.full_url = self.full_url(entry)?;
        change.place = self.place.to_owned();
        Ok(Work::Change(Box::new(change)))
    }

    fn creation(
        self,
        request: Node<'_>,
        url: &str,
        resource: Node<'_>,
    ) -> Result<(Target, Action), Failure> {
        let kind = self.kind(url)?;
        checked(self.upcasters, kind, resource, &self.at("resource"))?;
        let place = self.at("request.ifNoneExist");
        let criteria = self
            .text(request, "ifNoneExist")?
            .map(|query| criteria(self.parameters, self.base_url, kind, &query, &place))
            .transpose()?;
        Ok((Target::New(kind, criteria), self.content(resource)))
    }

    fn update(self, url: &str, resource: Node<'_>) -> Result<(Target, Action), Failure> {
        let target = match self.target(url)? {
            Target::Found(kind, criteria, _) => {
                let checked = checked(self.upcasters, kind, resource, &self.at("resource"))?;
                Target::Found(kind, criteria, checked.id)
            }
            Target::Key(key) => {
                check_named(self.upcasters, &key, resource, &self.at("resource"))?;
                Target::Key(key)
            }
            other => other,
        };
        Ok((target, self.content(resource)))
    }

    fn content(self, resource: Node<'_>) -> Action {
        Action::Put(Arc::clone(self.document), resource.index())
    }

    /// A patch: a Binary that holds a JSON Patch, or Parameters (R4 §3.1.0.6).
    fn patch(self, resource: Node<'_>) -> Result<Patch, Failure> {
        let failed = |problems| Failure::invalid(problems).within(&self.at("resource"));
        if resource.get_str("resourceType").as_deref() != Some("Binary") {
            return Patch::read(resource).map_err(failed);
        }
        let wrong = |member: &str, diagnostics: String| {
            self.wrong(IssueCode::Value, &format!("resource.{member}"), diagnostics)
        };
        let content_type = resource.get_str("contentType").unwrap_or_default();
        if content_type.split(';').next().map(str::trim) != Some(JSON_PATCH) {
            return Err(wrong("contentType", format!("a patch in a Binary is {JSON_PATCH}")));
        }
        let data = resource.get_str("data").ok_or_else(|| self.required("resource.data"))?;
        let bytes = STANDARD
            .decode(data.as_bytes())
            .map_err(|_| wrong("data", "is not base64".to_owned()))?;
        let patch = Document::parse(bytes).map_err(|error| wrong("data", error.to_string()))?;
        Patch::read(patch.root()).map_err(failed)
    }

    fn kind(self, url: &str) -> Result<ResourceType, Failure> {
        url.parse().map_err(|error| self.wrong(IssueCode::Value, "request.url", format!("{error}")))
    }

    /// `Type/id`, or `Type?criteria`.
    fn target(self, url: &str) -> Result<Target, Failure> {
        let wrong = |error: String| self.wrong(IssueCode::Value, "request.url", error);
        let Some((kind, query)) = url.split_once('?') else {
            let key: ResourceKey = url.parse().map_err(|error| wrong(format!("{error}")))?;
            return Ok(Target::Key(key));
        };
        let kind = self.kind(kind)?;
        let pairs = parse_query(query).map_err(|error| wrong(error.to_string()))?;
        let criteria =
            criteria_of(self.parameters, self.base_url, kind, &pairs, &self.at("request.url"))?;
        Ok(Target::Found(kind, criteria, None))
    }

    /// The name under which other entries refer to this one; it stands alone, so it must be whole.
    fn full_url(self, entry: Node<'_>) -> Result<Option<String>, Failure> {
        match entry.get_str("fullUrl").map(Cow::into_owned) {
            Some(url) if !url.contains(':') => {
                let diagnostics = format!("\"{url}\" is not absolute: write urn:uuid:… or a URL");
                Err(self.wrong(IssueCode::Value, "fullUrl", diagnostics))
            }
            full_url => Ok(full_url),
        }
    }
}
