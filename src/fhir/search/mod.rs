//! Search without an index, terms, queries and matching: FHIR R4 §3.1.1.
//!
//! In: search parameters ([`Parameters`]), resources, decoded query strings ([`parse_query`]). Out:
//! the [`Term`]s under which an index keeps a resource ([`terms_of`]); a [`Query`] made of
//! [`Criterion`]s; of each [`Condition`] a [`Plan`], which says what to look up in such an index,
//! and whether one resource matches ([`Condition::matches`]). What is not understood is a
//! [`SearchProblem`], never ignored.
//!
//! Terms, plans and matches come from the same few functions per search type, each in a file of its
//! own: `token`, `reference`, `uri`, `string`, `date`, `number`, `quantity`. So an index and the
//! resources themselves cannot disagree.
//!
//! Never: reading an index, following a reference, parameters that shape the result (`_count`, …).

mod canonical;
mod code_system;
mod condition;
mod criteria;
mod custom;
mod date;
mod decimal;
mod definition;
mod fit;
mod form;
mod instant;
mod modifier;
mod number;
mod order;
mod parameter;
mod plan;
mod predicate;
mod prefix;
mod problem;
mod quantity;
mod query;
mod reference;
mod sort;
mod split;
mod string;
mod target;
mod term;
mod terms;
mod token;
mod uri;
mod value_set;
mod within;

pub use canonical::Canonical;
pub use code_system::{Direction, codes_in_hierarchy};
pub use condition::Condition;
pub use criteria::Criteria;
pub use date::DatePredicate;
pub use definition::{CUSTOM_CODE_MIN, Definition};
pub use form::{PAIRS_MAX, QueryError, parse_query};
pub use instant::Span;
pub use order::Window;
pub use parameter::{Component, Parameters, SearchParameter, SearchType};
pub use plan::{Lookup, Plan, Probe, Verdict};
pub use problem::{ProblemKind, SearchProblem};
pub use query::{Chain, Criterion, Has, Include, Query};
pub use reference::{canonical_value, value_of as reference_value, value_within};
pub use sort::{Sort, SortBy};
pub use split::escaped;
pub use string::fold as folded;
pub use target::{Target, targets_of};
pub use term::{Layout, Term, VALUE_LENGTH_MAX};
pub use terms::terms_of;
pub use value_set::codes_of_value_set;
pub use within::Scope;

#[cfg(test)]
mod tests;
