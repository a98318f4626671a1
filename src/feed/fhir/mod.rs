//! FHIR Subscriptions as resources say them: R4 criteria, and the topics of the Subscriptions R5 Backport for R4.
//!
//! In: a `Subscription` and the topics that it may name, which R4 carries as `Basic`. Out: what it [`Wanted`]s, as
//! [triggers](crate::records::Trigger) of the log and an outlet; or everything that is wrong with it. And notifications:
//! Bundles that say what has happened, as they leave.
//!
//! Never: running one, reading the log, a decision about who may see what.

mod notification;
mod reading;
mod subscription;
mod topic;

pub use notification::{Event, Focus, Notification, NotificationType};
pub use reading::{
    PROFILE_NOTIFICATION, PROFILE_STATUS, PROFILE_SUBSCRIPTION, TOPIC_CANONICAL, TOPIC_CODE,
    TOPIC_SYSTEM,
};
pub use subscription::{About, Content, Outlet, Status, Surroundings, Wanted};
pub use topic::Topic;
