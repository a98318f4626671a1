//! The charts that a search was about although nothing of them left: of what was only counted, and of
//! what a chain led through.

use std::collections::BTreeSet;

use super::context::Held;
use crate::auth::Grant;
use crate::log::StreamAlias;

/// Of so many resources the search is said to have been about each; of more, about their number.
const RESOURCES_MAX: usize = 100;

/// Resources that a search looked at, and the charts they lie in.
#[derive(Debug, Default)]
pub(super) struct Through {
    resources: usize,
    charts: BTreeSet<StreamAlias>,
}

impl Through {
    /// Adds a resource.
    pub fn add(&mut self, held: &Held) {
        self.resources += 1;
        if self.resources <= RESOURCES_MAX {
            self.charts.extend(&held.charts);
        }
    }

    /// Notes the charts, when that was all.
    pub fn note(self, grant: Option<&Grant>) {
        if let Some(grant) = grant.filter(|_| self.resources <= RESOURCES_MAX) {
            self.charts.into_iter().for_each(|chart| grant.saw_chart(chart));
        }
    }
}
