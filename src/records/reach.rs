//! What a caller has rights on, in one state of the store.

use super::RecordsError;
use crate::auth::Rights;
use crate::fhir::search::Criterion;
use crate::log::StreamAlias;
use crate::view::View;

/// What rights reach of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// Everything.
    Everything,
    /// What any of these reaches: of a chart if it is given, what meets all of the criteria. None: nothing, as the
    /// caller's own chart does not exist yet.
    AnyOf(Vec<(Option<StreamAlias>, &'a [Criterion])>),
}

impl<'a> Reach<'a> {
    /// With the charts that there are.
    pub fn of(view: &View, rights: &Rights<'a>) -> Result<Self, RecordsError> {
        let Rights::AnyOf(rights) = rights else { return Ok(Self::Everything) };
        let mut any_of = Vec::with_capacity(rights.len());
        for right in rights {
            let chart = match right.within {
                None => Some(None),
                Some(own) => view.chart(own)?.map(|chart| Some(chart.alias())),
            };
            any_of.extend(chart.map(|chart| (chart, right.criteria)));
        }
        Ok(Self::AnyOf(any_of))
    }

    /// The criteria under which something in these charts is reached, of each right; one without criteria reaches all of it.
    pub fn within(&self, charts: &[StreamAlias]) -> Vec<&'a [Criterion]> {
        let Self::AnyOf(any_of) = self else { return vec![&[]] };
        let there =
            any_of.iter().filter(|(chart, _)| chart.is_none_or(|chart| charts.contains(&chart)));
        there.map(|(_, criteria)| *criteria).collect()
    }
}
