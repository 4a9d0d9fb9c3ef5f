//! The one signature that needs no state: a change of withdrawal credentials brings its key along.
//!
//! Everything else is signed by validators whose keys only a state knows. About a millisecond of CPU for each call.

use blst::BLST_ERROR;
use blst::min_pk::{PublicKey, Signature};

use crate::chain::fork_data_root;
use crate::types::containers::capella::SignedBlsToExecutionChange;
use crate::types::containers::{BlsPubkey, BlsSignature, Container};
use crate::types::{ForkVersion, Root, merkle};

/// [spec v1.6.0, domain types](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/capella/beacon-chain.md#domain-types)
const DOMAIN_BLS_TO_EXECUTION_CHANGE: [u8; 4] = [0x0a, 0, 0, 0];

/// The ciphersuite of all signatures of the consensus layer.
///
/// [spec v1.6.0, BLS signatures](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#bls-signatures)
const CIPHERSUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// The domain of credential changes on one network: of the *genesis* version, whatever the fork.
///
/// [spec v1.6.0, process_bls_to_execution_change](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/capella/beacon-chain.md#new-process_bls_to_execution_change)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangeDomain(Root);

impl ChangeDomain {
    /// The domain of the network with this genesis.
    #[must_use]
    pub(super) fn new(genesis_version: ForkVersion, genesis_validators_root: Root) -> Self {
        let mut domain = [0; 32];
        domain[..4].copy_from_slice(&DOMAIN_BLS_TO_EXECUTION_CHANGE);
        domain[4..].copy_from_slice(&fork_data_root(genesis_version, genesis_validators_root).0[..28]);
        Self(Root(domain))
    }

    /// Whether the change is signed by the key that it names.
    #[must_use]
    pub(super) fn is_signed(self, change: &SignedBlsToExecutionChange) -> bool {
        verify(&change.message.from_bls_pubkey, self.signing_root(change), &change.signature)
    }

    /// The root of the specification's `SigningData`: two leaves.
    fn signing_root(self, change: &SignedBlsToExecutionChange) -> Root {
        merkle::hash_pair(&change.message.root(), &self.0)
    }
}

/// The specification's `bls.Verify`: points on the curve and in the subgroup, no key at infinity.
fn verify(pubkey: &BlsPubkey, message: Root, signature: &BlsSignature) -> bool {
    let (Ok(pubkey), Ok(signature)) = (PublicKey::key_validate(&pubkey.0), Signature::from_bytes(&signature.0)) else {
        return false;
    };
    signature.verify(true, &message.0, CIPHERSUITE, &[], &pubkey, false) == BLST_ERROR::BLST_SUCCESS
}

#[cfg(test)]
pub(super) mod testing {
    //! Signs changes for the tests.

    use blst::min_pk::SecretKey;

    use super::*;

    impl ChangeDomain {
        /// Puts the key made of `seed` and its signature into a change.
        pub(crate) fn sign(self, seed: [u8; 32], change: &mut SignedBlsToExecutionChange) {
            let key = SecretKey::key_gen(&seed, &[]).unwrap();
            change.message.from_bls_pubkey = BlsPubkey(key.sk_to_pk().compress());
            let root = self.signing_root(change);
            change.signature = BlsSignature(key.sign(&root.0, CIPHERSUITE, &[]).compress());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::containers::ExecutionAddress;
    use crate::types::containers::capella::BlsToExecutionChange;

    fn domain() -> ChangeDomain {
        ChangeDomain::new(ForkVersion([0, 0, 16, 32]), Root([7; 32]))
    }

    fn signed() -> SignedBlsToExecutionChange {
        let message = BlsToExecutionChange {
            validator_index: 3,
            from_bls_pubkey: BlsPubkey::default(),
            to_execution_address: ExecutionAddress([9; 20]),
        };
        let mut change = SignedBlsToExecutionChange { message, signature: BlsSignature::default() };
        domain().sign([1; 32], &mut change);
        change
    }

    #[test]
    fn a_change_signed_with_its_own_key_passes() {
        assert!(domain().is_signed(&signed()));
    }

    #[test]
    fn another_message_key_network_or_signature_does_not() {
        let change = signed();
        let mut other = change;
        other.message.to_execution_address = ExecutionAddress([8; 20]);
        assert!(!domain().is_signed(&other));
        let mut other = change;
        domain().sign([2; 32], &mut other);
        other.signature = change.signature;
        assert!(!domain().is_signed(&other));
        assert!(!ChangeDomain::new(ForkVersion([1, 0, 16, 32]), Root([7; 32])).is_signed(&change));
        assert!(!ChangeDomain::new(ForkVersion([0, 0, 16, 32]), Root([6; 32])).is_signed(&change));
        let mut other = change;
        other.signature = BlsSignature([0; 96]);
        assert!(!domain().is_signed(&other));
    }

    #[test]
    fn a_key_at_infinity_signs_nothing() {
        let mut change = signed();
        change.message.from_bls_pubkey = BlsPubkey([0; 48]);
        change.message.from_bls_pubkey.0[0] = 0xc0;
        change.signature = BlsSignature([0; 96]);
        change.signature.0[0] = 0xc0;
        assert!(!domain().is_signed(&change));
    }
}
