//! A target that is reached by a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::connection::Connection;
use super::message::Message;
use super::source::Place;
use super::syslog::Sender;
use crate::config::SiemWay;
use crate::feed::delivery::{Failed, Outlet};

/// How long what was written may be on its way to a program that ends without reading it.
const IN_DOUBT: Duration = Duration::from_secs(30);

/// Sends messages over one connection, which is opened when there is something to send.
pub struct StreamOutlet {
    way: SiemWay,
    tls: Option<Arc<ClientConfig>>,
    /// Of syslog messages; without one, lines of JSON are sent.
    sender: Option<Sender>,
    connection: Option<Connection>,
}

impl StreamOutlet {
    pub fn new(way: SiemWay, tls: Option<Arc<ClientConfig>>, sender: Option<Sender>) -> Self {
        Self { way, tls, sender, connection: None }
    }

    fn connect(&self) -> io::Result<Connection> {
        match (&self.way, &self.tls) {
            (SiemWay::Tls(host), Some(config)) => Connection::tls(host, Arc::clone(config)),
            (SiemWay::Tcp(host), _) => Connection::tcp(host),
            (SiemWay::Unix(path), _) => Connection::unix(path),
            (SiemWay::Tls(_) | SiemWay::File(_), _) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn bytes(&self, messages: &[Message]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for message in messages {
            match &self.sender {
                Some(sender) => sender.put(message, &mut bytes),
                None => bytes.extend([message.json.as_bytes(), b"\n"].concat()),
            }
        }
        bytes
    }
}

impl Outlet for StreamOutlet {
    type Item = Message;
    type Place = Place;

    async fn deliver(&mut self, messages: &[Message]) -> Result<(), Failed> {
        self.check()?;
        let unreached = |error| Failed::because("no connection", &error);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().map_err(unreached)?,
        };
        // A connection that failed is not kept: nobody knows how much of a message has left by it.
        connection
            .send(&self.bytes(messages))
            .map_err(|error| Failed::because("the connection broke", &error))?;
        self.connection = Some(connection);
        Ok(())
    }

    fn in_doubt(&self) -> Duration {
        IN_DOUBT
    }

    fn check(&mut self) -> Result<(), Failed> {
        let checked = self.connection.as_mut().map_or(Ok(()), Connection::check);
        checked.map_err(|error| {
            self.connection = None;
            Failed::because("the other side ended the connection", &error)
        })
    }

    fn close(&mut self) -> Result<(), Failed> {
        let closed = self.connection.take().map_or(Ok(()), Connection::close);
        closed.map_err(|error| Failed::because("the connection was not ended", &error))
    }
}
