//! Fixed arrays of bytes as types: raw on the wire, hex for people. Used by every newtype of the crate's values.

/// Implements the part of `TreeHash` that concerns packing, for a type that is never packed.
///
/// For use inside `impl TreeHash`; the argument is a variant of `TreeHashType`.
macro_rules! never_packed {
    ($kind:ident) => {
        fn tree_hash_type() -> tree_hash::TreeHashType {
            tree_hash::TreeHashType::$kind
        }

        fn tree_hash_packed_encoding(&self) -> tree_hash::PackedEncoding {
            unreachable!("only basic types are packed, and this says that it is none")
        }

        fn tree_hash_packing_factor() -> usize {
            unreachable!("only basic types are packed, and this says that it is none")
        }
    };
}

/// Defines a fixed array of bytes that is written `0x…` by people and raw on the wire.
macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ssz_derive::Encode, ssz_derive::Decode)]
        #[ssz(struct_behaviour = "transparent")]
        pub struct $name(pub [u8; $len]);

        impl Default for $name {
            /// All zero.
            fn default() -> Self {
                Self([0; $len])
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}{}", $prefix, hex::encode(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = hex::FromHexError;

            /// Reads exactly the right number of hex digits, with or without `0x`.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)?;
                Ok(Self(bytes))
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl tree_hash::TreeHash for $name {
            $crate::types::bytes::never_packed!(Vector);

            fn tree_hash_root(&self) -> tree_hash::Hash256 {
                tree_hash::merkle_root(&self.0, 0)
            }
        }
    };
}

pub(super) use {bytes_newtype, never_packed};
