//! How many peers: the target, the ceilings derived from it, and how many dials it takes to get there.
//!
//! Asked by the peer table for each admission and by the node before it dials. Counts only what it is given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;

use super::Cause;
use crate::types::{Direction, GoodbyeReason, Multiaddr};

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
    /// Ready peers at most behind one [`NetGroup`].
    pub max_per_net: usize,
    /// Places beyond the ceilings above, for peers that cover what too few cover: [`Seat::Needed`].
    pub reserved_needed: usize,
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
    /// [`Limits::max_per_net`].
    PerNet,
    /// None of the limits: the peer or its address is banned.
    Banned,
}

/// By what right a peer asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seat {
    /// None in particular.
    Plain,
    /// It covers a subnet or a column that too few cover: the reserve is open to it.
    Needed,
    /// A boot node or the operator's peer: no limit holds.
    Known,
}

/// Ready peers that share a limit with the one that asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// In its [`IpGroup`].
    pub same_ip: usize,
    /// In its [`NetGroup`].
    pub same_net: usize,
}

/// What shares a limit: one IPv4 address, or one IPv6 /64, which is what one customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpGroup(IpAddr);

/// What shares the wider limit: one IPv4 /24, or one IPv6 /48, which is what one site gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetGroup(IpAddr);

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
            max_per_net: MAX_PER_NET,
            reserved_needed: share(1),
            max_pending_outbound: MAX_PENDING_OUTBOUND,
            max_pending_inbound: MAX_PENDING_INBOUND,
        }
    }

    /// Fits the pending attempts to the files that the process may open: at most a quarter of what the ready peers and
    /// 128 files for everything else leave, half for either direction; at least one each, and no more than before.
    #[must_use]
    pub fn with_open_files(self, open_files: u64) -> Self {
        let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
        let taken = self.max_total.saturating_add(self.reserved_needed).saturating_add(FILES_FOR_THE_REST);
        let each = (open_files.saturating_sub(taken) / 8).max(1);
        Self {
            max_pending_outbound: self.max_pending_outbound.min(each),
            max_pending_inbound: self.max_pending_inbound.min(each),
            ..self
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

    /// Whether there is a place for one more peer beside its neighbours.
    ///
    /// # Errors
    /// [`Exceeded`] names the first ceiling that it would break; never for [`Seat::Known`].
    pub fn check(
        &self,
        counts: Counts,
        direction: Direction,
        seat: Seat,
        neighbours: Neighbours,
    ) -> Result<(), Exceeded> {
        let reserve = match seat {
            Seat::Plain => 0,
            Seat::Needed => self.reserved_needed,
            Seat::Known => return Ok(()),
        };
        let (taken, ceiling, exceeded) = match direction {
            Direction::Inbound => (counts.inbound, self.max_inbound, Exceeded::Inbound),
            Direction::Outbound => (counts.outbound, self.max_outbound, Exceeded::Outbound),
        };
        if counts.total() >= self.max_total.saturating_add(reserve) {
            Err(Exceeded::Total)
        } else if taken >= ceiling.saturating_add(reserve) {
            Err(exceeded)
        } else if neighbours.same_ip >= self.max_per_ip {
            Err(Exceeded::PerIp)
        } else if neighbours.same_net >= self.max_per_net {
            Err(Exceeded::PerNet)
        } else {
            Ok(())
        }
    }
}

impl Counts {
    /// Ready peers of both directions.
    #[must_use]
    pub const fn total(self) -> usize {
        self.inbound.saturating_add(self.outbound)
    }
}

impl Seat {
    /// The right of a peer of which nothing else is known.
    #[must_use]
    pub const fn of(known: bool) -> Self {
        if known { Self::Known } else { Self::Plain }
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
            Self::PerNet => "max_per_net",
            Self::Banned => "banned",
        }
    }

    /// What the refused peer is told.
    #[must_use]
    pub const fn goodbye(self) -> GoodbyeReason {
        match self {
            Self::Total | Self::Inbound | Self::Outbound | Self::PerIp | Self::PerNet => GoodbyeReason::TOO_MANY_PEERS,
            Self::Banned => GoodbyeReason::BANNED,
        }
    }

    /// What the refusal means for the next dial: a host that has its share keeps it for a while, a place of ours may be
    /// free soon.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::Total | Self::Inbound | Self::Outbound => Cause::Local,
            Self::PerIp | Self::PerNet => Cause::Busy,
            Self::Banned => Cause::Violation,
        }
    }
}

impl IpGroup {
    /// The group of the address, `None` when it is exempt: loopback, private, link-local or no IP at all.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Option<Self> {
        public_ip(address).map(|ip| Self(masked(ip, 32, 64)))
    }

    /// The first address of the group and the length of its prefix in bits, 32 or 64.
    #[must_use]
    pub const fn network(self) -> (IpAddr, u8) {
        match self.0 {
            IpAddr::V4(_) => (self.0, 32),
            IpAddr::V6(_) => (self.0, 64),
        }
    }
}

