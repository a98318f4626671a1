//! JSON as it was sent: parsed once into a flat table of spans over the original text.
//!
//! In: bytes from outside. Out: a [`Document`] whose [`Node`]s know their text to the digit
//! (`72.50` stays `72.50`), their order and their place (line, column, path), and which
//! [`write`](write::Compactor) copies without white space, with a few members replaced.
//!
//! Strict RFC 8259, and stricter: duplicate member names, depth above a limit, invalid UTF-8 and
//! lone surrogates are refused, because two readers of the same bytes must never see two charts.
//! Never: knowledge of FHIR, floating point, recursion.

mod node;
mod parse;
mod pretty;
mod write;

pub use node::{Kind, Node};
pub use parse::{Document, JsonError};
pub use pretty::Pretty;
pub use write::{Compactor, quote};
