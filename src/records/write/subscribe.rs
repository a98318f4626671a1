//! Subscriptions that a write brings: who carries them out is asked, once for all of them.

use super::super::Subscribed;
use super::planner::Planner;
use super::weigh::{Before, Content};
use super::{Change, RecordsError};
use crate::fhir::check::PROBLEMS_MAX;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::Document;

impl Planner<'_> {
    /// Notes that a Subscription comes.
    pub(super) fn subscribe(
        &mut self,
        change: &Change,
        key: &ResourceKey,
        before: Option<&Before>,
        content: Option<&Content>,
    ) -> Result<(), RecordsError> {
        let Some(content) = content.filter(|_| key.kind == ResourceType::SUBSCRIPTION) else {
            return Ok(());
        };
        let resource = Document::parse(content.stored.bytes.as_slice())
            .map_err(|_| RecordsError::unreadable(format!("{key} does not read back")))?;
        let is_new = before.is_none_or(|before| !before.head.live);
        let (place, key) = (change.place.clone(), key.clone());
        self.subscribed.push(Subscribed { place, key, is_new, resource });
        Ok(())
    }

    /// Refuses Subscriptions that cannot be carried out, each problem named by where the request says it.
    pub(super) fn refuse_subscriptions(&self) -> Result<(), RecordsError> {
        let keeper = self.records.keeper().filter(|_| !self.subscribed.is_empty());
        let Some(keeper) = keeper else { return Ok(()) };
        match keeper.check(self.records, self.grant, &self.subscribed) {
            Err(RecordsError::Unprocessable(mut problems)) => {
                problems.truncate(PROBLEMS_MAX);
                Err(RecordsError::Unprocessable(problems))
            }
            checked => checked,
        }
    }

    /// Under whose rights a resource is carried out, if it is.
    pub(super) fn rights(&self, key: &ResourceKey, content: Option<&Content>) -> Option<String> {
        content.filter(|_| key.kind == ResourceType::SUBSCRIPTION)?;
        self.records.keeper()?.rights(self.grant, key)
    }
}
