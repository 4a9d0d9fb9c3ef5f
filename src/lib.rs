//! beacond: a stand-alone network node of the Ethereum beacon chain.
//!
//! It lives on the consensus network by itself: no beacon node and no execution client stand behind it. This crate is
//! the whole of it; `src/main.rs` only parses, logs, runs and exits. What follows is the architecture, kept true.
//!
//! # From above
//!
//! [`BeaconNode`](node::BeaconNode) is the daemon: it takes the data directory, reads the network, opens every socket
//! (`connect_to_network`), supervises and shuts down in order. Inside it [`Eth2Node`](node::Eth2Node) is the network
//! node: it owns discovery, the [`Switch`](switch::Switch), the
//! [`HandshakeRegistry`](handshake::HandshakeRegistry) and the peers.
//!
//! Discovery's endless `lookup_random` loop yields records; a predicate drops those of another fork; the rest wait in a
//! bounded channel, and when dialling is behind, lookups pause. The node gives them to its
//! [`PeerManager`](peers::PeerManager) (`add_known_peer` and the peer book of former runs do the same) and runs one task
//! per attempt: `dial_peer` (the switch connects, secures, multiplexes) → `initialize_connection` →
//! `perform_protocol_handshakes` → a ready peer, or a classified failure that becomes a back-off. Inbound connections join
//! at `initialize_connection`.
//!
//! The manager is told what happens and says what is to be done: whom to dial, ask, leave and ban, which subnets and
//! columns to look for, and whether it is rather we who fail. The node carries it out (`node::actions`).
//!
//! Beside it one task follows where others reach us: what the router maps ([`nat`]), what a host name means now, and
//! whether anybody comes at all ([`discovery::Reachability`]); our record follows it.
//!
//! Gossip runs beside that loop. The router, inside the swarm, hands the first copy of every message to the judges'
//! threads, each with a verdict that is owed; the rules of `gossip::topics` say reject or ignore, a
//! [`Juror`](gossip::Juror) may say accept where a state would be needed, and the verdict goes back to the router. What
//! the node takes part in at an epoch is one [`Plan`](gossip::Plan): topics joined, record and metadata are made of it.
//!
//! ```text
//!                    flags, environment, file ──► ValidConfig ──► BeaconNode ──► Metrics (/metrics)
//!                                                                    │                 ▲
//!   ┌── Eth2Node (one loop, never awaits the network) ───────────────▼───────┐         │ observe
//!   │ PeerManager ─► attempt: dial_peer ─► initialize_connection             │   ┌─────┴──────┐
//!   │   ▲ ▲               └► perform_protocol_handshakes ─► PeerManager      │──►│  Events    │──► log lines
//!   │   │ │ errands: ping, status, metadata, lookups, goodbyes               │   │  (bus)     │──► subscribers
//!   └──┬──┼───────────▲───────────────────▲───────────────────┬──────────┬───┘   └────────────┘
//!      │  │ Candidate │ SwitchEvent       │ PeerReport        │ dial,    │ Plan
//!      │  │ [256]     │ [1024]            │ [256, drop]       ▼ [256]    ▼ watch
//!   ┌──┴──┴───────┐ ┌─┴───────────────────┴──────────────────────────┐ ┌─────────────────────┐
//!   │ Discovery   │ │ Switch: libp2p Swarm over QUIC | TCP (Noise,   │ │ Gossip: topics,     │
//!   │ discv5      │ │ Yamux|Mplex) · identify · ping · raw streams   │ │ summaries           │
//!   │             │ │ Router (gossipsub) ── GossipMessage ───────────┼─► judges' threads ──► Juror
//!   │             │ │        ◄── Verdict [32768, 64 MiB, drop] ──────┼─┤ settler, docket     │
//!   └──────▲──────┘ └───────────▲─────────────┬──────────────────────┘ └─────────────────────┘
//!          │ ENR fields         │ StreamOpener│ InboundStream [256, drop]
//!          │            rpc::call (client)    ▼ RpcServer ──► LocalChain (Status, Metadata)
//!   ┌──────┴───────────────────────────────────────────────────────────────────┐
//!   │ ChainClock ─► watch<ChainNow>; Status, ENR fields and accepted digests are │
//!   │ derived from the fork schedule at the moment they are asked for; subnets,  │
//!   │ custody and topics are one watch<Plan>, made anew each epoch               │
//!   └────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! All of it runs on one thread ([`tasks::runtime`]) but for what computes: the judges' threads, proofs, files.
//!
//! # Code map
//!
//! In order of rank: a module imports only modules of a lower rank, and its own children. `tests/layering.rs` holds the
//! table and fails on any other edge.
//!
//! | rank | module | what it owns |
//! |---|---|---|
//! | 0 | [`types`], [`time`], [`fault`] | values; the clock; what an error means |
//! | 1 | [`events`] | the typed catalogue of everything that happens, and its bus |
//! | 1 | [`tasks`] | named, tracked, cancellable tasks |
//! | 1 | [`kzg`] | proofs of blobs and columns, against the ceremony's setup |
//! | 1 | [`config`], [`logging`] | options in, one checked value out; log lines for people and machines |
//! | 2 | [`chain`] | networks, fork schedule, digests, the chain clock, Status derived and checked |
//! | 2 | [`peers`] | who is dialled, kept, left, banned, and why: pure values that take `now` |
//! | 2 | [`metrics`], [`store`] | families folded from events; the data directory, the peer book |
//! | 3 | [`transport`] | QUIC and TCP upgrades; at which stage they die |
//! | 3 | [`discovery`] | discv5, our record, the predicate; alone names discv5 |
//! | 3 | [`nat`] | port mappings at the router, by UPnP |
//! | 4 | [`switch`] | the swarm's task; alone, with `transport`, names libp2p's swarm |
//! | 5 | [`rpc`] | ssz_snappy framing, methods, one exchange as client and as server |
//! | 5 | [`gossip`] | what to take part in; the rules of every topic; one verdict for every message |
//! | 6 | [`handshake`] | the ordered steps that make a connection a peer |
//! | 7 | [`node`] | the one place that wires, and where a fault becomes policy |
//! | 9 | [`cli`] | the command line and the exit code |
//!
//! # Invariants
//!
//! - **One owner, one loop.** Each piece of state has one owning task; others hold a handle or a `watch`. No lock
//!   crosses a module or an await.
//! - **Every channel is bounded** and says beside its capacity whether senders *wait*, the *newest wins*, or it is *drop
//!   and count*, with its worst case in bytes.
//! - **The node's loop never awaits the network.** Dials, handshakes and upkeep run as tasks and come back as values; a
//!   report that does not fit is dropped, never waited for. The switch keeps taking commands while its events wait for
//!   the node, so no cycle can deadlock.
//! - **Holding a [`StreamOpener`](switch::StreamOpener) is the right to open streams** on exactly that connection, and
//!   keeps it alive; a connection whose openers are gone runs into its idle timeout.
//! - **The dialler asks first.** The accepting side takes Status and Ping from what it is asked, for exactly that
//!   connection, by the same checks; it asks only a peer that stays silent.
//! - **Status is never invented and never echoed**: the genesis form until something verified takes its place.
//! - **Claims follow deeds**: record, metadata and topics are made of one [`Plan`](gossip::Plan), at one place.
//! - **Errors are classified where they arise** ([`fault::Classify`], without a catch-all) and cost something only in
//!   `node`.
//! - **What happens is said once**, as a [`NodeEvent`](events::NodeEvent): the log line, the metric and the export are
//!   made of it.
//! - **Every gossip message gets exactly one verdict.** A [`PendingVerdict`](switch::PendingVerdict) has its place in the
//!   way back reserved before the message leaves the router; dropping it is an IGNORE that is counted as a bug.
//! - **Only what was accepted is forwarded**, by our own authority or a juror's. `--relay corroborated` is the operator's
//!   choice to go beyond, and is labelled in every event.
//! - **Bytes from a peer cost that peer**: no panic, no allocation beyond the declared and checked size.
//!
//! # Adding things
//!
//! | to add | write | and one line in |
//! |---|---|---|
//! | a handshake | `handshake/steps/x.rs`: `impl HandshakeStep` | `HandshakeRegistry::eth2` (order is meaning) |
//! | a method that is asked | `rpc/methods/x.rs`: `impl Method`; its check in `rpc::answers` | |
//! | a method that is served | the same: `impl ServedMethod` | `rpc::methods::ALL` |
//! | a topic | `gossip/topics/x.rs`: its row and its `check`; its kind in `types::TopicKind` | `gossip::topics::ALL` |
//! | a fork | its row in `chain/forks.rs`, its variant in `types::ForkName` | |
//! | an event | its entry in `events/catalogue.rs`, and the arm that the compiler asks for in `metrics` | |
//!
//! # What is not here yet
//!
//! Serving of blocks, columns and light-client data, a verified head (and with it `accept` on our own authority and the
//! rules about finality), and the REST and gRPC interfaces.

pub mod chain;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod events;
pub mod fault;
pub mod gossip;
pub mod handshake;
pub mod kzg;
pub mod logging;
pub mod metrics;
pub mod nat;
pub mod node;
pub mod peers;
pub mod rpc;
pub mod store;
pub mod switch;
pub mod tasks;
pub mod time;
pub mod transport;
pub mod types;
