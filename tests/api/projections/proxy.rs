//! A connection that cannot be relied on: a proxy that cuts each after some bytes, at any place of an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub struct Proxy {
    pub base: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    cut: AtomicU64,
}

impl Proxy {
    /// In front of a server. It goes on until the tests end.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { server: Mutex::new(server), cut: AtomicU64::new(0) });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut random = 3u64;
            for client in listener.incoming().map_while(Result::ok) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // More than the longest event takes, and less than all events do.
                let bytes = 2_000 + (random >> 33) % 6_000;
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || shared.lead(client, bytes));
            }
        });
        Self { base, shared }
    }

    /// To another server from now on.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.shared.server.lock().unwrap() = server;
    }

    /// How many connections were cut.
    pub fn cut(&self) -> u64 {
        self.shared.cut.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn lead(&self, mut client: TcpStream, bytes: u64) {
        let address = *self.server.lock().unwrap();
        let Ok(mut server) = TcpStream::connect(address) else { return };
        let (mut sent, mut from_client) =
            (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut sent);
            let _ = sent.shutdown(Shutdown::Both);
        });
        let mut left = usize::try_from(bytes).unwrap();
        let mut buffer = [0; 1_024];
        while left > 0 {
            let size = left.min(buffer.len());
            match server.read(&mut buffer[..size]) {
                Ok(0) | Err(_) => break,
                Ok(count) if client.write_all(&buffer[..count]).is_ok() => left -= count,
                Ok(_) => break,
            }
        }
        self.cut.fetch_add(u64::from(left == 0), Ordering::Relaxed);
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    }
}
