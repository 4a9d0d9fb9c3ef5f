//! When a ready peer is pinged, asked for its status and metadata, and given up: the timers of one peer.
//!
//! Owned by the peer table, one set for each peer. Knows no addresses and sends nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::types::{Direction, PeerId};

/// What a ready peer needs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpkeepAction {
    /// Send a ping; its answer goes to [`super::Peers::on_ping`].
    Ping,
    /// Exchange status; the answer goes to [`super::Peers::on_status`].
    Status,
    /// Ask for metadata; the answer goes to [`super::Peers::on_metadata`].
    Metadata,
    /// Hang up: three pings in a row were not answered.
    Disconnect,
}

/// One thing to do for one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep<C> {
    /// For whom.
    pub peer_id: PeerId,
    /// Over which connection.
    pub connection: C,
    /// What.
    pub action: UpkeepAction,
}

/// The timers of one peer. Asking moves a timer on, so a lost answer is asked for again, never at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    ping_every: Duration,
    next_ping: Instant,
    /// The last ping of either side.
    pinged: Instant,
    unanswered_pings: u32,
    status_every: Duration,
    next_status: Instant,
    metadata_behind: bool,
    next_metadata: Instant,
}

impl Timers {
    /// Timers of a peer that has just passed its handshakes.
    pub(super) fn new(direction: Direction, ready_at: Instant) -> Self {
        let (ping_every, status_every) = match direction {
            Direction::Outbound => (PING_OUTBOUND, STATUS_OUTBOUND),
            Direction::Inbound => (PING_INBOUND, STATUS_INBOUND),
        };
        Self {
            ping_every,
            next_ping: ready_at + ping_every,
            pinged: ready_at,
            unanswered_pings: 0,
            status_every,
            next_status: ready_at + status_every,
            metadata_behind: false,
            next_metadata: ready_at,
        }
    }

    /// The peer is alive, by its ping or by its answer to ours.
    pub(super) fn on_ping(&mut self, now: Instant, metadata_behind: bool) {
        self.unanswered_pings = 0;
        self.pinged = now;
        self.next_ping = now + self.ping_every;
        self.metadata_behind = metadata_behind;
    }

    /// Status was exchanged, whoever asked.
    pub(super) fn on_status(&mut self, now: Instant) {
        self.next_status = now + self.status_every;
    }

    /// Metadata arrived.
    pub(super) fn on_metadata(&mut self) {
        self.metadata_behind = false;
    }

    /// Asks for status at this time, if not earlier anyway.
    pub(super) fn hasten_status(&mut self, at: Instant) {
        self.next_status = self.next_status.min(at);
    }

    /// Pings as soon as the peer allows it, and gives up if that one ping is not answered.
    pub(super) fn probe(&mut self, now: Instant) {
        self.next_ping = self.next_ping.min(now.max(self.pinged + PING_PAUSE));
        self.unanswered_pings = MAX_UNANSWERED_PINGS - 1;
    }

    /// The earliest time at which [`Self::due`] has something to say.
    pub(super) fn wakeup(&self) -> Instant {
        let others = self.next_ping.min(self.next_status);
        if self.metadata_behind { others.min(self.next_metadata) } else { others }
    }

    /// Everything that is due, which counts as done from now on.
    pub(super) fn due(&mut self, now: Instant) -> impl Iterator<Item = UpkeepAction> + use<> {
        let ping = now >= self.next_ping;
        if ping && self.unanswered_pings >= MAX_UNANSWERED_PINGS {
            self.next_ping = now + self.ping_every;
            return [Some(UpkeepAction::Disconnect), None, None].into_iter().flatten();
        }
        if ping {
            self.unanswered_pings += 1;
            self.pinged = now;
            self.next_ping = now + self.ping_every;
        }
        let status = now >= self.next_status;
        if status {
            self.next_status = now + self.status_every;
        }
        let metadata = self.metadata_behind && now >= self.next_metadata;
        if metadata {
            self.next_metadata = now + METADATA_PAUSE;
        }
        [
            ping.then_some(UpkeepAction::Ping),
            status.then_some(UpkeepAction::Status),
            metadata.then_some(UpkeepAction::Metadata),
        ]
        .into_iter()
        .flatten()
    }
}

/// Lighthouse pings peers that it dialled after 15 s and the others after 20 s, so that the two do not ping at once.
const PING_OUTBOUND: Duration = Duration::from_secs(15);
/// See [`PING_OUTBOUND`].
const PING_INBOUND: Duration = Duration::from_secs(20);

/// Lodestar answers two pings in 10 s, and bars whoever sends a third.
const PING_PAUSE: Duration = Duration::from_secs(10);

/// Nimbus kicks after three failures. With the fourth interval a silent peer is held for 60 s, or 80 s if inbound.
const MAX_UNANSWERED_PINGS: u32 = 3;

/// Lighthouse, Lodestar and Teku refresh status after 300 s; one exchange serves both sides, so the dialled waits.
const STATUS_OUTBOUND: Duration = Duration::from_secs(300);
/// See [`STATUS_OUTBOUND`].
const STATUS_INBOUND: Duration = Duration::from_secs(315);

/// The least time between two metadata requests: a peer that counts up with every ping is asked once a minute.
const METADATA_PAUSE: Duration = Duration::from_secs(60);
