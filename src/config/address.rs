//! Addresses at which something is read that is believed.

use std::net::IpAddr;

/// Whether nobody on the way can change what is read at an address: `https`, or on this machine.
#[must_use]
pub fn is_safe_address(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let odd =
        |letter: char| letter.is_whitespace() || letter.is_control() || "#\\".contains(letter);
    if address.contains(odd) || authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match scheme {
        "https" => !host.is_empty(),
        "http" => {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_safe_when_nobody_on_the_way_can_change_what_is_read() {
        for (address, expected) in [
            ("https://login.example.org", true),
            ("https://login.example.org:8443/a/b?c=d", true),
            ("https://[2001:db8::1]/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://[::1]:8080/keys", true),
            ("http://localhost/keys", true),
            ("http://login.example.org/keys", false),
            ("http://10.0.0.7/keys", false),
            ("http://localhost.example.org/keys", false),
            ("http://127.0.0.1.example.org/keys", false),
            ("http://127.0.0.1@login.example.org/keys", false),
            ("http://login.example.org\\@127.0.0.1/keys", false),
            ("http://login.example.org#@127.0.0.1/", false),
            ("http://[::1].example.org@x/", false),
            ("https://user:word@login.example.org/", false),
            ("https://login.example.org/#keys", false),
            ("https://login.example.org/a b", false),
            ("https:///keys", false),
            ("HTTPS://login.example.org", false),
            ("file:///etc/keys", false),
            ("login.example.org", false),
            ("", false),
        ] {
            assert_eq!(is_safe_address(address), expected, "{address}");
        }
    }
}
