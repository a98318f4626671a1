//! A connection to a target.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::config::SiemHost;

/// How long one address is tried, and how long the other side may take to shake hands, to take what is written, and to
/// end.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(10);
const WRITE_MAX: Duration = Duration::from_secs(20);
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// How long what was written may stay without the word of the other system that it is there; then the connection fails.
const UNHEARD_MS_MAX: u32 = 20_000;

/// Reads of what a target has to say, which is nothing, before it is left at that.
const READS_MAX: usize = 64;

/// An open connection.
pub enum Connection {
    /// TLS over TCP.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// TCP in the clear.
    Tcp(TcpStream),
    /// A stream socket of this machine.
    Unix(UnixStream),
}

impl Connection {
    /// Connects by TCP.
    pub fn tcp(host: &SiemHost) -> io::Result<Self> {
        Ok(Self::Tcp(connect(host)?))
    }

    /// Connects by TLS: the other side has a certificate for that name.
    pub fn tls(host: &SiemHost, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(host.name.clone()).map_err(io::Error::other)?;
        let client = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(client, connect(host)?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Connects to a socket of this machine.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_write_timeout(Some(WRITE_MAX))?;
        Ok(Self::Unix(stream))
    }

    /// Writes, and returns when the system has all of it.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream: &mut dyn Write = match self {
            Self::Tls(stream) => stream,
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        };
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Whether the other side is still there, as far as the system knows.
    pub fn check(&mut self) -> io::Result<()> {
        self.block(false)?;
        let mut answer = [0; 256];
        let mut ended = Ok(());
        for _ in 0..READS_MAX {
            match self.read(&mut answer) {
                Ok(0) => ended = Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => ended = Err(error),
            }
            break;
        }
        self.block(true)?;
        ended
    }

    /// Ends it. The other side ends only when it has read everything, so then it has arrived.
    pub fn close(mut self) -> io::Result<()> {
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        match &self {
            Self::Tls(stream) => {
                end(&stream.sock, TcpStream::shutdown, TcpStream::set_read_timeout)
            }
            Self::Tcp(stream) => end(stream, TcpStream::shutdown, TcpStream::set_read_timeout),
            Self::Unix(stream) => end(stream, UnixStream::shutdown, UnixStream::set_read_timeout),
        }?;
        let mut answer = [0; 256];
        loop {
            match self.read(&mut answer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Without saying so first, as TLS wants it.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }

    fn block(&self, is_blocking: bool) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.sock.set_nonblocking(!is_blocking),
            Self::Tcp(stream) => stream.set_nonblocking(!is_blocking),
            Self::Unix(stream) => stream.set_nonblocking(!is_blocking),
        }
    }
}

fn end<S>(
    stream: &S,
    shutdown: fn(&S, Shutdown) -> io::Result<()>,
    set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
) -> io::Result<()> {
    set_read_timeout(stream, Some(CLOSE_MAX))?;
    shutdown(stream, Shutdown::Write)
}

/// Connects to the first address of a host that takes it.
fn connect(host: &SiemHost) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(ErrorKind::NotFound, "there is no such host");
    for address in (host.name.as_str(), host.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                stream.set_write_timeout(Some(WRITE_MAX))?;
                stream.set_nodelay(true)?;
                sockopt::set_tcp_user_timeout(&stream, UNHEARD_MS_MAX)?;
                sockopt::set_socket_keepalive(&stream, true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
