//! How many peers: the target, the ceilings derived from it, and how many dials it takes to get there.
//!
//! Asked by the peer table for each admission and by the node before it dials. Counts only what it is given.

use std::net::{IpAddr, Ipv6Addr};

use libp2p::multiaddr::Protocol;

use crate::types::{Direction, Multiaddr};

/// Ceilings on connections. Peers that somebody vouches for pass all of them but the pending ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Ready peers to strive for.
    pub target: usize,
    /// Ready peers at most. At 0.3 MB and more a peer, 130 of them hold about 40 MB.
    pub max_total: usize,
    /// Ready peers at most that dialled us; less than the total, so that they cannot fill every place.
    pub max_inbound: usize,
    /// Ready peers at most that we dialled.
    pub max_outbound: usize,
    /// Peers that we chose ourselves and keep looking for, even when inbound ones reach the target.
    pub min_outbound: usize,
    /// Ready peers at most behind one [`IpGroup`].
    pub max_per_ip: usize,
    /// Dials in flight at most, one socket each, and handshakes on connections that we made.
    pub max_pending_outbound: usize,
    /// Inbound connections at most that are not yet upgraded, one socket each; and as many handshakes on upgraded ones.
    pub max_pending_inbound: usize,
}

/// How many peers there are, in every state that takes a socket. Dials are no peers: they are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready peers that dialled us.
    pub inbound: usize,
    /// Ready peers that we dialled.
    pub outbound: usize,
}

/// The ceiling that leaves no place for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exceeded {
    /// [`Limits::max_total`].
    Total,
    /// [`Limits::max_inbound`].
    Inbound,
    /// [`Limits::max_outbound`].
    Outbound,
    /// [`Limits::max_per_ip`].
    PerIp,
}

/// What shares a limit: one IPv4 address, or one IPv6 /64, which is what one customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpGroup(IpAddr);

impl Limits {
    /// Derives every ceiling from the target.
    ///
    /// The shares are Lighthouse's: inbound 0.9, outbound 1.1, total 1.3 of the target, search below 20 % outbound.
    /// The least values keep small networks whole: with target 8, a node that reached it still has four places for
    /// newcomers, and everyone keeps two peers of its own random choice, which joins the parts.
    #[must_use]
    pub fn for_target(target: usize) -> Self {
        let share = |tenths: usize| target.saturating_mul(tenths).div_ceil(10);
        Self {
            target,
            max_total: share(13).max(target.saturating_add(LEAST_PLACES)),
            max_inbound: share(9).max(LEAST_PLACES),
            max_outbound: share(11),
            min_outbound: share(2).max(2).min(target),
            max_per_ip: MAX_PER_IP,
            max_pending_outbound: MAX_PENDING_OUTBOUND,
            max_pending_inbound: MAX_PENDING_INBOUND,
        }
    }

    /// How many more dials of discovered peers to start, with `dialing` in flight already; zero at the target.
    ///
    /// Three dials for each peer that is missing, because two of three fail, but never more than there would be
    /// places for if all of them succeeded: nobody is dialled to be refused.
    #[must_use]
    pub fn wanted_outbound(&self, counts: Counts, dialing: usize) -> usize {
        let missing = self.target.saturating_sub(counts.total()).max(self.min_outbound.saturating_sub(counts.outbound));
        let places =
            self.max_total.saturating_sub(counts.total()).min(self.max_outbound.saturating_sub(counts.outbound));
        missing.saturating_mul(DIALS_PER_PEER).min(places).min(self.max_pending_outbound).saturating_sub(dialing)
    }

    /// Whether there is a place for one more peer, with `same_group` ready peers in its [`IpGroup`].
    ///
    /// # Errors
    /// [`Exceeded`] names the first ceiling that it would break.
    pub fn check(&self, counts: Counts, direction: Direction, same_group: usize) -> Result<(), Exceeded> {
        let direction_full = match direction {
            Direction::Inbound => (counts.inbound >= self.max_inbound).then_some(Exceeded::Inbound),
            Direction::Outbound => (counts.outbound >= self.max_outbound).then_some(Exceeded::Outbound),
        };
        if counts.total() >= self.max_total {
            return Err(Exceeded::Total);
        }
        if let Some(exceeded) = direction_full {
            return Err(exceeded);
        }
        if same_group >= self.max_per_ip { Err(Exceeded::PerIp) } else { Ok(()) }
    }
}

impl Counts {
    /// Ready peers of both directions.
    #[must_use]
    pub const fn total(self) -> usize {
        self.inbound.saturating_add(self.outbound)
    }
}

impl Exceeded {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "max_total",
            Self::Inbound => "max_inbound",
            Self::Outbound => "max_outbound",
            Self::PerIp => "max_per_ip",
        }
    }
}

impl IpGroup {
    /// The group of the address, `None` when it is exempt: loopback, private, link-local or no IP at all.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Option<Self> {
        let ip = address.iter().find_map(|part| match part {
            Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
            Protocol::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
            _ => None,
        })?;
        let (exempt, group) = match ip {
            IpAddr::V4(v4) => (v4.is_loopback() || v4.is_private() || v4.is_link_local(), ip),
            IpAddr::V6(v6) => (
                v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            ),
        };
        (!exempt).then_some(Self(group))
    }
}

/// Places for newcomers above the target, and inbound places at the least.
const LEAST_PLACES: usize = 4;