impl NetGroup {
    /// The group of the address, `None` when it is exempt as in [`IpGroup::of`].
    #[must_use]
    pub fn of(address: &Multiaddr) -> Option<Self> {
        public_ip(address).map(|ip| Self(masked(ip, 24, 48)))
    }
}

fn public_ip(address: &Multiaddr) -> Option<IpAddr> {
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        _ => None,
    })?;
    let exempt = match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    (!exempt).then_some(ip)
}

/// Keeps the first bits of an address, one count for each family.
fn masked(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !(u32::MAX.checked_shr(v4_bits).unwrap_or(0)))),
        IpAddr::V6(v6) => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX.checked_shr(v6_bits).unwrap_or(0))))
        }
    }
}

/// Places for newcomers above the target, and inbound places at the least.
const LEAST_PLACES: usize = 4;

/// Lodestar dials three times what is missing: fewer than a third of outbound dials work.
const DIALS_PER_PEER: usize = 3;

/// Prysm calls an address bad beyond five peer ids.
const MAX_PER_IP: usize = 5;

/// discv5 (`ip_limit`) keeps ten nodes of one /24 in its table.
const MAX_PER_NET: usize = 10;

/// Listening sockets, discovery, the store, logs, metrics and interfaces, with room to spare.
const FILES_FOR_THE_REST: usize = 128;

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
        let at = |same_ip, same_net| Neighbours { same_ip, same_net };
        let check = |inbound, outbound, direction, neighbours| {
            limits.check(counts(inbound, outbound), direction, Seat::Plain, neighbours)
        };
        assert_eq!(check(89, 0, Direction::Inbound, at(4, 9)), Ok(()));
        assert_eq!(check(90, 0, Direction::Inbound, at(0, 0)), Err(Exceeded::Inbound));
        assert_eq!(check(90, 0, Direction::Outbound, at(0, 0)), Ok(()));
        assert_eq!(check(0, 110, Direction::Outbound, at(0, 0)), Err(Exceeded::Outbound));
        assert_eq!(check(90, 40, Direction::Outbound, at(0, 0)), Err(Exceeded::Total));
        assert_eq!(check(0, 0, Direction::Inbound, at(5, 5)), Err(Exceeded::PerIp));
        assert_eq!(check(0, 0, Direction::Inbound, at(0, 10)), Err(Exceeded::PerNet));
    }

    #[test]
    fn keeps_a_reserve_for_needed_peers_and_knows_no_limit_for_known_ones() {
        let limits = Limits::for_target(100);
        let check = |inbound, outbound, seat| {
            limits.check(counts(inbound, outbound), Direction::Inbound, seat, Neighbours::default())
        };
        assert_eq!(check(90, 40, Seat::Plain), Err(Exceeded::Total));
        assert_eq!(check(90, 40, Seat::Needed), Ok(()));
        assert_eq!(check(90, 50, Seat::Needed), Err(Exceeded::Total));
        assert_eq!(check(100, 0, Seat::Needed), Err(Exceeded::Inbound));
        assert_eq!(check(500, 500, Seat::Known), Ok(()));
    }

    #[test]
    fn fits_the_pending_attempts_to_the_open_files() {
        let pending = |open_files| {
            let limits = Limits::for_target(100).with_open_files(open_files);
            (limits.max_pending_outbound, limits.max_pending_inbound)
        };
        assert_eq!(pending(1 << 20), (32, 64));
        assert_eq!(pending(u64::MAX), (32, 64));
        assert_eq!(pending(524), (32, 32));
        assert_eq!(pending(332), (8, 8));
        assert_eq!(pending(0), (1, 1));
    }

    #[test]
    fn nets_are_wider_than_ip_groups() {
        let net = |address: &str| NetGroup::of(&address.parse().unwrap());
        assert_eq!(net("/ip4/8.8.8.8/tcp/1"), net("/ip4/8.8.8.200/tcp/1"));
        assert_ne!(net("/ip4/8.8.8.8/tcp/1"), net("/ip4/8.8.9.8/tcp/1"));
        assert_eq!(net("/ip6/2001:db8::1/tcp/1"), net("/ip6/2001:db8:0:1::1/tcp/1"));
        assert_ne!(net("/ip6/2001:db8::1/tcp/1"), net("/ip6/2001:db8:1::1/tcp/1"));
        assert_eq!(net("/ip4/10.0.0.1/tcp/1"), None);
        assert_eq!(group("/ip6/2001:db8::1/tcp/1").unwrap().network(), ("2001:db8::".parse().unwrap(), 64));
        assert_eq!(group("/ip4/8.8.8.8/tcp/1").unwrap().network(), ("8.8.8.8".parse().unwrap(), 32));
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
