//! The catalogue of everything that happens: one variant, one name, one level, typed fields.
//!
//! This table is an API. Adding an event or a field is fine; renaming or removing one breaks those who read
//! the logs. `tests/events.rs` renders it, so that a change shows in review.

use super::macros::catalogue;
use crate::fault::Fault;
use crate::types::{
    Client, Direction, Epoch, ForkDigest, ForkName, GossipTopic, MessageId, Muxer, PeerId, Root, Slot, TopicKind,
    Transport,
};

catalogue! {
    /// The node listens on every transport and knows who it is.
    NodeStarted = "node.started", INFO {
        /// libp2p identity.
        peer_id: PeerId,
        /// discv5 identity, hex.
        node_id: String,
        /// Own record, as text.
        enr: String,
        /// Listening multiaddrs with our peer id, comma-separated.
        addresses: String,
        /// Network name.
        network: String,
        /// Fork in force.
        fork: ForkName,
        /// Digest in force.
        fork_digest: ForkDigest,
        /// Program version.
        version: String,
        /// From reading the configuration to listening.
        duration_ms: u64,
    }
    /// The node starts, but not as it was probably meant to.
    NodeWarned = "node.warned", WARN {
        /// `unknown_variable`, `no_discovery`, `nobody_to_dial`, `few_columns`, `few_open_files`, `no_ipv6_route`.
        reason: &'static str,
        /// What follows from it, and what to change.
        advice: String,
    }
    /// Metrics are served from now on.
    MetricsOpened = "metrics.opened", INFO {
        /// TCP socket address.
        address: String,
    }
    /// Genesis lies ahead; nothing is dialled until then.
    NodeWaitingForGenesis = "node.waiting_for_genesis", INFO {
        /// Seconds since the Unix epoch.
        genesis_time: u64,
        /// Seconds until genesis.
        remaining_s: u64,
    }
    /// Once a slot: how the node is.
    NodeHeartbeat = "node.heartbeat", INFO {
        /// Wall slot.
        slot: Slot,
        /// Wall epoch.
        epoch: Epoch,
        /// Ready peers.
        peers: usize,
        /// Ready peers that dialled us.
        inbound: usize,
        /// Ready peers that we dialled.
        outbound: usize,
        /// Attempts under way.
        dialing: usize,
        /// Candidates waiting to be dialled.
        queued: usize,
        /// Records in the routing table.
        table_size: usize,
        /// Digest in force.
        fork_digest: ForkDigest,
    }
    /// Shutdown began.
    NodeStopping = "node.stopping", INFO {
        /// `signal`, or the name of the critical task that ended.
        reason: String,
    }
    /// Shutdown is complete.
    NodeStopped = "node.stopped", INFO {
        /// Peers that were told goodbye.
        goodbyes: usize,
        /// From the first word of shutdown to the last.
        duration_ms: u64,
    }
    /// A listener has lost an address: an interface went away, or changed.
    ListenExpired = "listen.expired", DEBUG {
        /// The address that is no more.
        address: String,
    }
    /// A listener is open.
    ListenOpened = "listen.opened", DEBUG {
        /// Multiaddr.
        address: String,
    }
    /// A listener closed while the node was running.
    ListenClosed = "listen.closed", WARN {
        /// Multiaddrs, comma-separated.
        addresses: String,
        /// Cause.
        error: String,
    }
    /// Our own record changed.
    EnrUpdated = "enr.updated", INFO {
        /// Sequence number of the new record.
        seq: u64,
        /// Why: `fork`, `address`, `ports`, `subnets`.
        reason: &'static str,
        /// The record, as text.
        enr: String,
    }
    /// A random walk ended.
    DiscoveryLookupFinished = "discovery.lookup_finished", DEBUG {
        /// How long it took.
        duration_ms: u64,
        /// Records that it returned.
        found: usize,
        /// Records that passed the predicate.
        accepted: usize,
        /// Records refused by the predicate.
        refused: usize,
        /// Records in the routing table.
        table_size: usize,
        /// Subnets and columns that it was for; 0 for a random one.
        wanted: u64,
    }
    /// A record was refused as a dial candidate.
    DiscoveryRefused = "discovery.refused", TRACE {
        /// discv5 identity, hex.
        node_id: String,
        /// `no_eth2`, `wrong_fork`, `no_address`, `no_transport`, `bad_key`, `self`.
        reason: &'static str,
    }
    /// The routing table ran thin and the bootnodes were added again.
    DiscoveryReseeded = "discovery.reseeded", DEBUG {
        /// Bootnodes added.
        bootnodes: usize,
        /// Records in the routing table afterwards.
        table_size: usize,
    }
    /// Peers agree on another external address of ours.
    DiscoveryAddressChanged = "discovery.address_changed", INFO {
        /// UDP socket address.
        address: String,
    }
    /// The router maps a port to us; at first, and when the mapping changes.
    NatMapped = "nat.mapped", INFO {
        /// `tcp`, `quic`, `discovery`.
        service: &'static str,
        /// The router's address towards the internet.
        ip: String,
        /// The port that we listen on.
        internal_port: u64,
        /// The port at the router.
        external_port: u64,
    }
    /// No port could be mapped; said once until the reason changes. It is tried again every 15 minutes.
    NatFailed = "nat.failed", DEBUG {
        /// `no_gateway`, `stranger` (what answers is not in our network), `not_public` (the router is behind another
        /// one), `timeout`, `refused`.
        reason: &'static str,
        /// Cause.
        error: String,
    }
    /// A host name of `--enr-address` has another address.
    NetworkHostResolved = "network.host_resolved", INFO {
        /// The name, as given.
        host: String,
        /// `ip4`, `ip6`.
        family: &'static str,
        /// Its address now; our record follows.
        ip: String,
    }
    /// A host name of `--enr-address` could not be resolved; its last address stays. Said once until it can be.
    NetworkHostUnresolved = "network.host_unresolved", WARN {
        /// The name, as given.
        host: String,
        /// Cause.
        error: String,
    }
    /// Whether others reach us over one family and transport is known, or has changed.
    NetworkReachability = "network.reachability", INFO {
        /// `ip4`, `ip6`.
        family: &'static str,
        /// `tcp`, `quic`, `discovery`.
        service: &'static str,
        /// `unknown`, `reachable`, `unreachable`.
        verdict: &'static str,
        /// What it rests on: `inbound` (peers came from the internet), `nobody_came` (nobody did, for long enough),
        /// `address_changed` (what was known is of another address), `stale` (nobody came lately).
        reason: &'static str,
        /// The advertised address, if there is one.
        ip: Option<String>,
    }
    /// Datagrams that are not discv5 arrived; at most one event a second.
    DiscoveryGarbage = "discovery.garbage", DEBUG {
        /// Datagrams since the last such event.
        datagrams: u64,
    }
    /// An attempt to connect began.
    DialStarted = "dial.started", TRACE {
        /// Who is dialled.
        peer_id: PeerId,
        /// Multiaddrs, comma-separated.
        addresses: String,
    }
    /// An attempt to connect failed.
    DialFailed = "dial.failed", DEBUG {
        /// Who was dialled.
        peer_id: PeerId,
        /// `timeout`, `refused`, `unreachable`, `closed`, `no_transport`, `no_muxer`, `negotiation`, `noise`, `muxer`, `quic`,
        /// `dns`, `wrong_peer_id`, `self`, `denied`, `aborted`, `other`.
        reason: &'static str,
        /// Who is to blame.
        fault: Fault,
        /// Cause, all addresses.
        error: String,
        /// How long it took.
        duration_ms: u64,
        /// When the peer may be dialled again.
        retry_in_ms: u64,
        /// Whether the peer is a bootstrap node.
        bootstrap: bool,
    }
    /// A connection is secured and multiplexed; handshakes begin.
    PeerConnected = "peer.connected", DEBUG {
        /// Who is at the other end.
        peer_id: PeerId,
        /// Who dialled.
        direction: Direction,
        /// What carries the bytes.
        transport: Transport,
        /// What carries the streams.
        muxer: Muxer,
        /// Remote multiaddr.
        address: String,
        /// From dial to upgraded connection; zero when inbound.
        duration_ms: u64,
    }
    /// Every handshake step passed; the peer is ready.
    HandshakeCompleted = "handshake.completed", INFO {
        /// Who is ready.
        peer_id: PeerId,
        /// Client software.
        client: Client,
        /// Agent string, truncated to 128 bytes and escaped.
        agent: String,
        /// Who dialled.
        direction: Direction,
        /// What carries the bytes.
        transport: Transport,
        /// What carries the streams.
        muxer: Muxer,
        /// From dial to upgraded connection; zero when inbound.
        dial_ms: f64,
        /// Until the peer's Status was known: by its own request if it dialled, or by ours.
        status_ms: f64,
        /// Metadata exchange; beside it runs the ping.
        metadata_ms: f64,
        /// Until a sequence number was known: by the peer's Ping if it dialled, or by its answer to ours.
        ping_ms: f64,
        /// From upgraded connection to ready.
        duration_ms: f64,
        /// The peer's head.
        head_slot: Slot,
        /// The peer's finalized checkpoint.
        finalized_epoch: Epoch,
        /// The peer's custody group count.
        custody_group_count: Option<u64>,
        /// Whether the peer speaks gossipsub, by its list of protocols; absent when identify is late.
        gossipsub: Option<bool>,
        /// Whether the peer is a bootstrap node.
        bootstrap: bool,
    }
    /// A handshake step refused the peer, or broke.
    HandshakeRejected = "handshake.rejected", INFO {
        /// Who was refused.
        peer_id: PeerId,
        /// The step that ended it: `status`, `metadata`, `ping`, `limits`, `deadline`, or `end` when the peer left as
        /// soon as all had passed.
        step: &'static str,
        /// What we found, `snake_case`; `goodbye_received` when we found nothing and the peer said goodbye.
        reason: &'static str,
        /// Who is to blame.
        fault: Fault,
        /// Cause.
        error: String,
        /// The code of the goodbye received or sent, if any.
        goodbye_code: Option<u64>,
        /// Client software.
        client: Client,
        /// Who dialled.
        direction: Direction,
        /// What carries the bytes.
        transport: Transport,
        /// From upgraded connection to refusal.
        duration_ms: u64,
        /// Whether the peer is a bootstrap node.
        bootstrap: bool,
    }
    /// A ready peer is gone.
    PeerDisconnected = "peer.disconnected", INFO {
        /// Who is gone.
        peer_id: PeerId,
        /// Client software.
        client: Client,
        /// Who had dialled.
        direction: Direction,
        /// What carried the bytes.
        transport: Transport,
        /// `closed_by_peer`, `connection_lost`, `goodbye_received`, `ping_timeout`, `shutdown`, `duplicate` (both sides had
        /// dialled, and the peer gave this connection up before the other one was ready), or what was
        /// wrong with a later Status: `wrong_fork_digest`, `finalized_conflict`, `finalized_in_future`, `head_in_future`,
        /// `finalized_after_head`; what counts against it, as in `peer.penalized`; `banned`, `ip_banned`; or why it was
        /// pruned, see `beacond::peers::PruneReason`.
        reason: &'static str,
        /// The code of the goodbye received or sent, if any.
        goodbye_code: Option<u64>,
        /// From ready to gone.
        session_ms: u64,
    }
    /// A peer did something that counts against it.
    PeerPenalized = "peer.penalized", DEBUG {
        /// Who.
        peer_id: PeerId,
        /// `handshake`, `request`, `gossip_score`, `slow`.
        deed: &'static str,
        /// Its score now; 0 is clean, it is left below -20 and banned below -50, and half of it is forgotten in 10 minutes.
        score: f64,
        /// `good`, `left`, `banned`.
        standing: &'static str,
    }
    /// A peer, or everybody at an address, is neither dialled nor let in for a while.
    PeerBanned = "peer.banned", INFO {
        /// Who, if it is one peer.
        peer_id: Option<PeerId>,
        /// From where, if it is everybody there: an address, or the /64 of an IPv6 one.
        network: Option<String>,
        /// Until the ban ends by itself.
        duration_ms: u64,
    }
    /// A ban is over.
    PeerUnbanned = "peer.unbanned", DEBUG {
        /// Who, if it was one peer.
        peer_id: Option<PeerId>,
        /// From where, if it was everybody there.
        network: Option<String>,
    }
    /// Once a slot: where peers stand.
    PeersSummarized = "peers.summarized", DEBUG {
        /// The slot that began.
        slot: Slot,
        /// Ready peers that dialled us.
        inbound: usize,
        /// Ready peers that we dialled.
        outbound: usize,
        /// Attempts of ours under way.
        connecting: usize,
        /// Peers that dialled us and shake hands.
        connected: usize,
        /// Peers that wait to be dialled, or back off.
        queued: usize,
        /// Peers banned by their id.
        banned: usize,
        /// Peers that are remembered for having failed, left, or done something that counts against them.
        remembered: usize,
        /// Connections of ready peers, second ones included.
        sessions: usize,
        /// Attempts under way, of either direction.
        attempts: usize,
        /// Connections of which something that was said is kept for their handshakes.
        heard: usize,
        /// Subnets and columns that we want and nobody covers.
        bare: u64,
        /// Subnets and columns that fewer cover than are enough, the bare ones included.
        thin: u64,
        /// Ready peers by client, such as `lighthouse=12,teku=3`.
        clients: String,
        /// Ready peers by transport.
        transports: String,
        /// Attempts of either direction that came to nothing since the last summary, by reason.
        refusals: String,
    }
    /// We suspect ourselves rather than our peers, or no more: meanwhile nobody is charged for anything.
    NetworkSuspect = "network.suspect", WARN {
        /// `began`, `ended`.
        state: &'static str,
        /// What looks wrong: see `beacond::peers::Suspicion`.
        cause: &'static str,
        /// Since the first sign of it.
        duration_ms: u64,
        /// Ready peers that are left.
        peers: usize,
    }
    /// The peer stays ready over a newer or preferred connection, and the other is closed.
    PeerReplaced = "peer.replaced", DEBUG {
        /// Who is still ready.
        peer_id: PeerId,
        /// Client software, as told by the connection that stays.
        client: Client,
        /// Who dialled the connection that stays.
        direction: Direction,
        /// What carries the bytes of the connection that stays.
        transport: Transport,
        /// Client software, as told by the connection that goes.
        former_client: Client,
        /// Who dialled the connection that goes.
        former_direction: Direction,
        /// What carried the bytes of the connection that goes.
        former_transport: Transport,
    }
    /// An inbound connection died before it was secured and multiplexed.
    ConnectionFailed = "connection.failed", DEBUG {
        /// Remote multiaddr.
        address: String,
        /// As of `dial.failed`.
        reason: &'static str,
        /// Who is to blame.
        fault: Fault,
        /// Cause.
        error: String,
    }
    /// A peer's request could not be served.
    RpcRejected = "rpc.rejected", DEBUG {
        /// Who asked.
        peer_id: PeerId,
        /// Method, without prefix and encoding, such as `status/2`.
        method: &'static str,
        /// What was wrong, `snake_case`.
        reason: &'static str,
        /// Who is to blame.
        fault: Fault,
        /// Cause.
        error: String,
    }
    /// What a peer said (Status, Ping or Goodbye) was answered, but the node was too busy to note it.
    RpcReportDropped = "rpc.report_dropped", DEBUG {
        /// Who said it.
        peer_id: PeerId,
        /// `status`, `ping`, `goodbye`.
        kind: &'static str,
    }
    /// A peer's request was answered.
    RpcServed = "rpc.served", TRACE {
        /// Who asked.
        peer_id: PeerId,
        /// Method.
        method: &'static str,
        /// Chunks of the answer.
        chunks: usize,
        /// SSZ of them all.
        ssz_bytes: usize,
        /// From stream to last byte.
        duration_ms: f64,
    }
    /// One of our requests ended.
    RpcRequestFinished = "rpc.request_finished", TRACE {
        /// Who was asked.
        peer_id: PeerId,
        /// Method that was negotiated.
        method: &'static str,
        /// `ok`, or what went wrong, `snake_case`.
        result: &'static str,
        /// Chunks of the answer.
        chunks: usize,
        /// SSZ of them all.
        ssz_bytes: usize,
        /// From opening the stream to the last byte.
        duration_ms: f64,
    }
    /// The set of joined gossip topics changed: at start, around forks, and when subnets rotate.
    GossipTopicsChanged = "gossip.topics_changed", INFO {
        /// Topics joined now.
        joined: usize,
        /// Topics left now.
        left: usize,
        /// Topics held from now on.
        topics: usize,
        /// Digests of those topics, comma-separated.
        fork_digests: String,
        /// Attestation subnets among them, comma-separated.
        attestation_subnets: String,
        /// Data columns among them, comma-separated.
        data_columns: String,
    }
    /// A gossip message was judged. Of attestations, aggregates, sync messages, contributions, payload attestations and
    /// bids the share that `--gossip-sample` names, chosen by message id; of all else every one.
    GossipReceived = "gossip.received", DEBUG {
        /// Where it was sent.
        topic: GossipTopic,
        /// What the topic carries.
        topic_kind: TopicKind,
        /// Its id.
        message_id: MessageId,
        /// Who sent it first.
        peer_id: PeerId,
        /// Its slot, for messages that have one and broke no rule.
        slot: Option<Slot>,
        /// Arrival, from the start of its slot; negative when it came before.
        slot_offset_ms: Option<i64>,
        /// The block that it is, or belongs to.
        block_root: Option<Root>,
        /// Compressed, as it came.
        size_bytes: usize,
        /// Decompressed.
        ssz_bytes: usize,
        /// `accept`, `ignore`, `reject`.
        verdict: &'static str,
        /// Why; `valid` when accepted.
        reason: &'static str,
        /// Whether it was forwarded: `accepted`, `corroborated` (not judged valid, but sent by enough peers on distinct
        /// networks; only under `--relay corroborated`), `none`.
        relay: &'static str,
        /// From arrival to verdict.
        judged_ms: f64,
    }
    /// A gossip message is invalid, and whoever sent it is to blame.
    GossipRejected = "gossip.rejected", DEBUG {
        /// Who sent it.
        peer_id: PeerId,
        /// Where it was sent.
        topic: GossipTopic,
        /// What the topic carries.
        topic_kind: TopicKind,
        /// What is wrong with it, `snake_case`.
        reason: &'static str,
        /// Its id; over the data as received when they are no raw snappy.
        message_id: MessageId,
        /// Compressed, as it came.
        size_bytes: usize,
    }
    /// Verdicts of one kind of topic with one reason, counted over the slot that ended.
    GossipJudged = "gossip.judged", TRACE {
        /// What the topic carries.
        topic_kind: TopicKind,
        /// `accept`, `ignore`, `reject`.
        verdict: &'static str,
        /// Why; `valid` when accepted.
        reason: &'static str,
        /// How many messages.
        messages: u64,
    }
    /// What one kind of topic brought in the slot that ended; only for kinds that are joined.
    GossipTopicSummarized = "gossip.topic_summarized", DEBUG {
        /// The slot that ended.
        slot: Slot,
        /// What the topics carry.
        topic_kind: TopicKind,
        /// Topics of the kind that are joined.
        topics: usize,
        /// Peers in their meshes, summed over the topics.
        mesh_peers: usize,
        /// Messages, first copies.
        unique: u64,
        /// Further copies.
        duplicates: u64,
        /// Bytes of all copies, compressed.
        received_bytes: u64,
        /// Messages judged valid.
        accepted: u64,
        /// Messages ignored, for any reason.
        ignored: u64,
        /// Messages rejected.
        rejected: u64,
        /// Messages forwarded although not judged valid; see `--relay`.
        corroborated: u64,
    }
    /// How gossip was in the slot that ended.
    GossipSlotSummarized = "gossip.slot_summarized", INFO {
        /// The slot that ended.
        slot: Slot,
        /// Topics joined.
        topics: usize,
        /// Peers that the router knows; never more than are connected.
        router_peers: usize,
        /// Messages, first copies.
        unique: u64,
        /// Further copies.
        duplicates: u64,
        /// Bytes of all copies, compressed.
        received_bytes: u64,
        /// Messages judged valid.
        accepted: u64,
        /// Messages ignored, for any reason.
        ignored: u64,
        /// Messages rejected.
        rejected: u64,
        /// Messages ignored because too much waited to be judged.
        overflowed: u64,
        /// Messages dropped without a verdict: a bug.
        lost_verdicts: u64,
        /// Verdicts that came when the router had forgotten the message: what was accepted was not forwarded.
        late_verdicts: u64,
        /// Messages that waited for a verdict when the slot ended.
        waiting: usize,
        /// Events of the router that found no room.
        events_dropped: u64,
        /// Control messages that named messages by anything but 20 bytes.
        bad_control: u64,
        /// Copies on topics that are not joined.
        not_joined: u64,
        /// Arrival of the slot's first block, from the start of the slot.
        block_ms: Option<i64>,
        /// Who sent the slot's first block first.
        block_peer_id: Option<PeerId>,
        /// Data columns of the slot that arrived.
        columns: usize,
        /// Arrival of the slot's first column, from the start of the slot.
        first_column_ms: Option<i64>,
        /// Arrival of the slot's last column, from the start of the slot.
        last_column_ms: Option<i64>,
        /// Who sent the slot's first column first.
        column_peer_id: Option<PeerId>,
    }
    /// A message of our own was published, or found nobody.
    GossipPublished = "gossip.published", DEBUG {
        /// Where it was sent.
        topic: GossipTopic,
        /// What the topic carries.
        topic_kind: TopicKind,
        /// `ok`, or why nobody was reached, `snake_case`.
        result: &'static str,
        /// How many peers it was sent to.
        peers: usize,
        /// Decompressed.
        ssz_bytes: usize,
    }
    /// A boundary of the fork schedule was crossed.
    ForkActivated = "fork.activated", INFO {
        /// Fork in force.
        fork: ForkName,
        /// Digest in force.
        fork_digest: ForkDigest,
        /// First epoch of the digest.
        epoch: Epoch,
        /// Blobs per block allowed from this epoch on, from Fulu.
        max_blobs: Option<u64>,
        /// Next boundary of either kind, if one is scheduled.
        next_epoch: Option<Epoch>,
    }
    /// A bootstrap peer completed a handshake, for the first time.
    BootstrapCompleted = "bootstrap.completed", INFO {
        /// Which one.
        peer_id: PeerId,
        /// Since start.
        duration_ms: u64,
    }
    /// 30 s after start no bootstrap peer had completed a handshake; the node keeps trying.
    BootstrapFailed = "bootstrap.failed", WARN {
        /// Since start.
        duration_ms: u64,
        /// Bootstrap peers given.
        bootnodes: usize,
        /// Attempts that nobody answered.
        timeout: usize,
        /// Attempts that were refused.
        refused: usize,
        /// Hosts that could not be reached.
        unreachable: usize,
        /// Peers of another network.
        wrong_network: usize,
        /// Peers that share no transport or muxer with us.
        incompatible: usize,
        /// Peers without room.
        busy: usize,
        /// Handshakes that broke.
        handshake: usize,
        /// Bootstrap nodes that gave no address to dial.
        no_address: usize,
        /// Everything else.
        other: usize,
        /// Ready peers of any origin.
        peers: usize,
    }
}
