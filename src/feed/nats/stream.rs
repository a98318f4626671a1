//! What a stream holds, and where it goes on: decided by its last message, not by what was written down here.

use async_nats::jetstream::stream::{Config, RetentionPolicy};

use super::source::Place;
use crate::numbers::Position;

/// The header with the name of the log that a message is of.
pub const LOG: &str = "Chartlog-Log";
/// The header with the time at which its event was recorded.
pub const TIME: &str = "Chartlog-Time";

/// How far a stream is.
#[derive(Debug, Default)]
pub struct Stream {
    /// Sequence of the last message that it ever had.
    pub sequence: u64,
    /// The last message that it has.
    pub last: Option<Last>,
}

/// The last message of a stream.
#[derive(Debug)]
pub struct Last {
    /// Its number in the stream.
    pub sequence: u64,
    /// The log that it is of.
    pub log: Option<String>,
    /// The position of its event: its id.
    pub position: Option<Position>,
    /// When that was recorded.
    pub time: Option<String>,
}

/// Everything about a stream that stands in the way of publishing to it.
pub fn flaws(config: &Config, subjects: &str) -> Vec<String> {
    let mut flaws = Vec::new();
    if config.subjects != [subjects] {
        flaws.push(format!(
            "it takes {}, and must take {subjects} and nothing else",
            config.subjects.join(", ")
        ));
    }
    if config.retention != RetentionPolicy::Limits {
        flaws.push(
            "its retention must be limits: others drop the message that says where to go on"
                .to_owned(),
        );
    }
    if config.first_sequence.is_some_and(|first| first > 1) {
        flaws.push("its messages do not count from 1 (first_seq)".to_owned());
    }
    if config.no_ack {
        flaws.push("it acknowledges nothing (no_ack)".to_owned());
    }
    if config.sealed {
        flaws.push("it is sealed".to_owned());
    }
    if config.subject_transform.is_some() {
        flaws.push("it changes subjects (subject_transform)".to_owned());
    }
    if config.mirror.is_some() || config.sources.as_ref().is_some_and(|some| !some.is_empty()) {
        flaws.push("it takes messages of other streams".to_owned());
    }
    flaws
}

impl Stream {
    /// Where it goes on, for a log of that name: behind its last message, or where the cursor is if that knows more.
    /// Messages of the stream behind that place are gone, and are not to come again.
    ///
    /// `time_of` says when the event at a position was recorded, `None` behind the end of the log. `from_start`: a new
    /// stream gets everything.
    ///
    /// # Errors
    ///
    /// Why it is no stream of this log, as it is now.
    pub fn resume<E: std::fmt::Display>(
        &self,
        log: &str,
        cursor: Place,
        from_start: bool,
        time_of: impl FnOnce(Position) -> Result<Option<String>, E>,
    ) -> Result<Place, String> {
        let last = self.last.as_ref().map(|last| {
            let next = last.check(log, time_of)?.next();
            Ok::<_, String>(Place { next, sequence: Some(last.sequence) })
        });
        let known = cursor.sequence.filter(|sequence| *sequence <= self.sequence);
        let here = Place { next: cursor.next, sequence: Some(self.sequence) };
        match (last.transpose()?, known) {
            // The later one. Of two of the same message, the cursor has passed over what nobody wanted.
            (Some(last), Some(_))
                if (cursor.sequence, cursor.next) > (last.sequence, last.next) =>
            {
                Ok(cursor)
            }
            (Some(last), _) => Ok(last),
            (None, Some(_)) => Ok(cursor),
            (None, None) if cursor.sequence.is_none() => Ok(here),
            (None, None) => {
                tracing::warn!("nats: the stream was made anew, and is taken as a new one");
                let next = if from_start { Position::default() } else { cursor.next };
                Ok(Place { next, ..here })
            }
        }
    }
}

