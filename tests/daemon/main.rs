//! The daemon as operators meet it: the real binary, as processes that find each other on loopback.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `joining` | three daemons and a whole network find each other from one record |
//! | `asking` | a question to a daemon, its answer and its goodbye |
//! | `restart` | identity, records and what they say outlive `kill -9`, and so do the peers |
//! | `recovery` | a cut uplink, a peer that moves, a warm and a damaged peer book |
//! | `shutdown` | signals, goodbyes, exit codes |
//! | `refusals` | a start that cannot succeed ends in one line that names what to change |
//! | `observing` | log lines, the log file, metrics |
//! | `devnet` | a network before its genesis, and one as devnets publish it |
//!
//! Whole binary: a minute on two cores. `BEACOND_NETWORK_SIZE` is how many daemons form the network, 12 by
//! default; 30 is the long form.

mod asking;
mod daemon;
mod devnet;
mod joining;
mod observing;
mod recovery;
mod refusals;
mod relay;
mod restart;
mod shutdown;
mod testbed;

#[path = "../interop/network.rs"]
#[expect(dead_code, reason = "only some of it is needed here")]
mod network;
#[path = "../interop/process.rs"]
#[expect(dead_code, reason = "only some of it is needed here")]
mod process;
