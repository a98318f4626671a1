//! Chartlog
pub mod auth;
pub mod chart;
pub mod clock;
pub mod fhir;
pub mod json;
pub mod log;
pub mod store;
pub mod view;
