//! The projector of events: applies groups of the log to the views, and answers their commands.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::EngineError;
use super::command::{CommitError, Committed, Reply};
use super::committer::Projector;
use super::health::Health;
use super::proofs::LogProof;
use super::sequencer::Sequenced;
use crate::clock::Instant;
use crate::log::{AppendedGroup, LogError};
use crate::numbers::Position;
use crate::view::{Event, Fact, FactGroup, Generation, Views};

/// Applies the events of the log to a generation of the views, up to a position.
pub type Replay = Box<dyn Fn(&Arc<Generation>, Position) -> Result<(), EngineError> + Send>;

/// Applies groups to the views and answers, on the projecting thread.
pub struct EventProjector {
    views: Views,
    replay: Replay,
    health: Arc<Health>,
    proof: Option<Arc<LogProof>>,
    /// A group was not applied. Those behind it must not be either: the views would say that they
    /// hold everything up to there, and the next start would not bring it back.
    is_behind: bool,
}

impl EventProjector {
    pub fn new(
        views: Views,
        replay: Replay,
        health: Arc<Health>,
        proof: Option<Arc<LogProof>>,
    ) -> Self {
        Self { views, replay, health, proof, is_behind: false }
    }

    fn apply_group(&mut self, written: &AppendedGroup, sequenced: Vec<Sequenced>) -> Vec<Answer> {
        let recorded_at = Instant::from_micros(written.recorded_at);
        let mut facts = Vec::with_capacity(written.frames.len());
        let mut answers = Vec::with_capacity(sequenced.len());
        let mut generations = BTreeSet::new();
        for Sequenced { reply, generation, events } in sequenced {
            generations.insert(generation);
            let first_position = written.first_position + facts.len() as u64;
            let answer = events.map(|events| {
                let last = events.len().saturating_sub(1);
                for (at, (event, stream_version)) in events.into_iter().enumerate() {
                    facts.push(Event::Fact(Box::new(Fact {
                        place: written.frames.get(facts.len()).copied().unwrap_or_default().into(),
                        alias: event.alias,
                        stream_version,
                        patient: event.patient,
                        wrap: event.wrap,
                        envelope: event.envelope,
                        is_dropped: false,
                        holds_body: event.holds_body,
                        retracted: event.retracted,
                        terms: event.terms,
                        erasure: event.erasure,
                        ends_commit: at == last,
                    })));
                }
                Committed { first_position, recorded_at }
            });
            answers.push((reply, answer));
        }
        if self.is_behind {
            return fail_all(answers);
        }
        let proven = self.proof.as_ref().map_or(Ok(()), |proof| proof.append(written));
        if let Err(error) = proven {
            self.is_behind = true;
            self.health.fail_proofs("the proofs could not be written", &error);
            return fail_all(answers);
        }
        let applied = written.first_position + facts.len() as u64;
        let group =
            FactGroup { first_position: written.first_position, recorded_at, events: facts };
        let apply = |serving: &Arc<Generation>| -> Result<(), EngineError> {
            if generations.iter().all(|generation| *generation == serving.number()) {
                return Ok(serving.apply(&[group])?);
            }
            // Decided when another generation was served, which may have other terms.
            (self.replay)(serving, applied)
        };
        if let Err(error) = self.views.apply(apply) {
            self.is_behind = true;
            self.health.fail_views("the views could not be written", &error);
            return fail_all(answers);
        }
        self.health.applied(applied);
        answers
    }
}

/// Where an answer goes, and the answer.
type Answer = (Reply, Result<Committed, CommitError>);

fn fail_all(answers: Vec<Answer>) -> Vec<Answer> {
    let fail = |(reply, answer): Answer| (reply, answer.and(Err(CommitError::Unknown)));
    answers.into_iter().map(fail).collect()
}

impl Projector for EventProjector {
    type Sequenced = Sequenced;

    fn project(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        sequenced: Vec<Sequenced>,
    ) {
        let answers = match written {
            Ok(Some(written)) => self.apply_group(&written, sequenced),
            Ok(None) => {
                let refused =
                    |one: Sequenced| (one.reply, one.events.and(Err(CommitError::Failed)));
                sequenced.into_iter().map(refused).collect()
            }
            Err(error) => {
                self.health.fail_log("the event log could not be written", &error);
                let is_unwritten = matches!(error, LogError::ReadOnly);
                let failed = |one: Sequenced| {
                    let why = if is_unwritten { CommitError::Failed } else { CommitError::Unknown };
                    (one.reply, one.events.and(Err(why)))
                };
                sequenced.into_iter().map(failed).collect()
            }
        };
        for (reply, answer) in answers {
            // The request may have gone away; its commit stays.
            let _ = reply.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::command::Prepared;
    use crate::numbers::ChartVersion;
    use crate::view::ViewOptions;
    use tokio::sync::oneshot;

    /// A group of one event: a chart is opened.
    fn group(
        first_position: u64,
        patient: &str,
        version: ChartVersion,
    ) -> (AppendedGroup, Sequenced, Answered) {
        let event = Prepared::opening(1 + first_position, patient);
        let (reply, answer) = oneshot::channel();
        let written = AppendedGroup {
            first_position: Position::new(first_position),
            recorded_at: 0,
            group: Default::default(),
            frames: vec![Default::default()],
            bytes: Vec::new(),
        };
        (written, Sequenced { reply, generation: 1, events: Ok(vec![(event, version)]) }, answer)
    }

    type Answered = oneshot::Receiver<Result<Committed, CommitError>>;

    #[test]
    fn after_a_group_that_cannot_be_applied_none_is() {
        let directory = tempfile::tempdir().unwrap();
        let options = ViewOptions { cache_bytes: 1 << 20, snapshot_events_min: 8 };
        let views = Views::open(directory.path(), options, &Arc::default()).unwrap();
        let health = Arc::new(Health::default());
        let mut projector =
            EventProjector::new(views.clone(), Box::new(|_, _| Ok(())), Arc::clone(&health), None);
        // The chart is not at version 6, and the group behind it follows from what is there.
        for (position, patient, version) in
            [(0, "a", ChartVersion::new(7)), (1, "b", ChartVersion::new(1))]
        {
            let (written, sequenced, mut answer) = group(position, patient, version);
            projector.project(Ok(Some(written)), vec![sequenced]);
            let answer = answer.try_recv().unwrap();
            assert!(matches!(answer, Err(CommitError::Unknown)), "{answer:?}");
        }
        assert_eq!(views.view().applied_events().unwrap().get(), 0, "a start would skip the first");
        assert_eq!(health.failure(), Some("the views could not be written"));
    }
}
