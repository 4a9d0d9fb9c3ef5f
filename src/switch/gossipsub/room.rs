//! Room for the messages that wait to be judged, shared so that nobody can take it from the others.
//!
//! A sender may hold as much as is left after it, and no more: one that floods us holds half at most and leaves half, two
//! leave a third, and whoever holds nothing always finds what is left. What takes long to judge waits in a lane of its
//! own, so that columns never cost an attestation its place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::PeerId;

/// Which messages wait together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Those that are judged in microseconds.
    Quick,
    /// Those that take a millisecond or more.
    Long,
}

/// Messages that may wait to be judged in microseconds, and the bytes of their SSZ: 31 744 × about 350 bytes = 11 MiB,
/// and 16 MiB, which are 69,000 attestations or 1000 aggregates of full size.
const QUICK: Load = Load { messages: 32_768 - LONG.messages, bytes: 16 << 20 };

/// Messages that may wait and take longer, and the bytes of their SSZ: 1024 × about 350 bytes = 350 KiB, and 48 MiB, which
/// are four blocks of full size, or the columns of two slots of 72 blobs.
const LONG: Load = Load { messages: 1_024, bytes: 48 << 20 };

/// Messages of both lanes together.
pub(super) const WAITING: usize = QUICK.messages + LONG.messages;

/// So much of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// How many.
    pub(crate) messages: usize,
    /// Of SSZ, all together.
    pub(crate) bytes: usize,
}

impl Load {
    fn plus(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    fn minus(self, other: Self) -> Option<Self> {
        let messages = self.messages.checked_sub(other.messages)?;
        Some(Self { messages, bytes: self.bytes.checked_sub(other.bytes)? })
    }

    const fn fits(self, other: Self) -> bool {
        self.messages <= other.messages && self.bytes <= other.bytes
    }
}

/// Both lanes.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    quick: Arc<Mutex<Space>>,
    long: Arc<Mutex<Space>>,
}

/// What is left of a lane, and who holds the rest: only who holds anything has an entry.
#[derive(Debug)]
struct Space {
    left: Load,
    held: HashMap<PeerId, Load>,
}

impl Default for Room {
    fn default() -> Self {
        Self::of(QUICK, LONG)
    }
}

impl Room {
    pub(crate) fn of(quick: Load, long: Load) -> Self {
        let space = |left| Arc::new(Mutex::new(Space { left, held: HashMap::new() }));
        Self { quick: space(quick), long: space(long) }
    }

    /// Takes the place of a message of so many bytes; **drop and count** without one.
    pub(crate) fn take(&self, lane: Lane, peer_id: PeerId, bytes: usize) -> Option<Share> {
        let space = self.lane(lane);
        let load = Load { messages: 1, bytes };
        lock(space).take(peer_id, load).then(|| Share { space: space.clone(), peer_id, load })
    }

    /// What is left of a lane.
    #[cfg(test)]
    pub(crate) fn left(&self, lane: Lane) -> Load {
        lock(self.lane(lane)).left
    }

    const fn lane(&self, lane: Lane) -> &Arc<Mutex<Space>> {
        match lane {
            Lane::Quick => &self.quick,
            Lane::Long => &self.long,
        }
    }
}

impl Space {
    fn take(&mut self, peer_id: PeerId, load: Load) -> bool {
        let Some(left) = self.left.minus(load) else { return false };
        let held = self.held.entry(peer_id).or_default();
        // who holds nothing may take all that is left: the largest messages are a good part of a lane
        if *held != Load::default() && !held.plus(load).fits(left) {
            return false;
        }
        *held = held.plus(load);
        self.left = left;
        true
    }

    fn give_back(&mut self, peer_id: PeerId, load: Load) {
        self.left = self.left.plus(load);
        let rest = self.held.get(&peer_id).and_then(|held| held.minus(load)).unwrap_or_default();
        if rest == Load::default() {
            self.held.remove(&peer_id);
        } else {
            self.held.insert(peer_id, rest);
        }
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    space: Arc<Mutex<Space>>,
    peer_id: PeerId,
    load: Load,
}

impl Drop for Share {
    fn drop(&mut self) {
        lock(&self.space).give_back(self.peer_id, self.load);
    }
}

fn lock(space: &Mutex<Space>) -> MutexGuard<'_, Space> {
    // every critical section leaves a whole space
    space.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Load = Load { messages: 60, bytes: 6_000 };

    fn take_all(room: &Room, lane: Lane, peer_id: PeerId, bytes: usize) -> Vec<Share> {
        std::iter::from_fn(|| room.take(lane, peer_id, bytes)).collect()
    }

    #[test]
    fn a_flood_leaves_half_and_two_floods_a_third() {
        let room = Room::of(SMALL, SMALL);
        let (one, two, honest) = (PeerId::random(), PeerId::random(), PeerId::random());
        let mut held = take_all(&room, Lane::Quick, one, 1);
        assert_eq!(held.len(), 30);
        held.truncate(20);
        held.extend(take_all(&room, Lane::Quick, two, 1));
        assert_eq!(held.len(), 40);
        held.extend(take_all(&room, Lane::Quick, one, 1));
        held.extend(take_all(&room, Lane::Quick, two, 1));
        assert_eq!((held.len(), take_all(&room, Lane::Quick, honest, 1).len()), (40, 10));
    }

    #[test]
    fn bytes_are_shared_as_messages_are() {
        let room = Room::of(SMALL, SMALL);
        let held = take_all(&room, Lane::Long, PeerId::random(), 1_000);
        assert_eq!((held.len(), take_all(&room, Lane::Long, PeerId::random(), 1_000).len()), (3, 1));
    }

    #[test]
    fn who_holds_nothing_may_take_all_that_is_left() {
        let room = Room::of(SMALL, SMALL);
        let peer_id = PeerId::random();
        let _held = room.take(Lane::Quick, peer_id, 6_000).expect("there is room");
        assert!(room.take(Lane::Quick, PeerId::random(), 1).is_none(), "nothing is left");
    }

    #[test]
    fn a_full_lane_leaves_the_other_alone() {
        let room = Room::of(SMALL, SMALL);
        let peer_id = PeerId::random();
        let _held = take_all(&room, Lane::Long, peer_id, 1);
        assert!(room.take(Lane::Quick, peer_id, 1).is_some());
    }

    #[test]
    fn what_is_given_back_is_there_again_and_nobody_is_remembered() {
        let room = Room::of(SMALL, SMALL);
        let peer_id = PeerId::random();
        let held = take_all(&room, Lane::Quick, peer_id, 7);
        assert!(room.take(Lane::Quick, peer_id, 7).is_none());
        drop(held);
        let space = lock(&room.quick);
        assert_eq!((space.left, space.held.len()), (SMALL, 0));
    }
}
