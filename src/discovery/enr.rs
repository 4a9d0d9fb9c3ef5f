//! What a beacon node's record says, read with types, and how our own record is written.
//!
//! Called by the predicate, the dialler and the holders of our own record. It judges nothing: a field that is
//! absent and one that is malformed are both `None`, since neither can be acted upon.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use enr::CombinedKey;
use libp2p::multiaddr::Protocol;
use ssz::{Decode, Encode};

use crate::fault::{Classify, Fault};
use crate::types::{Attnets, Enr, EnrForkId, ForkDigest, Multiaddr, Syncnets};

/// The largest record, in bytes of RLP.
///
/// [EIP-778](https://eips.ethereum.org/EIPS/eip-778)
pub const MAX_ENR_SIZE: usize = 300;

const ETH2: &str = "eth2";
const ATTNETS: &str = "attnets";
const SYNCNETS: &str = "syncnets";
const CGC: &str = "cgc";
const NFD: &str = "nfd";
const QUIC: &str = "quic";
const QUIC6: &str = "quic6";

/// Which address families and transports this node can dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// IPv4 addresses.
    pub ip4: bool,
    /// IPv6 addresses.
    pub ip6: bool,
    /// TCP ports.
    pub tcp: bool,
    /// QUIC ports.
    pub quic: bool,
}

impl Reach {
    /// Every family, every transport.
    pub const ALL: Self = Self { ip4: true, ip6: true, tcp: true, quic: true };
}

/// The beacon chain's fields of a record.
///
/// [spec v1.6.0, ENR structure](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#enr-structure)
pub trait EnrExt {
    /// `eth2`: the fork that the node is on and the next one it knows. SSZ, 16 bytes.
    fn eth2(&self) -> Option<EnrForkId>;

    /// `attnets`: long-lived attestation subnets. SSZ, 8 bytes.
    fn attnets(&self) -> Option<Attnets>;

    /// `syncnets`: sync-committee subnets. SSZ, 1 byte.
    fn syncnets(&self) -> Option<Syncnets>;

    /// `cgc`: custody group count. Big-endian without leading zeros; 0 is the empty string.
    fn cgc(&self) -> Option<u64>;

    /// `nfd`: digest of the next scheduled fork, zero when none is. 4 bytes.
    fn nfd(&self) -> Option<ForkDigest>;

    /// `quic`: the UDP port of QUIC over IPv4.
    fn quic4(&self) -> Option<u16>;

    /// `quic6`: the UDP port of QUIC over IPv6. Unlike `tcp6`, it has no fallback in EIP-778.
    fn quic6(&self) -> Option<u16>;

    /// The addresses within `reach` to dial, in order of preference: QUIC before TCP, IPv4 before IPv6.
    ///
    /// At most four. Addresses that nobody can dial are left out: unspecified, multicast, broadcast, link-local
    /// IPv6 (a record has no scope), IPv4-mapped IPv6, port 0.
    fn dial_addresses(&self, reach: Reach) -> Vec<Multiaddr>;
}

impl EnrExt for Enr {
    fn eth2(&self) -> Option<EnrForkId> {
        EnrForkId::from_ssz_bytes(&bytes_of::<16>(self, ETH2)?).ok()
    }

    fn attnets(&self) -> Option<Attnets> {
        Attnets::from_ssz_bytes(&bytes_of::<8>(self, ATTNETS)?).ok()
    }

    fn syncnets(&self) -> Option<Syncnets> {
        Syncnets::from_ssz_bytes(&bytes_of::<1>(self, SYNCNETS)?).ok()
    }

    fn cgc(&self) -> Option<u64> {
        self.get_decodable(CGC)?.ok()
    }

    fn nfd(&self) -> Option<ForkDigest> {
        bytes_of::<4>(self, NFD).map(ForkDigest)
    }

    fn quic4(&self) -> Option<u16> {
        self.get_decodable(QUIC)?.ok()
    }

    fn quic6(&self) -> Option<u16> {
        self.get_decodable(QUIC6)?.ok()
    }

