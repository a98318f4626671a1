//! Chartlog
pub mod json;
pub mod log;
