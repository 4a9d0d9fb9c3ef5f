//! Which addresses are of the internet.

use std::net::{IpAddr, Ipv4Addr};

/// Whether anybody on the internet could reach the address: not private, shared, loopback, link-local, unspecified,
/// multicast or broadcast. Addresses set aside for documentation count as public; nobody has one.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            !(ip.is_private()
                || is_shared(ip)
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.octets()[0] == 0)
        }
        // global unicast is 2000::/3
        IpAddr::V6(ip) => ip.segments()[0] & 0xe000 == 0x2000,
    }
}

/// 100.64.0.0/10, between a provider and its customers (RFC 6598).
const fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_internet_from_everything_else() {
        let is_public = |text: &str| is_public(text.parse().unwrap());
        for public in ["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public), "{public}");
        }
        let others = [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.1.1",
            "100.64.0.1",
            "127.0.0.2",
            "169.254.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.1.1.1",
        ];
        for other in others {
            assert!(!is_public(other), "{other}");
        }
    }
}