    fn dial_addresses(&self, reach: Reach) -> Vec<Multiaddr> {
        let ip4 = self.ip4().map(IpAddr::V4).filter(|ip| reach.ip4 && is_dialable(*ip));
        let ip6 = self.ip6().map(IpAddr::V6).filter(|ip| reach.ip6 && is_dialable(*ip));
        let quic = |ip, port| Some(address(ip?, &[Protocol::Udp(open(port)?), Protocol::QuicV1]));
        let tcp = |ip, port| Some(address(ip?, &[Protocol::Tcp(open(port)?)]));

        let mut addresses = Vec::with_capacity(4);
        if reach.quic {
            addresses.extend(quic(ip4, self.quic4()));
            addresses.extend(quic(ip6, self.quic6()));
        }
        if reach.tcp {
            addresses.extend(tcp(ip4, self.tcp4()));
            // EIP-778: without tcp6, tcp serves both families
            addresses.extend(tcp(ip6, self.tcp6().or_else(|| self.tcp4())));
        }
        addresses
    }
}

/// Where a node can be reached over one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint<Ip> {
    /// The address; never unspecified.
    pub ip: Ip,
    /// Port of discv5.
    pub udp: Option<u16>,
    /// Port of libp2p over TCP.
    pub tcp: Option<u16>,
    /// UDP port of libp2p over QUIC.
    pub quic: Option<u16>,
}

impl<Ip: Copy + Into<IpAddr>> Endpoint<Ip> {
    /// Whether anybody could open a connection to the address, and no port is 0.
    #[must_use]
    pub fn is_dialable(&self) -> bool {
        is_dialable(self.ip.into()) && ![self.udp, self.tcp, self.quic].contains(&Some(0))
    }
}

/// Everything that our own record says besides who we are.
///
/// Ports exist only beside an address: a record must not advertise what nobody is known to reach.
#[derive(Clone, Debug, PartialEq)]
pub struct EnrContent {
    /// The fork in force and the next one.
    pub eth2: EnrForkId,
    /// Long-lived attestation subnets.
    pub attnets: Attnets,
    /// Sync-committee subnets.
    pub syncnets: Syncnets,
    /// Custody group count.
    pub cgc: u64,
    /// Digest of the next scheduled fork; zero when none is.
    pub nfd: ForkDigest,
    /// Where we are reached over IPv4, when that is known.
    pub ip4: Option<Endpoint<Ipv4Addr>>,
    /// Where we are reached over IPv6, when that is known.
    pub ip6: Option<Endpoint<Ipv6Addr>>,
}

impl EnrContent {
    /// Reads back what [`build_enr`] wrote; `None` when the record has no fork. Other fields that are missing
    /// count as empty.
    #[must_use]
    pub fn of(enr: &Enr) -> Option<Self> {
        let ip4 = enr.ip4().map(|ip| Endpoint { ip, udp: enr.udp4(), tcp: enr.tcp4(), quic: enr.quic4() });
        let ip6 = enr.ip6().map(|ip| Endpoint { ip, udp: enr.udp6(), tcp: enr.tcp6(), quic: enr.quic6() });
        Some(Self {
            eth2: enr.eth2()?,
            attnets: enr.attnets().unwrap_or_default(),
            syncnets: enr.syncnets().unwrap_or_default(),
            cgc: enr.cgc().unwrap_or_default(),
            nfd: enr.nfd().unwrap_or_default(),
            ip4,
            ip6,
        })
    }

    /// # Errors
    /// [`EnrError::UnusableAddress`] for an endpoint that nobody could dial.
    fn check(&self) -> Result<(), EnrError> {
        let bad4 = self.ip4.filter(|at| !at.is_dialable()).map(|at| IpAddr::V4(at.ip));
        let bad6 = self.ip6.filter(|at| !at.is_dialable()).map(|at| IpAddr::V6(at.ip));
        bad4.or(bad6).map_or(Ok(()), |ip| Err(EnrError::UnusableAddress { ip }))
    }
}

