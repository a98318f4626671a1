//! What was found out about charts, so that it is not gathered for each decision.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::facts::Relations;
use crate::clock::Instant;
use crate::fhir::{Denial, ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, Position};
use crate::view::Postings;

/// Charts of which relations, and Consents, are remembered.
const CHARTS_MAX: usize = 65_536;
/// Callers whose charts are remembered.
const CALLERS_MAX: usize = 1_024;

/// What was found out about charts. Each entry says of which state; who takes one checks that.
pub struct Memory {
    /// What somebody is to a chart.
    pub relations: Cache<(Parties, StreamAlias), Known<Relations>>,
    /// What the Consents of a chart deny.
    pub denials: Cache<StreamAlias, Known<Arc<[Denial]>>>,
    /// The charts that somebody has to do with.
    pub charts: Cache<Parties, Arc<Related>>,
    /// The resources of a type in these charts.
    pub places: Cache<(Parties, ResourceType), Arc<Places>>,
}

/// Those for whom a caller stands: the person, and their organisation.
pub type Parties = Arc<[ResourceKey]>;

/// What is known of a chart at a version, until a moment.
#[derive(Debug, Clone)]
pub struct Known<T> {
    /// The version.
    pub version: ChartVersion,
    /// At this moment a period begins or ends; `None`: none does.
    pub until: Option<Instant>,
    /// What is known.
    pub what: T,
}

/// The charts that somebody has to do with.
#[derive(Debug, Clone)]
pub struct Related {
    /// Position behind the last event that counted.
    pub end: Position,
    /// The charts, ascending: those, and perhaps more; `None`: too many.
    pub charts: Option<Arc<[StreamAlias]>>,
}

/// The resources of a type in the charts that somebody has to do with.
#[derive(Debug, Clone)]
pub struct Places {
    /// The charts.
    pub related: Arc<Related>,
    /// Position behind the last event that counted.
    pub end: Position,
    /// Their numbers by chunk, ascending: those, and perhaps more.
    pub chunks: Vec<(u64, Postings)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            relations: Cache::new(CHARTS_MAX),
            denials: Cache::new(CHARTS_MAX),
            charts: Cache::new(CALLERS_MAX),
            places: Cache::new(CALLERS_MAX),
        }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Memory").finish_non_exhaustive()
    }
}
