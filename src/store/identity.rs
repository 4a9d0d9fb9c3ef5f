//! Who the node is: one secp256k1 key, used by libp2p and by the node record alike.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use enr::{CombinedKey, EnrKey};
use libp2p::identity::{Keypair, secp256k1};

use super::{StoreError, atomic};
use crate::types::{NodeId, PeerId};

/// The identity of a node. Both keys come from the same 32 secret bytes.
pub struct Identity {
    /// Proves the peer id on connections.
    pub keypair: Keypair,
    /// Signs the node record.
    pub enr_key: CombinedKey,
    /// libp2p identity.
    pub peer_id: PeerId,
    /// discv5 identity.
    pub node_id: NodeId,
}

impl Identity {
    /// A new identity from the system's random source.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_secret(secp256k1::SecretKey::generate().to_bytes())
            .expect("a generated key is in the range of the curve")
    }

    /// The identity of 32 secret bytes; `None` if they are zero or not below the order of the curve.
    #[must_use]
    pub fn from_secret(secret: [u8; 32]) -> Option<Self> {
        // both constructors wipe the copy that they are given
        let libp2p_key = secp256k1::SecretKey::try_from_bytes(&mut secret.clone()).ok()?;
        let enr_key = CombinedKey::secp256k1_from_bytes(&mut secret.clone()).ok()?;
        let keypair = Keypair::from(secp256k1::Keypair::from(libp2p_key));
        let peer_id = keypair.public().to_peer_id();
        let node_id = NodeId::from(enr_key.public());
        Some(Self { keypair, enr_key, peer_id, node_id })
    }

    /// Reads the key file; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Exposed { path: path.to_owned(), mode });
        }
        let bad_key = || StoreError::BadKey { path: path.to_owned() };
        let text = match atomic::read(path) {
            Ok(text) => text.unwrap_or_default(),
            Err(StoreError::Corrupt { .. }) => return Err(bad_key()),
            Err(error) => return Err(error),
        };
        let mut secret = [0; 32];
        hex::decode_to_slice(text.trim_end(), &mut secret).map_err(|_| bad_key())?;
        Self::from_secret(secret).map(Some).ok_or_else(bad_key)
    }

    /// Writes the key file, which must not exist yet.
    pub(super) fn write(&self, path: &Path) -> Result<(), StoreError> {
        let line = format!("{}\n", hex::encode(self.enr_key.encode()));
        atomic::write(path, line.as_bytes())
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        let enr_key = match &self.enr_key {
            CombinedKey::Secp256k1(key) => CombinedKey::Secp256k1(key.clone()),
            CombinedKey::Ed25519(key) => CombinedKey::Ed25519(key.clone()),
        };
        Self { keypair: self.keypair.clone(), enr_key, peer_id: self.peer_id, node_id: self.node_id }
    }
}

impl fmt::Debug for Identity {
    /// Shows the public parts alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("peer_id", &self.peer_id)
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Enr, enr_peer_id};

    #[test]
    fn both_identities_are_those_of_the_specification_example() {
        let mut secret = [0; 32];
        hex::decode_to_slice("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291", &mut secret).unwrap();
        let identity = Identity::from_secret(secret).unwrap();
        assert_eq!(identity.peer_id.to_string(), "16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm");
        assert_eq!(
            hex::encode(identity.node_id.raw()),
            "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
        );
    }

    #[test]
    fn a_record_signed_by_an_identity_has_its_peer_id() {
        let identity = Identity::generate();
        let enr = Enr::empty(&identity.enr_key).unwrap();
        assert_eq!(enr_peer_id(&enr), Some(identity.peer_id));
        assert_eq!(identity.node_id, enr.node_id());
    }

    #[test]
    fn numbers_outside_the_curve_are_no_keys() {
        assert!(Identity::from_secret([0; 32]).is_none());
        assert!(Identity::from_secret([0xff; 32]).is_none());
    }
}
