//! The host names of `--enr-address`: what they mean now. Pure; the resolver is the caller's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::AdvertisedHost;
use crate::events::NodeEvent;
use crate::types::Family;

/// Host names with their latest addresses, for the families in which each had one at the start.
#[derive(Debug)]
pub(super) struct Hosts(Vec<Host>);

#[derive(Debug)]
struct Host {
    at: AdvertisedHost,
    /// Whether it was said that it cannot be resolved.
    warned: bool,
}

impl Hosts {
    pub(super) fn new(hosts: &[AdvertisedHost]) -> Self {
        Self(hosts.iter().map(|at| Host { at: at.clone(), warned: false }).collect())
    }

    /// The names to resolve.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|host| host.at.name.clone()).collect()
    }

    /// The address that a name gives to a family; `None` if none does.
    pub(super) fn ip4(&self) -> Option<Ipv4Addr> {
        self.0.iter().find_map(|host| host.at.ip4)
    }

    /// The same for IPv6.
    pub(super) fn ip6(&self) -> Option<Ipv6Addr> {
        self.0.iter().find_map(|host| host.at.ip6)
    }

    /// Takes what a name was resolved to. An address that is still among them stays, so that the order in which a
    /// resolver lists several does not matter; without one of a family, the last one stays.
    pub(super) fn on_resolved(&mut self, name: &str, resolved: &io::Result<Vec<IpAddr>>) -> Vec<NodeEvent> {
        let Some(host) = self.0.iter_mut().find(|host| host.at.name == name) else { return Vec::new() };
        let unresolved = |error: String| NodeEvent::NetworkHostUnresolved { host: name.to_owned(), error };
        let found = match resolved {
            Ok(found) if found.iter().any(|ip| usable(*ip)) => found,
            Ok(_) => return host.warn().then(|| unresolved("no address".to_owned())).into_iter().collect(),
            Err(error) => return host.warn().then(|| unresolved(error.to_string())).into_iter().collect(),
        };
        host.warned = false;
        let ip4s = found.iter().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None });
        let ip6s = found.iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
        let ip4 = replace(&mut host.at.ip4, ip4s).map(IpAddr::V4);
        let ip6 = replace(&mut host.at.ip6, ip6s).map(IpAddr::V6);
        let resolved = |ip: IpAddr| NodeEvent::NetworkHostResolved {
            host: name.to_owned(),
            family: Family::of(ip).as_str(),
            ip: ip.to_string(),
        };
        ip4.into_iter().chain(ip6).map(resolved).collect()
    }
}

impl Host {
    /// Whether this is the first failure in a row.
    const fn warn(&mut self) -> bool {
        !std::mem::replace(&mut self.warned, true)
    }
}

/// Puts the first address in the place of one that is no longer among them; returns it if it is new.
fn replace<Ip: Copy + PartialEq + Into<IpAddr>>(
    current: &mut Option<Ip>,
    found: impl Iterator<Item = Ip> + Clone,
) -> Option<Ip> {
    let before = (*current)?;
    let mut usable = found.filter(|ip| usable((*ip).into()));
    if usable.clone().any(|ip| ip == before) {
        return None;
    }
    let new = usable.next()?;
    *current = Some(new);
    Some(new)
}

fn usable(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "me.example.org";

    fn hosts() -> Hosts {
        Hosts::new(&[AdvertisedHost { name: NAME.to_owned(), ip4: Some(Ipv4Addr::new(45, 33, 10, 7)), ip6: None }])
    }

    fn found(ips: &[&str]) -> io::Result<Vec<IpAddr>> {
        Ok(ips.iter().map(|ip| ip.parse().unwrap()).collect())
    }

    #[test]
    fn follows_a_new_address_of_a_family_that_the_name_had() {
        let mut hosts = hosts();
        assert_eq!(hosts.on_resolved(NAME, &found(&["45.33.10.7"])), []);
        assert_eq!(hosts.on_resolved(NAME, &found(&["45.33.10.8", "45.33.10.7"])), [], "the order is nothing");
        let news = hosts.on_resolved(NAME, &found(&["2606:4700::1", "0.0.0.0", "45.33.10.9"]));
        let expected =
            NodeEvent::NetworkHostResolved { host: NAME.to_owned(), family: "ip4", ip: "45.33.10.9".to_owned() };
        assert_eq!(news, [expected]);
        assert_eq!((hosts.ip4(), hosts.ip6()), (Some(Ipv4Addr::new(45, 33, 10, 9)), None));
    }

    #[test]
    fn a_failure_keeps_the_last_address_and_is_said_once() {
        let mut hosts = hosts();
        let failure = || Err(io::Error::other("no such host"));
        let news = hosts.on_resolved(NAME, &failure());
        let expected = NodeEvent::NetworkHostUnresolved { host: NAME.to_owned(), error: "no such host".to_owned() };
        assert_eq!(news, [expected]);
        assert_eq!(hosts.on_resolved(NAME, &failure()), []);
        assert_eq!(hosts.on_resolved(NAME, &found(&["0.0.0.0"])), []);
        assert_eq!(hosts.ip4(), Some(Ipv4Addr::new(45, 33, 10, 7)));
        assert_eq!(hosts.on_resolved(NAME, &found(&["45.33.10.7"])), []);
        assert_eq!(hosts.on_resolved(NAME, &failure()).len(), 1, "a new failure");
    }
}
