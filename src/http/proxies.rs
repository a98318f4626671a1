//! The address of a client behind proxies: what a proxy says about it counts only if the proxy is
//! known, and only in the header that it writes itself.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

use crate::config::ProxyHeader;

/// The proxies whose word counts.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Where they are.
    pub trusted: Vec<IpNet>,
    /// Where they write the address that a request came from.
    pub header: ProxyHeader,
}

impl Proxies {
    /// The client behind a connection, and the proxy at its near end if that named the client.
    ///
    /// Each proxy adds at the end who it got the request from. So the list is read from its end, as
    /// far as those who wrote it are trusted: the first address that is not is the client. Whatever
    /// stands before may be the client's invention.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> (IpAddr, Option<IpAddr>) {
        let peer = peer.to_canonical();
        let mut client = peer;
        if !self.trusts(peer) {
            return (client, None);
        }
        let name = match self.header {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        };
        let lines = headers.get_all(name).filter_map(|line| line.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| outside_quotes(line, ',')).collect();
        let mut proxy = None;
        for hop in hops.into_iter().rev() {
            let named = match self.header {
                ProxyHeader::XForwardedFor => address(hop),
                ProxyHeader::Forwarded => forwarded_for(hop).and_then(address),
            };
            // Who says "unknown" here is the last that is known.
            let Some(named) = named else { break };
            (client, proxy) = (named, Some(peer));
            if !self.trusts(client) {
                break;
            }
        }
        (client, proxy)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// The parameter `for` of one hop (RFC 7239 section 4), without quotes.
fn forwarded_for(hop: &str) -> Option<&str> {
    let pairs = outside_quotes(hop, ';').into_iter();
    let mut named = pairs.filter_map(|pair| pair.split_once('='));
    let (_, node) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(node.trim().trim_matches('"'))
}

/// An address, with a port behind it or without.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let address = bare.parse().ok();
    let address = address.or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// The pieces of a text between separators that stand in no quoted string.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    let pieces = text.split(|letter: char| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn client(
        header: ProxyHeader,
        peer: &str,
        lines: &[(&'static str, &str)],
    ) -> (String, Option<String>) {
        let trusted = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        let proxies = Proxies { trusted: trusted.to_vec(), header };
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            let line = HeaderValue::from_str(line).unwrap();
            headers.append(HeaderName::from_static(name), line);
        }
        let (client, proxy) = proxies.client(peer.parse().unwrap(), &headers);
        (client.to_string(), proxy.map(|proxy| proxy.to_string()))
    }

    #[test]
    fn a_list_is_read_from_its_end_as_far_as_it_is_trusted() {
        for (peer, line, expected, proxy) in [
            ("10.0.0.1", "203.0.113.7", "203.0.113.7", Some("10.0.0.1")),
            ("10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7", Some("10.0.0.1")),
            ("10.0.0.1", "1.1.1.1, 203.0.113.7,10.0.0.2", "203.0.113.7", Some("10.0.0.1")),
            // All of them are ours: the farthest.
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", Some("10.0.0.1")),
            ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7", Some("10.0.0.1")),
            ("10.0.0.1", "2001:db8::7", "2001:db8::7", Some("10.0.0.1")),
            ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7", Some("10.0.0.1")),
            ("::ffff:10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7", Some("10.0.0.1")),
            ("fd00::1", "203.0.113.7", "203.0.113.7", Some("fd00::1")),
            // What is no address ends what is known.
            ("10.0.0.1", "203.0.113.7, unknown, 10.0.0.2", "10.0.0.2", Some("10.0.0.1")),
            ("10.0.0.1", "nonsense", "10.0.0.1", None),
            ("10.0.0.1", "", "10.0.0.1", None),
            // Nobody asked this one.
            ("192.0.2.1", "203.0.113.7", "192.0.2.1", None),
        ] {
            let lines = [("x-forwarded-for", line)];
            let found = client(ProxyHeader::XForwardedFor, peer, &lines);
            assert_eq!(found, (expected.to_owned(), proxy.map(str::to_owned)), "{peer} {line}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(client(ProxyHeader::XForwardedFor, "10.0.0.1", &lines).0, "203.0.113.7");
    }

    #[test]
    fn forwarded_is_read_by_its_own_grammar() {
        for (line, expected) in [
            ("for=203.0.113.7", "203.0.113.7"),
            ("For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.2", "2001:db8::7"),
            ("for=1.1.1.1, proto=http;for=\"203.0.113.7:80\", for=10.0.0.2", "203.0.113.7"),
            ("host=\"a,for=1.1.1.1\";for=203.0.113.7", "203.0.113.7"),
            ("for=203.0.113.7, for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            let found = client(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", line)]);
            assert_eq!(found.0, expected, "{line}");
        }
    }

    #[test]
    fn the_header_that_the_proxies_do_not_write_is_nothing_but_the_clients_word() {
        let lines = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(client(ProxyHeader::XForwardedFor, "10.0.0.1", &lines).0, "203.0.113.7");
        assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &lines).0, "1.1.1.1");
    }
}
