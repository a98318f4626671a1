//! What a caller has rights on, in one state of the store.

use super::RecordsError;
use crate::auth::{Granted, Rights};
use crate::fhir::search::Criterion;
use crate::log::StreamAlias;
use crate::policies::Inquiry;
use crate::view::View;

/// What rights reach of a type.
#[derive(Debug, Clone)]
pub(super) struct Reach<'a> {
    /// What any of these reaches that the scopes grant: of a chart if it is given, what meets all of the criteria. `None`:
    /// everything.
    pub granted: Option<Vec<(Option<StreamAlias>, &'a [Criterion])>>,
    /// What is to be asked of each resource besides.
    pub rules: Option<Inquiry<'a>>,
}

impl<'a> Reach<'a> {
    /// Of the store itself.
    pub const EVERYTHING: Self = Self { granted: None, rules: None };

    /// With the charts that there are.
    pub fn of(view: &View, rights: &Rights<'a>) -> Result<Self, RecordsError> {
        let rules = rights.rules;
        let Granted::AnyOf(rights) = &rights.granted else {
            return Ok(Self { granted: None, rules });
        };
        let mut any_of = Vec::with_capacity(rights.len());
        for right in rights {
            let chart = match right.within {
                None => Some(None),
                Some(own) => view.chart(own)?.map(|chart| Some(chart.alias())),
            };
            any_of.extend(chart.map(|chart| (chart, right.criteria)));
        }
        Ok(Self { granted: Some(any_of), rules })
    }

    /// Whether it is all resources, whatever they say.
    pub fn is_everything(&self) -> bool {
        self.granted.is_none() && self.rules.is_none()
    }

    /// Whether it is nothing, as the caller's own chart does not exist yet.
    pub fn is_nothing(&self) -> bool {
        self.granted.as_ref().is_some_and(Vec::is_empty)
    }

    /// The criteria under which something in these charts is granted, of each right; one without criteria grants all of it.
    pub fn within(&self, charts: &[StreamAlias]) -> Vec<&'a [Criterion]> {
        let Some(any_of) = &self.granted else { return vec![&[]] };
        let there =
            any_of.iter().filter(|(chart, _)| chart.is_none_or(|chart| charts.contains(&chart)));
        there.map(|(_, criteria)| *criteria).collect()
    }
}
