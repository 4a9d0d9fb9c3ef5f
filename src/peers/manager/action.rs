//! What the manager asks its owner to do, and how it describes where peers stand.

use tokio::time::Instant;

use super::super::{BanChange, BootstrapReport, Candidate, Counts, Cover, SuspectChange, Upkeep};
use crate::types::{GoodbyeReason, PeerId};

/// One thing for the owner to do. Each is handed out once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an action is handed out once"]
pub enum Action<C> {
    /// Dial; the outcome goes to [`super::PeerManager::on_outcome`]. Never twice at once for one peer.
    Dial(Candidate),
    /// Ping, status or metadata of a ready peer, or hang up on one that is silent.
    Upkeep(Upkeep<C>),
    /// Say goodbye to a ready peer and close.
    Disconnect {
        /// To whom.
        peer_id: PeerId,
        /// Over which connection.
        connection: C,
        /// Saying what.
        goodbye: GoodbyeReason,
        /// A closed label for the event.
        reason: &'static str,
    },
    /// Mirror this ban, or its end, to everything else that can refuse a peer.
    Mirror(BanChange),
    /// Look for records that cover at least one of these subnets or columns.
    Lookup(Cover),
    /// Tell that we suspect ourselves, or no more: the event `network.suspect`.
    Suspect(SuspectChange),
    /// Tell that no bootstrap peer was reached in time.
    BootstrapFailed(BootstrapReport),
}

/// Where a peer stands: every peer is in one of these states, or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// May be dialled now.
    Waiting,
    /// Being dialled, or shaking hands over a connection that we made.
    Connecting,
    /// Connected by its own dial and shaking hands.
    Connected,
    /// Every handshake passed.
    Ready,
    /// Left alone for a while.
    BackingOff {
        /// When it may be dialled.
        until: Instant,
    },
    /// Neither dialled nor let in.
    Banned {
        /// When the ban ends.
        until: Instant,
    },
}

/// How many peers there are, by state; for the summary of each slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Ready peers by direction.
    pub ready: Counts,
    /// Attempts of ours under way.
    pub connecting: usize,
    /// Handshakes of peers that dialled us under way.
    pub connected: usize,
    /// Peers that wait or back off.
    pub queued: usize,
    /// Peers banned by id.
    pub banned: usize,
    /// Peers that are remembered for what failed or for what they did: those of the larger of the two bounded tables.
    pub remembered: usize,
    /// Subnets and columns that are wanted and that nobody covers.
    pub bare: u32,
    /// Those that fewer cover than are enough, the bare ones included.
    pub thin: u32,
}
