//! Chartlog
pub mod auth;
pub mod chart;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod fhir;
pub mod http;
pub mod json;
pub mod log;
pub mod store;
pub mod telemetry;
pub mod view;
