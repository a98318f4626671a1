//! `chartlog import`, with the real program, real files and a real store.

mod formats;
mod interruption;
mod outcomes;
mod support;
mod synthea;
