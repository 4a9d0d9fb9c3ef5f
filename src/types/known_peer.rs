//! A peer that an operator or a record names: an ENR or a multiaddr with a peer id.

use std::fmt;
use std::str::FromStr;

use enr::CombinedPublicKey;
use enr::k256::ecdsa::VerifyingKey;
use libp2p::identity::{PublicKey, secp256k1};
use libp2p::multiaddr::Protocol;

use super::{Enr, Multiaddr, NodeId, PeerId};

/// A peer given by flag, file or API: what `add_known_peer` takes.
#[derive(Clone, Debug, PartialEq)]
pub enum KnownPeer {
    /// A signed record; feeds the routing table and the dialler.
    Enr(Box<Enr>),
    /// An address that ends in `/p2p/PEER_ID`; feeds the dialler alone.
    Multiaddr {
        /// The identity that the connection must prove.
        peer_id: PeerId,
        /// The address without its `/p2p` part.
        address: Multiaddr,
    },
}

/// Why a text names no peer.
#[derive(Debug, thiserror::Error)]
pub enum KnownPeerError {
    /// Starts like a record, but does not decode or its signature is wrong.
    #[error("bad ENR: {0}")]
    Enr(String),
    /// Starts like a multiaddr, but does not parse.
    #[error("bad multiaddr")]
    Multiaddr(#[from] libp2p::multiaddr::Error),
    /// A multiaddr without an identity cannot be verified.
    #[error("the multiaddr does not end in /p2p/PEER_ID")]
    NoPeerId,
    /// Neither form.
    #[error("neither an ENR (enr:…) nor a multiaddr (/ip4/…)")]
    Neither,
}

impl KnownPeer {
    /// The libp2p identity; `None` for a record whose key libp2p cannot use.
    #[must_use]
    pub fn peer_id(&self) -> Option<PeerId> {
        match self {
            Self::Enr(enr) => enr_peer_id(enr),
            Self::Multiaddr { peer_id, .. } => Some(*peer_id),
        }
    }
}

impl KnownPeer {
    /// Where its record can be asked for, if the address is one of discovery: an IP and `/udp/PORT` alone.
    #[must_use]
    pub fn discovery_address(&self) -> Option<Multiaddr> {
        let Self::Multiaddr { peer_id, address } = self else { return None };
        let mut parts = address.iter();
        let is_it = matches!(
            (parts.next(), parts.next(), parts.next()),
            (Some(Protocol::Ip4(_) | Protocol::Ip6(_)), Some(Protocol::Udp(_)), None)
        );
        is_it.then(|| address.clone().with(Protocol::P2p(*peer_id)))
    }
}

impl FromStr for KnownPeer {
    type Err = KnownPeerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.starts_with("enr:") {
            return text.parse().map(|enr| Self::Enr(Box::new(enr))).map_err(KnownPeerError::Enr);
        }
        if !text.starts_with('/') {
            return Err(KnownPeerError::Neither);
        }
        let mut address: Multiaddr = text.parse()?;
        match address.pop() {
            Some(Protocol::P2p(peer_id)) if !address.is_empty() => Ok(Self::Multiaddr { peer_id, address }),
            _ => Err(KnownPeerError::NoPeerId),
        }
    }
}

impl fmt::Display for KnownPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enr(enr) => f.write_str(&enr.to_base64()),
            Self::Multiaddr { peer_id, address } => write!(f, "{address}/p2p/{peer_id}"),
        }
    }
}

/// The libp2p peer id of a record's key; `None` unless it is secp256k1.
#[must_use]
pub fn enr_peer_id(enr: &Enr) -> Option<PeerId> {
    // the compressed key as it stands in the record, 33 bytes behind one byte of RLP
    let key = enr.get_raw_rlp("secp256k1")?.get(1..)?;
    Some(PeerId::from_public_key(&secp256k1::PublicKey::try_from_bytes(key).ok()?.into()))
}

/// The discv5 node id of a peer id; `None` unless it holds a secp256k1 key.
#[must_use]
pub fn peer_node_id(peer_id: &PeerId) -> Option<NodeId> {
    // an identity multihash: two bytes, then the key as libp2p encodes it
    let key = PublicKey::try_decode_protobuf(peer_id.to_bytes().get(2..)?).ok()?.try_into_secp256k1().ok()?;
    let key = VerifyingKey::from_sec1_bytes(&key.to_bytes()).ok()?;
    Some(CombinedPublicKey::from(key).into())
}

#[cfg(test)]
mod tests {
    use enr::CombinedKey;

    use super::*;

    #[test]
    fn a_peer_id_gives_the_node_id_of_the_same_key() {
        for _ in 0..20 {
            let enr = Enr::builder().build(&CombinedKey::generate_secp256k1()).unwrap();
            assert_eq!(peer_node_id(&enr_peer_id(&enr).unwrap()), Some(enr.node_id()));
        }
        let other = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
        assert_eq!(peer_node_id(&other), None);
        assert_eq!(peer_node_id(&PeerId::from_bytes(&[0, 2, 1, 2]).unwrap()), None);
    }
}
