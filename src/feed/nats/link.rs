//! A connection to a stream: where it goes on, and publishing in order, each message once.

use std::time::Duration;

use async_nats::jetstream::context::{GetStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config, Info, LastRawMessageErrorKind, Stream as StreamHandle,
};
use async_nats::jetstream::{Context, ContextBuilder, ErrorCode};
use async_nats::{Client, HeaderMap, header};

use super::source::Message;
use super::stream::{LOG, Last, Stream, TIME};
use crate::feed::delivery::Failed;

/// The least that a message must be allowed to have, in bytes: what is said of an event in short, and its headers.
pub const MESSAGE_BYTES_MIN: usize = 8_192;
/// How long an answer of the server may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Messages that are on their way at the same time.
const ON_THE_WAY_MAX: usize = 1_000;
/// What stands around a header, and around all of them (`NATS/1.0`), in bytes.
const HEADER_BYTES: usize = 4;
const HEADERS_BYTES: usize = 12;

/// What is known of the stream beforehand.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name, its subjects, and what else it is to have if it is made.
    pub config: Config,
    /// Whether it is made if it is not there.
    pub is_made: bool,
    /// The subjects that it takes.
    pub subjects: String,
    /// Name of the log.
    pub log: String,
    /// The type of the messages.
    pub content_type: &'static str,
}

/// A connection to a stream.
pub struct Link {
    context: Context,
    wanted: Wanted,
    /// Bytes that a message may have.
    message_bytes_max: usize,
    /// Of the last message of the stream.
    sequence: u64,
    /// Messages of the stream that are gone, which are not published again.
    gone: u64,
}

impl Link {
    /// Looks at the stream: whether it can be published to, and how far it is.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub async fn open(client: Client, wanted: &Wanted) -> Result<(Self, Stream), Failed> {
        let message_bytes_max = client.server_info().max_payload;
        let context = ContextBuilder::new().timeout(ANSWER_MAX).build(client);
        let name = &wanted.config.name;
        let handle = stream(&context, wanted).await?;
        let info = handle.cached_info();
        let flaws = super::stream::flaws(&info.config, &wanted.subjects);
        if !flaws.is_empty() {
            return Err(Failed(format!("stream {name} cannot be used: {}", flaws.join("; "))));
        }
        let stream_max = usize::try_from(info.config.max_message_size).unwrap_or(0);
        let message_bytes_max = match stream_max {
            0 => message_bytes_max,
            some => message_bytes_max.min(some),
        };
        if message_bytes_max < MESSAGE_BYTES_MIN {
            return Err(Failed(format!(
                "stream {name} takes messages of {message_bytes_max} bytes, and must take {MESSAGE_BYTES_MIN}"
            )));
        }
        let sequence = info.state.last_sequence;
        let last = last(&handle, wanted).await?;
        // What a message itself says counts more, if one came between.
        let sequence = last.as_ref().map_or(sequence, |last| sequence.max(last.sequence));
        let wanted = wanted.clone();
        let link = Self { context, wanted, message_bytes_max, sequence, gone: 0 };
        Ok((link, Stream { sequence, last }))
    }

    /// Goes on behind a message, though the stream has come further.
    pub fn go_on_behind(&mut self, sequence: u64) {
        self.gone = self.sequence.saturating_sub(sequence);
    }

    /// The message behind which it goes on.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.sequence - self.gone
    }

    /// Publishes messages in order, and waits until the stream has them on its disk. Each says which one it follows:
    /// so if one is lost, none behind it is taken, and whatever is still on its way from before comes too late.
    ///
    /// # Errors
    ///
    /// [`Failed`]: how far it has come, only the stream knows.
    pub async fn publish(&mut self, messages: &[Message]) -> Result<(), Failed> {
        let gone = usize::try_from(self.gone).unwrap_or(usize::MAX).min(messages.len());
        self.gone -= gone as u64;
        for some in messages.get(gone..).unwrap_or_default().chunks(ON_THE_WAY_MAX) {
            let mut acknowledgements = Vec::with_capacity(some.len());
            for (message, before) in some.iter().zip(self.sequence..) {
                let published = self.message(message, before);
                let sent = self.context.send_publish(message.subject.clone(), published).await;
                acknowledgements.push((message, sent.map_err(|error| refused(message, &error))?));
            }
            for (message, acknowledgement) in acknowledgements {
                let ack = acknowledgement.await.map_err(|error| refused(message, &error))?;
                if ack.duplicate || ack.sequence != self.sequence + 1 {
                    let (position, sequence) = (message.position, ack.sequence);
                    return Err(Failed(format!("event {position} is message {sequence} already")));
                }
                self.sequence = ack.sequence;
            }
        }
        Ok(())
    }

    fn message(&self, message: &Message, before: u64) -> PublishMessage {
        let mut headers = HeaderMap::new();
        let mut size = HEADERS_BYTES;
        for (name, value) in [
            (header::NATS_MESSAGE_ID.as_ref(), message.id.clone()),
            (header::NATS_EXPECTED_STREAM.as_ref(), self.wanted.config.name.clone()),
            (header::NATS_EXPECTED_LAST_SEQUENCE.as_ref(), before.to_string()),
            (LOG, self.wanted.log.clone()),
            (TIME, message.recorded_at.to_string()),
            ("Content-Type", self.wanted.content_type.to_owned()),
        ] {
            size += name.len() + value.len() + HEADER_BYTES;
            headers.insert(name, value);
        }
        let payload = match &message.short {
            Some(short) if size + message.payload.len() > self.message_bytes_max => short,
            _ => &message.payload,
        };
        PublishMessage::build().headers(headers).payload(payload.clone().into())
    }
}

fn refused(message: &Message, error: &PublishError) -> Failed {
    let position = message.position;
    match error.kind() {
        PublishErrorKind::WrongLastSequence => {
            Failed(format!("event {position}: something else was published to the stream"))
        }
        _ => Failed::because(&format!("event {position} was not acknowledged"), error),
    }
}

/// The stream, which is made if that is wanted.
async fn stream(context: &Context, wanted: &Wanted) -> Result<StreamHandle<Info>, Failed> {
    let name = &wanted.config.name;
    match context.get_stream(name).await {
        Ok(handle) => return Ok(handle),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(why)
                if why.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(Failed::because(&format!("stream {name}"), &error)),
        },
    }
    if !wanted.is_made {
        let subjects = &wanted.subjects;
        return Err(Failed(format!(
            "there is no stream {name}; make it, for {subjects}, or turn nats.create_stream on"
        )));
    }
    let made = context.create_stream(wanted.config.clone()).await;
    made.map_err(|error| Failed::because(&format!("stream {name} could not be made"), &error))
}

/// The last message of a stream.
async fn last(handle: &StreamHandle<Info>, wanted: &Wanted) -> Result<Option<Last>, Failed> {
    let message = match handle.get_last_raw_message_by_subject(&wanted.subjects).await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
        Err(error) => return Err(Failed::because("the last message of the stream", &error)),
    };
    let said = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    Ok(Some(Last {
        sequence: message.sequence,
        log: said(LOG),
        position: said(header::NATS_MESSAGE_ID.as_ref()).and_then(|id| {
            // A part has its number behind the position.
            id.split('.').next().and_then(|position| position.parse().ok())
        }),
        time: said(TIME),
    }))
}