impl Last {
    /// The position of its event, if it is of that log.
    fn check<E: std::fmt::Display>(
        &self,
        log: &str,
        time_of: impl FnOnce(Position) -> Result<Option<String>, E>,
    ) -> Result<Position, String> {
        let number = self.sequence;
        match &self.log {
            Some(other) if other == log => {}
            Some(other) => {
                return Err(format!(
                    "it is of another log: message {number} is of {other}, and this log is {log}"
                ));
            }
            None => return Err(format!("message {number} was published by another program")),
        }
        let position = self.position.ok_or_else(|| format!("message {number} has no position"))?;
        let time = time_of(position).map_err(|error| format!("the log was not read: {error}"))?;
        match time {
            None => Err(format!(
                "it is ahead of the log: message {number} is event {position}, which this log does not have \
                 yet; if it was restored from a backup, name a new stream"
            )),
            Some(time) if self.time.as_ref() == Some(&time) => Ok(position),
            Some(time) => Err(format!(
                "it has other events: event {position} was recorded at {time}, that of message {number} at {}; \
                 if the log was restored from a backup, name a new stream",
                self.time.as_deref().unwrap_or("no time")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_NAME: &str = "here/events";

    fn last(sequence: u64, log: &str, position: u64, time: &str) -> Option<Last> {
        let position = Some(Position::new(position));
        Some(Last { sequence, log: Some(log.to_owned()), position, time: Some(time.to_owned()) })
    }

    fn place(next: u64, sequence: u64) -> Place {
        Place { next: Position::new(next), sequence: Some(sequence) }
    }

    /// A log of a hundred events.
    fn resume(stream: &Stream, cursor: Place, from_start: bool) -> Result<Place, String> {
        stream.resume(LOG_NAME, cursor, from_start, |position| {
            Ok::<_, String>((position.get() < 100).then(|| format!("t{position}")))
        })
    }

    #[test]
    fn it_goes_on_behind_its_last_message_whatever_the_cursor_says() {
        let stream = |sequence, last| Stream { sequence, last };
        let own =
            |sequence, position: u64| last(sequence, LOG_NAME, position, &format!("t{position}"));
        let unseen = Place { next: Position::new(60), sequence: None };
        for (case, stream, cursor, expected) in [
            ("new", stream(0, None), unseen, place(60, 0)),
            ("new, and used before", stream(7, None), unseen, place(60, 7)),
            ("not seen, but published to", stream(9, own(9, 70)), unseen, place(71, 9)),
            ("more than known", stream(9, own(9, 70)), place(60, 5), place(71, 9)),
            ("less than known", stream(3, own(3, 20)), place(60, 5), place(21, 3)),
            ("as known, others passed over", stream(5, own(5, 20)), place(60, 5), place(60, 5)),
            ("all messages gone", stream(5, None), place(60, 5), place(60, 5)),
            ("all gone, more than known", stream(9, None), place(60, 5), place(60, 5)),
            ("the last gone", stream(9, own(7, 80)), place(60, 5), place(81, 7)),
            ("the last gone, but known", stream(9, own(7, 80)), place(95, 9), place(95, 9)),
            ("a cursor that cannot be", stream(5, own(5, 70)), place(60, 5), place(71, 5)),
            ("made anew", stream(0, None), place(60, 5), place(60, 0)),
        ] {
            assert_eq!(resume(&stream, cursor, false), Ok(expected), "{case}");
        }
        assert_eq!(resume(&stream(0, None), place(60, 5), true), Ok(place(0, 0)));
    }

    #[test]
    fn a_stream_of_something_else_is_refused() {
        for (last, word) in [
            (last(5, "there/events", 20, "t20"), "another log: message 5 is of there/events"),
            (last(5, LOG_NAME, 100, "t100"), "ahead of the log"),
            (last(5, LOG_NAME, 20, "t21"), "other events: event 20 was recorded at t20"),
            (Some(Last { sequence: 5, log: None, position: None, time: None }), "another program"),
        ] {
            let refused = resume(&Stream { sequence: 5, last }, place(60, 5), true).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_stream_is_told() {
        let subjects = "chartlog.default.>";
        let right = Config { subjects: vec![subjects.to_owned()], ..Config::default() };
        assert_eq!(flaws(&right, subjects), Vec::<String>::new());
        let wrong = Config {
            subjects: vec!["chartlog.>".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            no_ack: true,
            sealed: true,
            first_sequence: Some(10),
            ..Config::default()
        };
        assert_eq!(flaws(&wrong, subjects).len(), 5);
    }
}
