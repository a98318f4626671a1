//! A WebSocket as a client has it.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::{Actor, Response};

/// Longest wait for a message; only a server that hangs lets a test run into it.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// What comes next on a WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A message, which is JSON, or text.
    Message(Value),
    /// The server has closed it, with a code and a reason.
    Closed(u16, String),
    /// The connection ended, and nothing was said.
    Broken,
}

/// A WebSocket.
pub struct Socket {
    socket: WebSocket<TcpStream>,
    pub headers: Vec<(String, String)>,
}

impl Socket {
    /// Opens one, with a token in the header if the actor has one; `Err`: the answer that came instead.
    pub fn open(
        actor: &Actor,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Response> {
        let url = format!("ws://{}{target}", actor.address);
        let mut request = url.into_client_request().unwrap();
        let token = actor.token.as_ref().map(|token| ("authorization", format!("Bearer {token}")));
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        for (name, value) in headers.chain(token) {
            let name = HeaderName::from_static(name);
            request.headers_mut().insert(name, HeaderValue::from_str(&value).unwrap());
        }
        let stream = TcpStream::connect(actor.address).expect("the server accepts connections");
        stream.set_read_timeout(Some(MESSAGE_TIMEOUT)).unwrap();
        let head = |headers: &tungstenite::http::HeaderMap| {
            let header = |(name, value): (&HeaderName, &HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
            headers.iter().map(header).collect()
        };
        match tungstenite::client(request, stream) {
            Ok((socket, response)) => Ok(Self { socket, headers: head(response.headers()) }),
            Err(HandshakeError::Failure(Error::Http(response))) => Err(Response {
                status: response.status().as_u16(),
                headers: head(response.headers()),
                body: response.body().clone().unwrap_or_default(),
            }),
            Err(other) => panic!("{other}"),
        }
    }

    /// The same, when it must go well.
    #[track_caller]
    pub fn opened(actor: &Actor, target: &str) -> Self {
        let opened = Self::open(actor, target, &[]);
        opened.unwrap_or_else(|answer| panic!("{}: {}", answer.status, answer.text()))
    }

    /// Opens one without a header and says who it is.
    #[track_caller]
    pub fn introduced(actor: &Actor, mut wanted: Value) -> Self {
        let mut socket = Self::opened(&Actor::new(actor.address, None), "/v1/events");
        wanted["token"] = actor.token.clone().unwrap().into();
        socket.say(&wanted.to_string());
        socket
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sends a text. Whether it arrives, the answer shows.
    pub fn say(&mut self, text: &str) {
        self.send(Message::text(text));
    }

    pub fn send(&mut self, message: Message) {
        let _ = self.socket.send(message);
    }

    /// What comes next that is no ping: those are answered.
    #[track_caller]
    pub fn next(&mut self) -> Told {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let value = serde_json::from_str(text.as_str());
                    return Told::Message(value.unwrap_or_else(|_| Value::from(text.as_str())));
                }
                Ok(Message::Close(Some(frame))) => {
                    return Told::Closed(frame.code.into(), frame.reason.to_string());
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(other) => panic!("{other:?} is none of what a server says"),
                Err(_) => return Told::Broken,
            }
        }
    }

    /// The next event; marks are passed over.
    #[track_caller]
    pub fn event(&mut self) -> Value {
        loop {
            match self.next() {
                Told::Message(message) if message["position"].is_u64() => return message,
                Told::Message(message) if message["head"].is_u64() => {}
                other => panic!("{other:?} is no event"),
            }
        }
    }

    /// The code with which it is closed, behind any events and marks.
    #[track_caller]
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next() {
                Told::Message(_) => {}
                Told::Closed(code, reason) => return (code, reason),
                Told::Broken => panic!("broken off without a word"),
            }
        }
    }

    /// Whether the connection ends, when the closing was answered.
    pub fn is_gone(&mut self) -> bool {
        self.next() == Told::Broken
    }
}
