//! All rights of a caller on one type of resources.

use crate::fhir::ResourceId;
use crate::fhir::search::Criterion;
use crate::policies::Inquiry;

/// What one permission reaches of one type: what the scopes grant, as far as the rules permit it.
#[derive(Debug, Clone)]
pub struct Rights<'a> {
    /// What the scopes grant.
    pub granted: Granted<'a>,
    /// Policies and Consents, to be asked on each resource; `None`: they permit all of it.
    pub rules: Option<Inquiry<'a>>,
}

/// What scopes grant of one type: resources on which any of the rights is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted<'a> {
    /// Every chart and the directory, whatever a resource says.
    Everything,
    /// What any of these reaches, of which there is at least one.
    AnyOf(Vec<Right<'a>>),
}

/// A right on some resources of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right<'a> {
    /// Only in the chart of this patient; `None`: in every chart and in the directory.
    pub within: Option<&'a ResourceId>,
    /// Only of which all of these hold; none: whatever a resource says.
    pub criteria: &'a [Criterion],
}

impl<'a> Rights<'a> {
    /// Whether it is every resource of the type.
    #[must_use]
    pub fn are_everything(&self) -> bool {
        self.granted == Granted::Everything && self.rules.is_none()
    }

    /// The one patient in whose chart everything lies that is reached.
    #[must_use]
    pub fn own_chart(&self) -> Option<&'a ResourceId> {
        let Granted::AnyOf(rights) = &self.granted else { return None };
        let first = rights.first()?.within?;
        rights.iter().all(|right| right.within == Some(first)).then_some(first)
    }
}

impl Granted<'_> {
    /// Whether the scopes grant a resource, by where it lies and by what it says.
    pub fn admits(
        &self,
        lies_in: impl Fn(&ResourceId) -> bool,
        meets: impl Fn(&Criterion) -> bool,
    ) -> bool {
        let Self::AnyOf(rights) = self else { return true };
        rights
            .iter()
            .any(|right| right.within.is_none_or(&lies_in) && right.criteria.iter().all(&meets))
    }
}
