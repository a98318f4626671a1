//! Black-box tests: the real binary, over HTTP, one file per topic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
// The harness waits for conditions of other processes: it looks, pauses, and has a deadline.
#![allow(clippy::disallowed_methods)]
// One expected name reads better as a list of one than as a slice from a reference.
#![allow(clippy::cloned_ref_to_slice_refs)]

mod app_attacks;
mod app_launch;
mod appends;
mod audit_deliveries;
mod audit_event;
mod audit_filing;
mod audit_matrix;
mod backend_services;
mod bad_input;
mod beside;
mod binary;
mod bound_tokens;
mod broken_glass;
mod bundle_entries;
mod bundle_looks;
mod bundles;
mod charts;
mod concurrency;
mod conditional;
mod conditions;
mod console;
mod cors;
mod criteria;
mod described;
mod erasure;
mod everything;
mod examples;
mod exports;
mod feed;
mod feed_kills;
mod feed_peers;
mod feed_sockets;
mod feed_streams;
mod fhir_crud;
mod fhir_subscriptions;
mod fhirpath;
mod formats;
mod harness;
mod headers;
mod heads;
mod histories;
mod introspection;
mod invariants;
mod issuer_keys;
mod issuers;
mod limits;
mod nats;
mod older_forms;
mod operations;
mod operator;
mod parts;
mod patches;
mod policies;
mod preferences;
mod projections;
mod proofs;
mod rates;
mod reach;
mod reports;
mod restricted;
mod search;
mod search_lenient;
mod search_parameters;
mod search_targets;
mod siem;
mod signer;
mod slow;
mod smart;
mod supporting;
mod tls;
mod token_attacks;
mod tokens;
mod traces;
mod trail;
mod unusual;
mod validation;
mod walk;
mod walk_subjects;
mod webhooks;
mod writes;
