//! Where a browser goes with a code: only to an address that is registered.

/// Hosts of this machine, where an app listens at whatever port is free (RFC 8252 §7.3).
const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Whether an address is the one that is registered: letter by letter, but for the port on this machine.
pub fn is_registered(registered: &str, asked: &str) -> bool {
    registered == asked
        || match (loopback(registered), loopback(asked)) {
            (Some(registered), Some(asked)) => registered == asked,
            _ => false,
        }
}

/// Host and path with query of an address of this machine; `None`: it is none.
fn loopback(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let host = LOOPBACK_HOSTS.into_iter().find(|host| authority.starts_with(host))?;
    let port = authority.strip_prefix(host)?;
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some((host, path))
}

/// Scheme and host of an address, as pages name it to browsers; the scheme alone of an app's own.
pub fn origin(address: &str) -> String {
    let (scheme, rest) = address.split_once(':').unwrap_or_default();
    match rest.strip_prefix("//") {
        Some(rest) => {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            format!("{scheme}://{authority}")
        }
        None => format!("{scheme}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_exact_but_for_the_port_on_this_machine() {
        for (registered, asked, expected) in [
            ("https://app.example/back", "https://app.example/back", true),
            ("https://app.example/back", "https://app.example/back/", false),
            ("https://app.example/back", "https://app.example/back?x=1", false),
            ("https://app.example/back", "https://app.example:8443/back", false),
            ("https://app.example/back", "http://app.example/back", false),
            ("https://app.example/back", "https://APP.example/back", false),
            ("http://127.0.0.1/back", "http://127.0.0.1/back", true),
            ("http://127.0.0.1/back", "http://127.0.0.1:5173/back", true),
            ("http://127.0.0.1:80/back", "http://127.0.0.1:5173/back", true),
            ("http://[::1]/back", "http://[::1]:5173/back", true),
            ("http://localhost/", "http://localhost:5173/", true),
            ("http://localhost/", "http://localhost:5173", false),
            ("http://localhost/", "http://127.0.0.1:5173/", false),
            ("http://localhost/", "http://localhost:5173/x", false),
            ("http://localhost/", "http://localhost:5173/?x", false),
            ("http://localhost/", "http://localhost.example/", false),
            ("http://localhost/", "http://localhost:80@evil.example/", false),
            ("http://localhost/", "http://localhost:@evil.example/", false),
            ("http://localhost/", "http://localhost:99999/", false),
            ("http://localhost/", "http://localhost:0/", false),
            ("http://localhost/", "http://localhost:+1/", false),
            ("http://localhost/", "http://localhost\\.evil.example/", false),
            ("http://localhost/", "https://localhost:5173/", false),
            ("com.example.app:/back", "com.example.app:/back", true),
            ("com.example.app:/back", "com.example.app:/other", false),
        ] {
            assert_eq!(is_registered(registered, asked), expected, "{registered} {asked}");
        }
        assert_eq!(origin("http://[::1]:5173/back?x=/"), "http://[::1]:5173");
        assert_eq!(origin("com.example.app:/back"), "com.example.app:");
    }
}
