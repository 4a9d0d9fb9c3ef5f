//! Our own record while discv5 runs: the one place that changes it, besides the service's address votes.
//!
//! The service rewrites IP and UDP port by itself when enough peers agree on them. It knows nothing of libp2p's
//! ports and may agree on nonsense, so every such change is looked over here before it is published.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::discv5::Discv5;
use enr::CombinedKey;
use tokio::sync::watch;
use tracing::debug;

use super::super::enr::{Endpoint, EnrContent, EnrError, build_enr};
use super::EnrUpdateReason;
use crate::events::{Events, NodeEvent};
use crate::types::Enr;

/// libp2p's ports as the outside sees them over one family, where the operator gave no address.
///
/// A guess: peers report our UDP address alone, and a router may map TCP and QUIC elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicPorts {
    /// libp2p over TCP.
    pub tcp: Option<u16>,
    /// libp2p over QUIC, a UDP port.
    pub quic: Option<u16>,
}

/// Our record: what the service hands to peers, and what is published to the node.
pub(super) struct LocalRecord {
    discv5: Arc<Discv5>,
    key: CombinedKey,
    ports4: PublicPorts,
    ports6: PublicPorts,
    published: watch::Sender<Enr>,
    events: Events,
}

impl LocalRecord {
    pub(super) fn new(
        discv5: Arc<Discv5>,
        key: CombinedKey,
        ports: (PublicPorts, PublicPorts),
        events: Events,
    ) -> Self {
        let published = watch::Sender::new(discv5.local_enr());
        Self { discv5, key, ports4: ports.0, ports6: ports.1, published, events }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Enr> {
        self.published.subscribe()
    }

    /// Changes the record; see [`Discovery::update_enr`](super::Discovery::update_enr).
    pub(super) fn update(
        &self,
        reason: EnrUpdateReason,
        change: &mut dyn FnMut(&mut EnrContent),
    ) -> Result<Enr, EnrError> {
        let mut news = Vec::new();
        let result = {
            // the service's lock, so that a vote and this change cannot undo each other
            let shared = self.discv5.external_enr();
            let mut record = shared.write();
            self.absorb(&mut record, &mut news);
            self.rewrite(&mut record, reason, change, &mut news)
        };
        self.emit(news);
        result
    }

    /// Takes up what the service changed since the last call, if anything.
    pub(super) fn sync(&self) {
        let mut news = Vec::new();
        {
            let shared = self.discv5.external_enr();
            if shared.read().seq() == self.published.borrow().seq() {
                return;
            }
            self.absorb(&mut shared.write(), &mut news);
        }
        self.emit(news);
    }

    fn rewrite(
        &self,
        record: &mut Enr,
        reason: EnrUpdateReason,
        change: &mut dyn FnMut(&mut EnrContent),
        news: &mut Vec<NodeEvent>,
    ) -> Result<Enr, EnrError> {
        let mut content = EnrContent::of(record).ok_or(EnrError::NoFork)?;
        change(&mut content);
        let enr = build_enr(&self.key, Some(record), &content)?;
        if enr != *record {
            *record = enr;
            self.publish(record, reason, news);
        }
        Ok(record.clone())
    }

    /// Looks over what the service changed: completes a new address with libp2p's ports, or takes it back.
    fn absorb(&self, record: &mut Enr, news: &mut Vec<NodeEvent>) {
        let before = self.published.borrow().clone();
        if record.seq() == before.seq() {
            return;
        }
        let (Some(old), Some(learned)) = (EnrContent::of(&before), EnrContent::of(record)) else {
            return;
        };
        let ip4 = complete(old.ip4, learned.ip4, self.ports4);
        let ip6 = complete(old.ip6, learned.ip6, self.ports6);
        match build_enr(&self.key, Some(record), &EnrContent { ip4, ip6, ..learned }) {
            Ok(enr) => *record = enr,
            Err(err) => debug!(error = %err, "the record with the learned address could not be written"),
        }
        news.extend(address_change(old.ip4, ip4));
        news.extend(address_change(old.ip6, ip6));
        self.publish(record, EnrUpdateReason::Address, news);
    }

    fn publish(&self, enr: &Enr, reason: EnrUpdateReason, news: &mut Vec<NodeEvent>) {
        self.published.send_replace(enr.clone());
        news.push(NodeEvent::EnrUpdated { seq: enr.seq(), reason: reason.as_str(), enr: enr.to_base64() });
    }

    /// Outside the lock: observers must not hold up the service.
    fn emit(&self, news: Vec<NodeEvent>) {
        for event in news {
            self.events.emit(event);
        }
    }
}

/// An address that the service learned, with libp2p's ports: those advertised so far, else the guess. One that
/// nobody could dial yields to the old one. None is one that the service withdrew, since nobody came to it.
fn complete<Ip: Copy + Into<IpAddr>>(
    old: Option<Endpoint<Ip>>,
    learned: Option<Endpoint<Ip>>,
    guess: PublicPorts,
) -> Option<Endpoint<Ip>> {
    let learned = learned?;
    if !learned.is_dialable() {
        return old;
    }
    let ports = old.map_or(guess, |at| PublicPorts { tcp: at.tcp, quic: at.quic });
    Some(Endpoint { tcp: ports.tcp, quic: ports.quic, ..learned })
}

fn address_change<Ip: Copy + Into<IpAddr>>(old: Option<Endpoint<Ip>>, new: Option<Endpoint<Ip>>) -> Option<NodeEvent> {
    let socket = |at: Endpoint<Ip>| Some(SocketAddr::new(at.ip.into(), at.udp?));
    let (old, new) = (old.and_then(socket), new.and_then(socket)?);
    (old != Some(new)).then(|| NodeEvent::DiscoveryAddressChanged { address: new.to_string() })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const GUESS: PublicPorts = PublicPorts { tcp: Some(9000), quic: Some(9001) };

    fn at(ip: [u8; 4], tcp: Option<u16>, quic: Option<u16>) -> Option<Endpoint<Ipv4Addr>> {
        Some(Endpoint { ip: ip.into(), udp: Some(30303), tcp, quic })
    }

    #[test]
    fn a_learned_address_gets_the_ports_advertised_so_far_or_the_guess() {
        let learned = at([1, 2, 3, 4], None, None);
        assert_eq!(complete(None, learned, GUESS), at([1, 2, 3, 4], Some(9000), Some(9001)));
        let old = at([4, 3, 2, 1], Some(4000), None);
        assert_eq!(complete(old, learned, GUESS), at([1, 2, 3, 4], Some(4000), None));
    }

    #[test]
    fn a_learned_address_that_nobody_could_dial_yields_to_the_old_one() {
        let old = at([4, 3, 2, 1], Some(4000), None);
        assert_eq!(complete(old, at([0, 0, 0, 0], None, None), GUESS), old);
        assert_eq!(complete(None, at([224, 0, 0, 1], None, None), GUESS), None);
    }

    #[test]
    fn an_address_that_the_service_withdrew_is_gone() {
        assert_eq!(complete(at([4, 3, 2, 1], Some(4000), None), None, GUESS), None);
    }

    #[test]
    fn only_another_udp_address_is_news() {
        let (old, new) = (at([1, 2, 3, 4], None, None), at([1, 2, 3, 4], Some(1), Some(2)));
        assert_eq!(address_change(old, new), None);
        let news = address_change(None, new);
        assert_eq!(news, Some(NodeEvent::DiscoveryAddressChanged { address: "1.2.3.4:30303".into() }));
    }
}
