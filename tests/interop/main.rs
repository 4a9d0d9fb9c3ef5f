//! Runs the real `beacond` binary against independent implementations of the network, all on loopback.
//!
//! | peer | what it is | start, memory |
//! | --- | --- | --- |
//! | `chain` | nodes of Lodestar 1.5.1, the whole client with validators: blocks and finality at Capella; TCP + Mplex | 10–20 s and 350 MB each |
//! | `core` | the network core of Lodestar 1.44 at Fulu and Gloas, no chain behind it; QUIC and TCP + Mplex | 10–40 s, 500 MB |
//! | `discv5` | @chainsafe/discv5, UDP only | 1 s, 80 MB |
//! | `libp2p` | js-libp2p over TCP and QUIC, Yamux and Mplex, no eth2 protocols | 2 s, 90 MB |
//!
//! `peers/` holds what npm installs for them and the scripts that start them. Where Node.js is absent every scenario says so and
//! passes; anything else that is missing is a failure.
//! - The first scenario installs all peers (1.5 to 4 minutes, 570 MB) into `$BEACOND_INTEROP_CACHE`, by default
//!   `~/.cache/beacond-interop`, once for each state of the pins; later runs start at once and need no network.
//! - It then replaces the test process by itself inside a network namespace with nothing but `lo`, where the system permits it
//!   (so libtest prints its first line twice); elsewhere the scenarios use free ports of the host's loopback.
//! - `BEACOND_SOAK_SECONDS` is how long the chain must keep us, 60 by default; 900 is the long form.
//! - `BEACOND_GOSSIP_SLOTS` is for how many slots of 4 s gossip of the chain is followed, 8 by default. From 65 on, four nodes
//!   score us as nodes of an old chain do, and what each relay policy comes to is printed; 450 slots, 33 minutes, are the
//!   long form.
//! - `BEACOND_REQUEST_SLOTS` is how old the chain is when it is asked for blocks, 12 slots by default; from 160 on it is
//!   asked for everything, 12 minutes.
//! - Whole binary, peers installed: four to six minutes on two cores.

mod beacond;
mod chain;
mod discv5;
mod fixture;
mod gossip_chain;
mod gossip_core;
mod libp2p;
mod lodestar_chain;
mod lodestar_core;
mod lodestar_requests;
mod lodestar_restart;
mod network;
mod npm;
mod peer_score;
mod process;
mod scenario;
