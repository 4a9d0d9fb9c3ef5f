//! Message ids: 20 bytes of SHA-256 over the topic and the message. Pure.
//!
//! [spec v1.6.0, message id](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#topics-and-messages)

use sha2::{Digest, Sha256};

use crate::types::MessageId;

/// How the id of a topic's messages is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdRule {
    /// Over the message alone: topics of the phase0 digest.
    Phase0,
    /// Over topic and message: every later digest.
    Altair,
}

/// What a message's id is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    /// The message, of data that is valid snappy within the topic's bound.
    Decompressed(&'a [u8]),
    /// The data as received: it is no snappy, or declares more than the topic allows.
    AsReceived(&'a [u8]),
}

/// `MESSAGE_DOMAIN_VALID_SNAPPY`.
const VALID_SNAPPY: [u8; 4] = [1, 0, 0, 0];

/// `MESSAGE_DOMAIN_INVALID_SNAPPY`.
const INVALID_SNAPPY: [u8; 4] = [0, 0, 0, 0];

/// The id of a message.
pub(super) fn message_id(rule: IdRule, topic: &str, payload: Payload<'_>) -> MessageId {
    let (domain, bytes) = match payload {
        Payload::Decompressed(bytes) => (VALID_SNAPPY, bytes),
        Payload::AsReceived(bytes) => (INVALID_SNAPPY, bytes),
    };
    let mut hasher = Sha256::new();
    hasher.update(domain);
    match rule {
        IdRule::Phase0 => {}
        IdRule::Altair => {
            hasher.update((topic.len() as u64).to_le_bytes());
            hasher.update(topic);
        }
    }
    hasher.update(bytes);
    let digest: [u8; 32] = hasher.finalize().into();
    let mut id = [0; 20];
    id.copy_from_slice(&digest[..20]);
    MessageId(id)
}

#[cfg(test)]
mod tests {
    use super::super::snappy;
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        rule: String,
        topic: String,
        data: String,
        valid_snappy: bool,
        message_id: String,
    }

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
    }

    #[test]
    fn ids_are_those_of_the_executable_specification() {
        let vectors: Vectors = serde_json::from_str(include_str!("../../../tests/vectors/message_id.json")).unwrap();
        assert!(vectors.cases.len() > 20, "the vectors are there");
        for case in vectors.cases {
            let rule = if case.rule == "phase0" { IdRule::Phase0 } else { IdRule::Altair };
            let data = bytes(&case.data);
            let ssz = snappy::decompress(&data, 10 * 1024 * 1024);
            assert_eq!(ssz.is_ok(), case.valid_snappy, "{}", case.data);
            let payload = ssz.as_deref().map_or(Payload::AsReceived(&data), Payload::Decompressed);
            assert_eq!(message_id(rule, &case.topic, payload).0.as_slice(), bytes(&case.message_id), "{}", case.data);
        }
    }
}
