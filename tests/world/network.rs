//! The network that is simulated: 50,000 records, of which 20,000 are of nodes that live, and what they answer.
//!
//! Made of a seed alone. Knows neither time nor the manager; the benchmark's plain loop lives in it too.

use std::time::Duration;

use beacond::peers::{Candidate, Cause, Cover, Source};
use beacond::types::{Attnets, MetaData, Multiaddr, NodeId, PeerId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Records in the DHT.
pub(crate) const RECORDS: u32 = 50_000;
/// The share of them whose node lives: 20,000.
const LIVE: f64 = 0.4;
/// The share on another fork, which their record mostly says.
const OTHER_FORK: f64 = 1.0 / 3.0;
/// The share of those whose record does not say so yet.
const STALE_RECORD: f64 = 0.05;
/// The share of live nodes that have no place: with the dead ones, two of three dials fail.
const FULL: f64 = 0.17;
/// Records that one lookup comes across.
const VISITED: usize = 64;
/// Records that one lookup returns.
const RETURNED: usize = 16;

/// One node, as it is and not as its record says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) live: bool,
    pub(crate) other_fork: bool,
    pub(crate) says_so: bool,
    pub(crate) cover: Cover,
    /// Its IPv4 address.
    pub(crate) ip: u32,
}

/// Every node.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
}

/// What becomes of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ready,
    Failed { cause: Cause, silent: bool },
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let nodes = (0..RECORDS)
            .map(|n| {
                let other_fork = rng.random_bool(OTHER_FORK);
                // two subnets each: with 13,333 live nodes on our fork, 417 nodes for each of 64
                let first = rng.random_range(0..64);
                let second = (first + rng.random_range(1..64)) % 64;
                let syncnets = if rng.random_bool(0.05) { 1 << rng.random_range(0..4) } else { 0 };
                let columns = columns(&node_id(n), 4);
                Node {
                    live: rng.random_bool(LIVE),
                    other_fork,
                    says_so: other_fork && !rng.random_bool(STALE_RECORD),
                    cover: Cover { attnets: 1 << first | 1 << second, syncnets, columns },
                    // 20,000 networks of a few hosts each, all public
                    ip: 0x2000_0000 + rng.random_range(0..20_000) * 256 + rng.random_range(1..255),
                }
            })
            .collect();
        Self { nodes }
    }

    pub(crate) fn node(&self, n: u32) -> &Node {
        &self.nodes[n as usize]
    }

    /// What a lookup returns, after the predicate: nodes of our fork, as far as records say, that cover one of these.
    pub(crate) fn lookup(&self, cover: Option<Cover>, rng: &mut impl Rng) -> Vec<u32> {
        let visited = (0..VISITED).map(|_| rng.random_range(0..RECORDS));
        let fits = |n: &u32| {
            let node = self.node(*n);
            !node.says_so && cover.is_none_or(|cover| !(cover & node.cover).is_empty())
        };
        match cover {
            None => visited.take(RETURNED).filter(fits).collect(),
            Some(_) => visited.filter(fits).take(RETURNED).collect(),
        }
    }

    /// What becomes of a dial while the link is up, and after how long.
    pub(crate) fn dial(&self, n: u32, rng: &mut impl Rng) -> (Answer, Duration) {
        let node = self.node(n);
        let soon = Duration::from_millis(rng.random_range(100..1_500));
        if !node.live {
            return unanswered();
        }
        let answer = if node.other_fork {
            Answer::Failed { cause: Cause::Incompatible, silent: false }
        } else if rng.random_bool(FULL) {
            Answer::Failed { cause: Cause::TooManyPeers, silent: false }
        } else {
            Answer::Ready
        };
        (answer, soon)
    }

    pub(crate) fn candidate(&self, n: u32, source: Source) -> Candidate {
        Candidate { peer_id: peer_id(n), addresses: vec![self.address(n)], source }
    }

    pub(crate) fn address(&self, n: u32) -> Multiaddr {
        let ip = std::net::Ipv4Addr::from_bits(self.node(n).ip);
        format!("/ip4/{ip}/tcp/9000").parse().unwrap()
    }

    pub(crate) fn metadata(&self, n: u32) -> MetaData {
        let mut attnets = Attnets::default();
        for subnet in 0..64 {
            attnets.set(subnet, self.node(n).cover.attnets >> subnet & 1 == 1).unwrap();
        }
        MetaData { attnets, custody_group_count: Some(4), ..MetaData::default() }
    }
}

/// A dial that nobody answers.
pub(crate) fn unanswered() -> (Answer, Duration) {
    (Answer::Failed { cause: Cause::Transient, silent: true }, Duration::from_secs(10))
}

pub(crate) fn peer_id(n: u32) -> PeerId {
    let [a, b, c, d] = n.to_be_bytes();
    PeerId::from_bytes(&[0, 4, a, b, c, d]).unwrap()
}

pub(crate) fn number(peer_id: &PeerId) -> u32 {
    let bytes = peer_id.to_bytes();
    u32::from_be_bytes(bytes[2..6].try_into().unwrap())
}

pub(crate) fn node_id(n: u32) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    NodeId::new(&bytes)
}

/// So many columns, drawn from the node id; not as the specification draws them, which is slower.
pub(crate) fn columns(node_id: &NodeId, count: u64) -> u128 {
    let mut state = u64::from_be_bytes(node_id.raw()[..8].try_into().unwrap());
    let mut columns = 0_u128;
    while u64::from(columns.count_ones()) < count.min(128) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        columns |= 1 << (state >> 57);
    }
    columns
}
