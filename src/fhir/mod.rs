//! What FHIR R4 (4.0.1) says about resources, as far as a record server has to know it.
//!
//! In: parsed JSON ([`Node`](crate::json::Node)), decoded query strings, reference texts. Out: what
//! is wrong with a resource ([`mod@check`]), whose chart it belongs to ([`compartment`]), how a search
//! finds it ([`search`]), what an expression leads to in it ([`path`]), what a patch makes of it ([`mod@patch`]), and the bytes to store and to
//! serve ([`stored`], [`subset`]). What the standard defines in tables comes from [`definitions`],
//! which a script derives from the official package.
//!
//! Everything here is a pure function of its arguments. Never: input or output, clock, HTTP,
//! database.

pub mod care;
pub mod check;
pub mod compartment;
pub mod consent;
pub mod definitions;
pub mod patch;
pub mod path;
pub mod period;
pub mod reference;
pub mod same;
pub mod search;
pub mod status;
pub mod stored;
pub mod subset;
pub mod types;
pub mod ucum;

pub use care::Care;
pub use check::{Checked, IssueCode, Problem, check};
pub use compartment::patients_of;
pub use consent::Denial;
pub use definitions::ResourceType;
pub use patch::Patch;
pub use period::Period;
pub use reference::Reference;
pub use search::{Criteria, Parameters, SearchProblem, Term, parse_query, terms_of};
pub use stored::{StoredForm, serve};
pub use subset::Subset;
pub use types::{ResourceId, ResourceKey};
