//! Arbitrary and damaged bytes: every decoder returns, and what it accepts it writes back unchanged.

use proptest::collection::vec;
use proptest::prelude::*;

use super::registry::{Entry, key, registry};
use super::vectors::cases;

/// Either refused, or read and written back alike: nothing in the bytes is ignored.
fn read(entry: Entry, ssz: &[u8]) -> Result<(), TestCaseError> {
    if let Ok((again, _root)) = (entry.read)(ssz) {
        prop_assert!(again == ssz);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_decoder_survives_arbitrary_bytes(ssz in vec(any::<u8>(), 0..3000)) {
        for entry in registry().into_values() {
            read(entry, &ssz)?;
        }
    }

    #[test]
    fn every_decoder_survives_damaged_messages(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        cut_it in any::<bool>(),
    ) {
        let registry = registry();
        for case in cases() {
            let mut ssz = case.ssz();
            for (at, byte) in &damage {
                let at = at.index(ssz.len());
                ssz[at] = *byte;
            }
            if cut_it {
                ssz.truncate(cut.index(ssz.len()));
            }
            read(registry[&key(&case.fork, &case.name)], &ssz)?;
        }
    }
}
