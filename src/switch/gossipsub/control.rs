//! Control messages that name a message by anything but 20 bytes are none of ours: they are taken out.
//!
//! [spec v1.6.0, message id](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#topics-and-messages)
//!
//! Besides being wrong, long ids would be kept: libp2p remembers 10 000 ids of IDONTWANT per peer, of whatever length.
//! It hides the fields of received control messages; but what can be hashed shows itself to the hasher, and kinds and
//! lengths are all that matters here. `tests` shows it with messages from the wire, so that a libp2p that hashes
//! otherwise is noticed.

use std::hash::{Hash, Hasher};

/// A message id, bytes.
const ID_LENGTH: usize = 20;

/// Looks at a control message while it is hashed: first its kind, then each string and each id as one slice.
#[derive(Default)]
struct Lengths {
    kind: Option<Kind>,
    odd: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// An IHAVE, whose topic comes before its ids.
    Topic,
    /// Ids, and nothing else: IWANT, IDONTWANT, the rest of an IHAVE.
    Ids,
    /// No ids: GRAFT, PRUNE, extensions.
    Other,
}

impl Hasher for Lengths {
    fn finish(&self) -> u64 {
        0
    }

    fn write_isize(&mut self, variant: isize) {
        // in the order of libp2p's enum: IHAVE, IWANT, GRAFT, PRUNE, IDONTWANT, extensions
        self.kind.get_or_insert(match variant {
            0 => Kind::Topic,
            1 | 4 => Kind::Ids,
            _ => Kind::Other,
        });
    }

    fn write(&mut self, bytes: &[u8]) {
        match self.kind {
            Some(Kind::Topic) => self.kind = Some(Kind::Ids),
            Some(Kind::Ids) => self.odd |= bytes.len() != ID_LENGTH,
            Some(Kind::Other) | None => {}
        }
    }

    // what ends a string, and what precedes a list
    fn write_u8(&mut self, _: u8) {}
    fn write_usize(&mut self, _: usize) {}
}

/// Whether every message id that a received control message names is 20 bytes long.
pub(super) fn ids_are_well_formed(control: &impl Hash) -> bool {
    let mut lengths = Lengths::default();
    control.hash(&mut lengths);
    !lengths.odd
}

#[cfg(test)]
mod tests {
    use libp2p::gossipsub::{MessageId, TopicHash};

    use super::*;

    /// As libp2p's, which cannot be named.
    #[derive(Hash)]
    enum ControlAction {
        IHave { topic_hash: TopicHash, message_ids: Vec<MessageId> },
        IWant { message_ids: Vec<MessageId> },
        Graft { topic_hash: TopicHash },
        Prune { topic_hash: TopicHash, backoff: Option<u64> },
        IDontWant { message_ids: Vec<MessageId> },
    }

    fn ids(lengths: &[usize]) -> Vec<MessageId> {
        lengths.iter().map(|length| MessageId(vec![7; *length])).collect()
    }

    #[test]
    fn ids_of_any_other_length_are_found() {
        let cases: [(&[usize], bool); 6] =
            [(&[], true), (&[20], true), (&[20, 20, 20], true), (&[0], false), (&[20, 19], false), (&[21, 20], false)];
        for (lengths, well_formed) in cases {
            let message_ids = || ids(lengths);
            assert_eq!(ids_are_well_formed(&ControlAction::IWant { message_ids: message_ids() }), well_formed);
            assert_eq!(ids_are_well_formed(&ControlAction::IDontWant { message_ids: message_ids() }), well_formed);
            for topic in ["", "/eth2/8c9f62fe/beacon_block/ssz_snappy", "a topic of 20 bytes."] {
                let topic_hash = TopicHash::from_raw(topic);
                let ihave = ControlAction::IHave { topic_hash, message_ids: message_ids() };
                assert_eq!(ids_are_well_formed(&ihave), well_formed, "{topic} {lengths:?}");
            }
        }
    }

    #[test]
    fn what_names_no_message_passes() {
        let topic_hash = TopicHash::from_raw("any");
        assert!(ids_are_well_formed(&ControlAction::Graft { topic_hash: topic_hash.clone() }));
        assert!(ids_are_well_formed(&ControlAction::Prune { topic_hash, backoff: Some(60) }));
    }
}