/// Why our own record could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EnrError {
    /// Unspecified, multicast and the like, or port 0: peers abort on such records.
    #[error("cannot advertise {ip} or one of its ports: give a reachable one with --enr-address and --enr-*-port")]
    UnusableAddress {
        /// The address.
        ip: IpAddr,
    },
    /// A record is at most [`MAX_ENR_SIZE`] bytes.
    #[error("the record exceeds 300 bytes")]
    TooLarge,
    /// The previous record carries the last sequence number, 2^64 - 1.
    #[error("the record's sequence numbers are exhausted: start with a new identity")]
    SequenceExhausted,
    /// The record to change carries no fork, so it was not written by [`build_enr`].
    #[error("the local record has no eth2 field")]
    NoFork,
    /// The key could not sign.
    #[error("the record could not be signed")]
    Signing(#[source] enr::Error),
}

impl Classify for EnrError {
    fn fault(&self) -> Fault {
        match self {
            Self::UnusableAddress { .. }
            | Self::TooLarge
            | Self::SequenceExhausted
            | Self::NoFork
            | Self::Signing(_) => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::UnusableAddress { .. } => "unusable_address",
            Self::TooLarge => "too_large",
            Self::SequenceExhausted => "sequence_exhausted",
            Self::NoFork => "no_fork",
            Self::Signing(_) => "signing",
        }
    }
}

/// Writes and signs our own record.
///
/// The sequence number rises with the content and only with it: when `content` is what `previous` says already,
/// `previous` is returned; otherwise the new record follows it by one, or starts at 1.
///
/// # Errors
/// [`EnrError::UnusableAddress`] names a mistake of the operator; the others are not expected.
pub fn build_enr(key: &CombinedKey, previous: Option<&Enr>, content: &EnrContent) -> Result<Enr, EnrError> {
    content.check()?;
    let Some(previous) = previous else {
        return sign(key, 1, content);
    };
    let same_seq = sign(key, previous.seq(), content)?;
    if same_seq.compare_content(previous) {
        return Ok(previous.clone());
    }
    sign(key, previous.seq().checked_add(1).ok_or(EnrError::SequenceExhausted)?, content)
}

fn sign(key: &CombinedKey, seq: u64, content: &EnrContent) -> Result<Enr, EnrError> {
    let mut builder = Enr::builder();
    builder.seq(seq);
    builder.add_value(ETH2, &content.eth2.as_ssz_bytes().as_slice());
    builder.add_value(ATTNETS, &content.attnets.as_ssz_bytes().as_slice());
    builder.add_value(SYNCNETS, &content.syncnets.as_ssz_bytes().as_slice());
    builder.add_value(CGC, &content.cgc);
    builder.add_value(NFD, &content.nfd.0);
    if let Some(at) = content.ip4 {
        builder.ip4(at.ip);
        at.udp.map(|port| builder.udp4(port));
        at.tcp.map(|port| builder.tcp4(port));
        at.quic.map(|port| builder.add_value(QUIC, &port));
    }
    if let Some(at) = content.ip6 {
        builder.ip6(at.ip);
        at.udp.map(|port| builder.udp6(port));
        at.tcp.map(|port| builder.tcp6(port));
        at.quic.map(|port| builder.add_value(QUIC6, &port));
    }
    match builder.build(key) {
        Ok(enr) if enr.size() > MAX_ENR_SIZE => Err(EnrError::TooLarge),
        Ok(enr) => Ok(enr),
        Err(enr::Error::ExceedsMaxSize) => Err(EnrError::TooLarge),
        Err(err) => Err(EnrError::Signing(err)),
    }
}

/// Whether anybody could open a connection to this address.
fn is_dialable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => {
            !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some())
        }
    }
}

fn open(port: Option<u16>) -> Option<u16> {
    port.filter(|port| *port != 0)
}

fn address(ip: IpAddr, rest: &[Protocol<'static>]) -> Multiaddr {
    std::iter::once(ip.into()).chain(rest.iter().cloned()).collect()
}

/// A field that must be a byte string of exactly `N` bytes.
fn bytes_of<const N: usize>(enr: &Enr, key: &str) -> Option<[u8; N]> {
    enr.get_decodable(key)?.ok()
}

#[cfg(test)]
pub(super) mod tests;
