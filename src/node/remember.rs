//! What is noted of peers from one run to the next, and what a former run's notes are good for.
//!
//! A part of [`Eth2Node`]'s loop: it makes entries of what the manager knows, and candidates and bans of entries. The book
//! itself writes behind, so nothing here waits for the disk.

use std::time::Duration;

use tokio::time::Instant;

use super::actions::cover_of;
use super::eth2_node::Eth2Node;
use crate::handshake::LocalView;
use crate::peers::{Candidate, Cover, PeerRecord, Source};
use crate::switch::ConnectionId;
use crate::time::unix_now_ms;
use crate::types::{BookEntry, Direction, Enr, EnrBytes, PeerId, peer_node_id};

/// Entries whose records are looked into at the start: checking a signature takes 0.1 ms.
const RECORDS_READ: usize = 64;

/// Remembered peers that are queued at the start: as many as the dial queue holds of peers that were found.
const QUEUED: usize = 512;

impl Eth2Node {
    /// Takes over what a former run knew, the best peers first: whom to dial before the first lookup, whom not to let in.
    pub(super) fn recall(&mut self) {
        let entries = std::mem::take(&mut self.recalled);
        let (now, now_s) = (Instant::now(), unix_now_ms() / 1000);
        let mut queued = 0;
        for entry in entries {
            if let Some(until_s) = entry.banned_until_s.filter(|_| entry.is_banned(now_s)) {
                let until = now + Duration::from_secs(until_s - now_s);
                self.manager.restore_ban(entry.peer_id, None, until, now);
            } else if queued < QUEUED && entry.last_success_s.is_some() {
                let enr = entry.enr.as_ref().filter(|_| queued < RECORDS_READ).and_then(EnrBytes::decode);
                self.recall_peer(entry, enr, now);
                queued += 1;
            }
        }
        tracing::debug!(queued, "peers of a former run recalled");
    }

    fn recall_peer(&mut self, entry: BookEntry, enr: Option<Enr>, now: Instant) {
        let BookEntry { peer_id, mut addresses, .. } = entry;
        let mut cover = Cover::default();
        if let Some(enr) = enr {
            cover = cover_of(&enr);
            if let Ok(found) = self.predicate.judge(&enr, &self.handshaker.local.accepted_digests()) {
                addresses.extend(found.addresses);
            }
            // no room: others are as good
            let _ = self.discovery.add_enr(enr);
        }
        let candidate = Candidate { peer_id, addresses, source: Source::Discovered };
        // refused: the queue says why, and discovery will find it again
        let _ = self.manager.on_remembered(candidate, cover, now);
    }

    /// Notes a peer that is ready.
    pub(super) fn remember(&self, peer_id: &PeerId) {
        if let Some(record) = self.manager.table().get(peer_id) {
            self.note(record);
        }
    }

    /// Notes a peer that is, or was, ready. One that dialled us is worth a note if its record says where it listens.
    pub(super) fn note(&self, record: &PeerRecord<ConnectionId>) {
        let Some(book) = &self.book else { return };
        let (peer_id, now_s) = (record.peer_id, unix_now_ms() / 1000);
        let node_id = record.node_id.or_else(|| peer_node_id(&peer_id));
        let enr = node_id.and_then(|node_id| self.discovery.record_of(&node_id));
        let outbound = record.direction == Direction::Outbound;
        let banned = self.manager.scores().banned_until(&peer_id);
        if !outbound && enr.is_none() && banned.is_none() {
            return;
        }
        book.note(BookEntry {
            addresses: if outbound { vec![record.address.clone()] } else { Vec::new() },
            enr: enr.as_ref().map(EnrBytes::from),
            last_success_s: Some(now_s),
            score: self.manager.scores().score(&peer_id, Instant::now()),
            banned_until_s: banned.map(|until| now_s + until.saturating_duration_since(Instant::now()).as_secs()),
            client: record.client,
            ..BookEntry::new(peer_id, now_s)
        });
    }

    /// Notes a ban, or its end with `None`. What was known of the peer is of no use before it is over, and discovery finds
    /// it again.
    pub(super) fn remember_ban(&self, peer_id: PeerId, lasts: Option<Duration>) {
        let Some(book) = &self.book else { return };
        let now_s = unix_now_ms() / 1000;
        let score = self.manager.scores().score(&peer_id, Instant::now());
        let banned_until_s = lasts.map(|lasts| now_s + lasts.as_secs());
        book.note(BookEntry { score, banned_until_s, ..BookEntry::new(peer_id, now_s) });
    }

    /// Writes what was noted last. A disk that does not answer costs the notes, not the shutdown.
    pub(super) async fn close_book(&mut self) {
        let Some(book) = self.book.take() else { return };
        match tokio::task::spawn_blocking(move || book.close()).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("what was noted of peers last could not be written"),
            Err(error) => tracing::error!(%error, "the peer book died"),
        }
    }
}
