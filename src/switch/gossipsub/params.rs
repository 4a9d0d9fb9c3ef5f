//! gossipsub's parameters: those that the specification fixes, and the bounds that it leaves to us.

use std::time::Duration;

use libp2p::gossipsub::{Config, ConfigBuilder, Message, MessageId, ValidationMode};

/// `max_message_size()`: of one RPC, bytes.
///
/// [spec v1.6.0, max_message_size](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#max_message_size)
pub(super) const MAX_MESSAGE_SIZE: usize = 12_234_442;

/// `MAX_PAYLOAD_SIZE`: of one message, bytes before compression.
///
/// [spec v1.6.0, configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
pub(super) const MAX_PAYLOAD_SIZE: usize = 10 * 1024 * 1024;

/// `D`: peers that a message goes to.
pub(super) const MESH_N: usize = 8;

/// The heartbeat; the message cache forgets after 5 to 6 of them, 3.5 to 4.2 s.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(700);

/// How long libp2p's own duplicate cache remembers. The seen cache remembers for 768 s in a tenth of the memory; the
/// inner one is needed only for what still moves scores.
pub(super) const DUPLICATE_CACHE: Duration = Duration::from_secs(60);

/// Younger duplicates are certainly still in the inner cache; older ones need not be.
pub(super) const FRESH: Duration = Duration::from_secs(50);

/// Control messages of one RPC, bytes: 5000 ids of 22 bytes in an IHAVE and as many in an IWANT, or a supernode's topics
/// of two digests, which are 30 KiB; the default of 16 KiB would break the stream.
const MAX_CONTROL_SIZE: usize = 256 * 1024;

/// Messages of one RPC. Clients send a few; 500 is what Lighthouse takes.
const MAX_MESSAGES_PER_RPC: usize = 500;

/// Messages and gossip that may wait for one peer; beyond it they are **dropped and counted**.
///
/// What is forwarded was accepted, so its amount is bounded by what the network can make: around 25 MiB in the
/// [`FORWARD_WAIT`] (a block and 128 columns of full size, and a slot's attestations). 2048 × about 500 bytes =
/// 1 MiB a peer on an ordinary day.
const SEND_QUEUE: usize = 2_048;

/// How long what we forward may wait for a peer to take it.
const FORWARD_WAIT: Duration = Duration::from_secs(2);

/// How long what we publish may wait for a peer to take it.
const PUBLISH_WAIT: Duration = Duration::from_secs(5);

/// Messages larger than this are announced with IDONTWANT, bytes.
const IDONTWANT_SIZE: usize = 1_000;

/// How long a peer has to send what it advertised. Longer than the usual 3 s: when we lag behind our sockets, the answer
/// lies in them, and the promise was kept.
const IWANT_FOLLOWUP: Duration = Duration::from_secs(12);

/// The parameters, with who makes the ids.
///
/// [spec v1.6.0, the gossip domain](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#the-gossip-domain-gossipsub)
pub(super) fn config(message_id: impl Fn(&Message) -> MessageId + Send + Sync + 'static) -> Config {
    ConfigBuilder::default()
        .mesh_n(MESH_N)
        .mesh_n_low(6)
        .mesh_n_high(12)
        .gossip_lazy(6)
        .heartbeat_interval(HEARTBEAT)
        .fanout_ttl(Duration::from_secs(60))
        .history_length(6)
        .history_gossip(3)
        .duplicate_cache_time(DUPLICATE_CACHE)
        // StrictNoSign
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .flood_publish(false)
        .max_transmit_size(MAX_MESSAGE_SIZE)
        .max_publish_messages(MAX_MESSAGES_PER_RPC)
        .max_control_message_size(MAX_CONTROL_SIZE)
        .idontwant_message_size_threshold(IDONTWANT_SIZE)
        .iwant_followup_time(IWANT_FOLLOWUP)
        .connection_handler_queue_len(SEND_QUEUE)
        .publish_queue_duration(PUBLISH_WAIT)
        .forward_queue_duration(FORWARD_WAIT)
        .build()
        .expect("the constants above satisfy gossipsub's own checks")
}
