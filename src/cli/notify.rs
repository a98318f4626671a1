//! Telling the service manager that the server is there: sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that the server listens, if a service manager waits for that. One that cannot be told makes the unit fail by
/// itself, so nothing else is done about it than a warning.
pub fn ready() {
    let Some(socket) = super::variable("NOTIFY_SOCKET") else { return };
    if let Err(error) = tell(&socket, b"READY=1\n") {
        tracing::warn!(socket, %error, "the service manager cannot be told");
    }
}

/// `socket` is a path, or behind an `@` a name that is in no file system.
fn tell(socket: &str, message: &[u8]) -> std::io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}