/// Lodestar dials three times what is missing: fewer than a third of outbound dials work.
const DIALS_PER_PEER: usize = 3;

/// Prysm calls an address bad beyond five peer ids.
const MAX_PER_IP: usize = 5;

/// Lighthouse has 16, Nimbus 20, Lodestar 100 in flight; 32 dials of 10 s are three a second when all time out.
const MAX_PENDING_OUTBOUND: usize = 32;

/// Lighthouse has 5, which six silent strangers exhaust; a pending connection holds about 0.1 MB, so 64 hold 6 MB.
const MAX_PENDING_INBOUND: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(inbound: usize, outbound: usize) -> Counts {
        Counts { inbound, outbound }
    }

    fn group(address: &str) -> Option<IpGroup> {
        IpGroup::of(&address.parse().unwrap())
    }

    #[test]
    fn ceilings_follow_the_target_and_leave_places_for_both_directions() {
        let limits = Limits::for_target(100);
        assert_eq!((limits.max_total, limits.max_inbound, limits.max_outbound), (130, 90, 110));
        let limits = Limits::for_target(8);
        assert_eq!((limits.max_total, limits.max_inbound, limits.max_outbound, limits.min_outbound), (12, 8, 9, 2));
        for target in 0..500 {
            let limits = Limits::for_target(target);
            assert!(limits.max_total >= target + LEAST_PLACES, "target {target}");
            assert!(limits.max_inbound >= LEAST_PLACES, "target {target}");
            assert!(target == 0 || limits.max_inbound < limits.max_total, "target {target}: outbound starves");
            assert!(limits.max_outbound >= target && limits.min_outbound <= target, "target {target}");
        }
    }

    #[test]
    fn wants_three_dials_for_each_missing_peer_within_the_pending_cap() {
        let limits = Limits::for_target(100);
        assert_eq!(limits.wanted_outbound(counts(0, 0), 0), 32);
        assert_eq!(limits.wanted_outbound(counts(0, 0), 20), 12);
        assert_eq!(limits.wanted_outbound(counts(67, 30), 0), 9);
        assert_eq!(limits.wanted_outbound(counts(67, 30), 9), 0);
    }

    #[test]
    fn wants_nothing_at_the_target() {
        let limits = Limits::for_target(100);
        assert_eq!(limits.wanted_outbound(counts(70, 30), 0), 0);
        assert_eq!(limits.wanted_outbound(counts(90, 40), 0), 0);
        assert_eq!(Limits::for_target(0).wanted_outbound(counts(0, 0), 0), 0);
    }

    #[test]
    fn wants_peers_of_its_own_choice_even_when_inbound_ones_reach_the_target() {
        assert_eq!(Limits::for_target(100).wanted_outbound(counts(90, 10), 0), 30);
        assert_eq!(Limits::for_target(8).wanted_outbound(counts(8, 0), 0), 4);
    }

    #[test]
    fn never_dials_more_than_there_are_places_for() {
        for target in 0..60 {
            let limits = Limits::for_target(target);
            for inbound in 0..=limits.max_inbound {
                for outbound in 0..=limits.max_outbound {
                    let now = counts(inbound, outbound);
                    let after = counts(inbound, outbound + limits.wanted_outbound(now, 0));
                    if after != now {
                        assert!(after.total() <= limits.max_total, "target {target}, {now:?}");
                        assert!(after.outbound <= limits.max_outbound, "target {target}, {now:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn names_the_ceiling_that_is_reached() {
        let limits = Limits::for_target(100);
        assert_eq!(limits.check(counts(89, 0), Direction::Inbound, 4), Ok(()));
        assert_eq!(limits.check(counts(90, 0), Direction::Inbound, 0), Err(Exceeded::Inbound));
        assert_eq!(limits.check(counts(90, 0), Direction::Outbound, 0), Ok(()));
        assert_eq!(limits.check(counts(0, 110), Direction::Outbound, 0), Err(Exceeded::Outbound));
        assert_eq!(limits.check(counts(90, 40), Direction::Outbound, 0), Err(Exceeded::Total));
        assert_eq!(limits.check(counts(0, 0), Direction::Inbound, 5), Err(Exceeded::PerIp));
    }

    #[test]
    fn groups_public_addresses_and_exempts_private_ones() {
        assert_eq!(group("/ip4/8.8.8.8/tcp/1"), group("/ip4/8.8.8.8/udp/2/quic-v1"));
        assert_eq!(group("/ip4/8.8.8.8/tcp/1"), group("/ip6/::ffff:8.8.8.8/tcp/1"));
        assert_ne!(group("/ip4/8.8.8.8/tcp/1"), group("/ip4/8.8.4.4/tcp/1"));
        assert_eq!(group("/ip6/2001:db8::1/tcp/1"), group("/ip6/2001:db8::ffff:2/tcp/1"));
        assert_ne!(group("/ip6/2001:db8::1/tcp/1"), group("/ip6/2001:db8:0:1::1/tcp/1"));
        for exempt in [
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/10.1.2.3/tcp/1",
            "/ip4/192.168.1.1/tcp/1",
            "/ip4/169.254.0.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/::ffff:127.0.0.1/tcp/1",
            "/memory/7",
            "/dns4/example.org/tcp/1",
        ] {
            assert_eq!(group(exempt), None, "{exempt}");
        }
    }
}
