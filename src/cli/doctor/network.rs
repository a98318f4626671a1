//! Addresses: the own one, and those of issuers.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use super::finding::Finding;
use crate::cli::agent::Way;
use crate::config::Config;
use crate::issuers::Issuers;

const ADDRESS: &str = "address";
const ISSUERS: &str = "issuers";

/// How long an answer of this machine is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// Examines the network.
pub fn examine(config: &Config) -> Vec<Finding> {
    vec![address(config), issuers(config)]
}

fn address(config: &Config) -> Finding {
    let listen = config.server.listen;
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(ADDRESS, format!("{listen} is free")),
        Err(error) if error.kind() != ErrorKind::AddrInUse => Finding::fail(
            ADDRESS,
            format!("{listen}: {error}"),
            "choose another with --listen or server.listen",
        ),
        Err(_) if is_chartlog(config) => {
            Finding::ok(ADDRESS, format!("a chartlog server listens at {listen}"))
        }
        Err(_) => Finding::fail(
            ADDRESS,
            format!("another program listens at {listen}"),
            "stop it (`ss -ltnp` names it), or choose another address with --listen or server.listen",
        ),
    }
}

/// Whether a server of this program answers at the address.
fn is_chartlog(config: &Config) -> bool {
    let (listen, scheme) =
        (config.server.listen, if config.server.is_tls() { "https" } else { "http" });
    let ip = match listen.ip() {
        ip if ip.is_unspecified() => [127, 0, 0, 1].into(),
        ip => ip,
    };
    let url = format!("{scheme}://{}/health/live", std::net::SocketAddr::new(ip, listen.port()));
    let agent = Way::to_self().agent(|limits| limits.timeout_global(Some(PATIENCE)));
    let answer = agent.get(&url).call();
    let text = answer.and_then(|mut answer| {
        answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()
    });
    text.is_ok_and(|text| text.contains(r#""status":"live""#))
}

fn issuers(config: &Config) -> Finding {
    const MEND: &str =
        "mend auth.issuers, or what lies between; until then tokens of this issuer are refused";
    let mut issuers = match Issuers::read(&config.auth) {
        Ok(issuers) => issuers,
        Err(error) => return Finding::fail(ISSUERS, error, MEND),
    };
    let (reached, problems) = issuers.ask();
    match problems.is_empty() {
        false => Finding::warn(ISSUERS, problems.join("; "), MEND),
        true if reached == 0 => Finding::ok(ISSUERS, "none has to be asked for its keys"),
        true => {
            Finding::ok(ISSUERS, format!("all that are asked for their keys answer: {reached}"))
        }
    }
}
