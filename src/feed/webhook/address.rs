//! Which addresses a webhook may be sent to.
//!
//! By default only public ones. The check stands between the look-up of a name and the connection, and what it lets
//! through is what is connected to: a name that leads elsewhere a moment later changes nothing.

use std::io::{Error as IoError, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Networks of IPv4 that are not public (IANA's special-purpose registry), with multicast.
const SPECIAL_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Networks within the public 2000::/3 that are not: protocol assignments with Teredo, documentation, and 6to4, which holds
/// addresses of IPv4.
const SPECIAL_V6: [([u16; 2], u8); 4] =
    [([0x2001, 0], 23), ([0x2001, 0xdb8], 32), ([0x2002, 0], 16), ([0x3fff, 0], 20)];

/// Looks names up, and lets only addresses through that may be connected to.
#[derive(Debug)]
pub struct CheckedResolver {
    inner: DefaultResolver,
    /// Networks that are allowed although they are not public.
    allowed: Vec<IpNet>,
}

impl CheckedResolver {
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { inner: DefaultResolver::default(), allowed }
    }
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut checked = self.empty();
        for address in found.iter().filter(|address| may_connect(address.ip(), &self.allowed)) {
            checked.push(*address);
        }
        if checked.is_empty() {
            return Err(Error::Io(IoError::from(ErrorKind::PermissionDenied)));
        }
        Ok(checked)
    }
}

/// Whether an address may be connected to.
pub fn may_connect(address: IpAddr, allowed: &[IpNet]) -> bool {
    // Addresses of IPv4 in the dress of IPv6 lead to the same hosts.
    let address = address.to_canonical();
    is_public(address) || allowed.iter().any(|network| network.contains(&address))
}

fn is_public(address: IpAddr) -> bool {
    let is_within = |network: IpAddr, length| {
        IpNet::new(network, length).is_ok_and(|network| network.contains(&address))
    };
    match address {
        IpAddr::V4(_) => !SPECIAL_V4
            .iter()
            .any(|(network, length)| is_within(Ipv4Addr::from(*network).into(), *length)),
        IpAddr::V6(_) => {
            let v6 = |[first, second]: [u16; 2]| {
                IpAddr::from(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0))
            };
            is_within(v6([0x2000, 0]), 3)
                && !SPECIAL_V6.iter().any(|(network, length)| is_within(v6(*network), *length))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_connected_to_unless_others_are_allowed() {
        let may = |text: &str, allowed: &[&str]| {
            let allowed: Vec<IpNet> = allowed.iter().map(|text| text.parse().unwrap()).collect();
            may_connect(text.parse().unwrap(), &allowed)
        };
        for public in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(may(public, &[]), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "::127.0.0.1",
        ] {
            assert!(!may(other, &[]), "{other}");
        }
        assert!(may("10.1.2.3", &["10.1.0.0/16"]));
        assert!(may("::ffff:10.1.2.3", &["10.1.0.0/16"]));
        assert!(!may("10.2.2.3", &["10.1.0.0/16", "fd00::/8"]));
        assert!(may("fd00::7", &["10.1.0.0/16", "fd00::/8"]));
    }
}
