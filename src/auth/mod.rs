//! Who is asking, and how far their token reaches.
//!
//! # The model
//!
//! A request brings a bearer token: a JWT signed by an **issuer** this server was told to trust. A
//! [`Verifier`] turns it into a [`Caller`]: a person or a program with a name, the scopes the
//! issuer granted and, for an app launched in the context of one patient, the id of that patient. A
//! token that cannot be verified makes no caller, and nothing further happens.
//!
//! **Scopes** are those of SMART App Launch 2, `level/Type.permissions`, such as
//! `patient/Observation.rs`:
//!
//! * the **level** says whose data: `patient/` the chart named by the token's launch context,
//!   `user/` what the signed-in person may see, `system/` a program acting on its own behalf;
//! * the **type** is a resource type, or `*` for all of them;
//! * the **permissions** are letters of `cruds`: create, read, update, delete, search.
//!
//! A scope may be restricted to what a search finds (`patient/Observation.rs?category=...`): then the
//! right is one on the resources of which all of the parameters hold. Several scopes add up. What is
//! not granted is denied, and a scope this server does not understand grants nothing: in particular, one
//! with a restriction is never mistaken for the wider scope without it.
//!
//! # Reach
//!
//! For a resource type and a permission, a caller has one of three reaches:
//!
//! | [`Reach`] | because of | what may be touched |
//! |---|---|---|
//! | `Nothing` | no scope grants it | nothing |
//! | `OwnChart` | a `patient/` scope, and the token names a patient | resources of that one chart |
//! | `Everything` | a `user/` or `system/` scope (of `AuditEvent`: by name) | every chart, and the directory |
//!
//! The **own-chart rule**: a `patient/` scope reaches the token's own chart only. It never reaches
//! another chart, and never the directory (practitioners, organizations and all else that belongs
//! to no patient), not even as `patient/*.cruds`. A `patient/` scope in a token that names no
//! patient reaches nothing.
//!
//! **Who looked** is graver than what they saw: beyond the own chart, access entries (`AuditEvent`, which no client
//! stores) open to `user/` and `system/` scopes that name the type, and not to `*`.
//!
//! Whatever concerns the store as a whole, such as the feed or the proofs over the log, opens to
//! `system/` scopes alone: see [`Caller::reach_system`].
//!
//! That is what may be touched whatever a resource says. Restricted scopes add to it: [`Grant::rights`]
//! has the union of all rights on a type, each of them everywhere or in the own chart, on all resources or
//! on those that meet its criteria. The functions of the store ask for these and decide on each version of
//! each resource. What cannot be decided so, such as the feed and the access entries of a chart, opens to rights
//! on all resources of the type alone ([`Grant::reach`]).
//!
//! Policies and Consents narrow all of that and widen none of it: [`Rights::rules`] is what is to be asked about each
//! resource besides, and where it may deny some, no type is open as a whole.
//!
//! # How answers are given
//!
//! **The decision is taken by type before anything is looked up.** A caller who reaches `Nothing`
//! is refused with 403 whether or not the resource exists, so the refusal says nothing about the
//! store. When the caller reaches `OwnChart`, a resource outside that chart is answered with **404
//! rather than 403**, exactly like one that does not exist: that a person has a chart here at all
//! is already a secret.
//!
//! # What this module never does
//!
//! It opens no connection and no file and reads no clock: keys, secrets and the present moment
//! (seconds since 1970-01-01T00:00:00Z) are handed in. It never prints a token, a secret or a key,
//! and an error never repeats what the token said.

mod caller;
mod grant;
mod restriction;
mod rights;
pub mod scopes;
pub mod token;

pub use caller::{Caller, Reach};
pub use grant::{Denied, Grant, Seen, Shown};
pub use rights::{Granted, Right, Rights};
pub use scopes::{Level, Permission, Scopes};
pub use token::{
    About, AccessToken, Algorithm, ConfigurationError, IdToken, Introspected, Issuer, LocalIssuer,
    OwnIssuer, SigningError, Thumbprint, TokenError, TokenRequest, VerificationKey, Verifier,
    VerifierOptions, is_signed, is_understood, narrowed,
};
