//! Byte strings of the containers: keys, signatures, commitments, cells, blobs, transactions.
//!
//! What is large lies in one piece: a column's cells are one allocation, a block's transactions another.

use std::fmt;
use std::marker::PhantomData;

use ssz::{Decode, DecodeError, Encode, read_offset};
use tree_hash::{BYTES_PER_CHUNK, Hash256, TreeHash, merkle_root, mix_in_length};

use super::list::{Limit, Shape, check_count, next_offset, offset_count};
use super::progressive::Progressive;
use crate::types::Root;
use crate::types::bytes::{bytes_newtype, never_packed};

bytes_newtype! {
    /// A compressed BLS signature, 96 bytes, not checked to be a point.
    BlsSignature, 96, "0x"
}
bytes_newtype! {
    /// A compressed BLS public key, 48 bytes, not checked to be a point.
    BlsPubkey, 48, "0x"
}
bytes_newtype! {
    /// A KZG commitment to a blob, 48 bytes, not checked to be a point.
    KzgCommitment, 48, "0x"
}
bytes_newtype! {
    /// A KZG proof of a blob or of a cell, 48 bytes, not checked to be a point.
    KzgProof, 48, "0x"
}
bytes_newtype! {
    /// An account of the execution layer, 20 bytes.
    ExecutionAddress, 20, "0x"
}
bytes_newtype! {
    /// The hash of a block of the execution layer, 32 bytes.
    Hash32, 32, "0x"
}
bytes_newtype! {
    /// 32 bytes with no meaning to the consensus layer's hash tree.
    Bytes32, 32, "0x"
}
bytes_newtype! {
    /// A uint256: 32 bytes, little-endian as on the wire, and written in that order.
    Uint256, 32, "0x"
}
bytes_newtype! {
    /// The Bloom filter of a payload's logs, 256 bytes.
    LogsBloom, 256, "0x"
}

/// A cell of a blob's extension, 2048 bytes: one row's part of a data column.
///
/// [spec v1.6.0, `BYTES_PER_CELL`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/polynomial-commitments-sampling.md#cells)
#[derive(Clone, PartialEq, Eq, ssz_derive::Encode, ssz_derive::Decode)]
#[ssz(struct_behaviour = "transparent")]
pub struct Cell(pub [u8; 2048]);

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_start(&self.0, f)
    }
}

impl TreeHash for Cell {
    never_packed!(Vector);

    fn tree_hash_root(&self) -> Hash256 {
        merkle_root(&self.0, 0)
    }
}

/// A blob, 131072 bytes on the heap.
///
/// [spec v1.6.0, Blob](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/polynomial-commitments.md#custom-types)
#[derive(Clone, PartialEq, Eq)]
pub struct Blob(Box<[u8]>);

impl Blob {
    /// The size of every blob, in bytes.
    pub const SIZE: usize = 131_072;

    /// The bytes, [`SIZE`](Self::SIZE) of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_start(&self.0, f)
    }
}

impl Encode for Blob {
    fn is_ssz_fixed_len() -> bool {
        true
    }

    fn ssz_fixed_len() -> usize {
        Self::SIZE
    }

    fn ssz_bytes_len(&self) -> usize {
        Self::SIZE
    }

    fn ssz_append(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.0);
    }
}

impl Decode for Blob {
    fn is_ssz_fixed_len() -> bool {
        true
    }

    fn ssz_fixed_len() -> usize {
        Self::SIZE
    }

    fn from_ssz_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() != Self::SIZE {
            return Err(DecodeError::InvalidByteLength { len: bytes.len(), expected: Self::SIZE });
        }
        Ok(Self(bytes.into()))
    }
}

impl TreeHash for Blob {
    never_packed!(Vector);

    fn tree_hash_root(&self) -> Hash256 {
        merkle_root(&self.0, 0)
    }
}

/// The siblings of a Merkle branch of depth `N`, from the leaf upwards; `N` × 32 bytes, in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Branch<const N: usize>(pub [Root; N]);

impl<const N: usize> Default for Branch<N> {
    /// All zero, which stands for "no proof" in light-client updates.
    fn default() -> Self {
        Self([Root::default(); N])
    }
}

impl<const N: usize> fmt::Debug for Branch<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0).finish()
    }
}

impl<const N: usize> Encode for Branch<N> {
    fn is_ssz_fixed_len() -> bool {
        true
    }

    fn ssz_fixed_len() -> usize {
        N * 32
    }

    fn ssz_bytes_len(&self) -> usize {
        N * 32
    }

    fn ssz_append(&self, buf: &mut Vec<u8>) {
        self.0.iter().for_each(|root| buf.extend_from_slice(&root.0));
    }
}

impl<const N: usize> Decode for Branch<N> {
    fn is_ssz_fixed_len() -> bool {
        true
    }

    fn ssz_fixed_len() -> usize {
        N * 32
    }

    fn from_ssz_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (roots, rest) = bytes.as_chunks::<32>();
        let wrong = || DecodeError::InvalidByteLength { len: bytes.len(), expected: N * 32 };
        if !rest.is_empty() {
            return Err(wrong());
        }
        let roots: &[[u8; 32]; N] = roots.try_into().map_err(|_err| wrong())?;
        Ok(Self(roots.map(Root)))
    }
}

impl<const N: usize> TreeHash for Branch<N> {
    never_packed!(Vector);

    fn tree_hash_root(&self) -> Hash256 {
        let bytes: Vec<u8> = self.0.iter().flat_map(|root| root.0).collect();
        merkle_root(&bytes, N)
    }
}

/// The specification's `ByteList[N]`.
pub type ByteList<const N: usize> = ByteSequence<Limit<N>>;

/// The specification's `ProgressiveByteList`.
pub type ProgressiveByteList = ByteSequence<Progressive>;

/// A string of bytes of the shape `S`.
pub struct ByteSequence<S> {
    bytes: Vec<u8>,
    shape: PhantomData<fn() -> S>,
}

impl<S: Shape> ByteSequence<S> {
    /// Takes the bytes, if they are no more than the shape allows.
    ///
    /// # Errors
    /// [`DecodeError::BytesInvalid`] beyond the limit.
    pub fn new(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        check_count(bytes.len(), S::MAX_ITEMS)?;
        Ok(Self { bytes, shape: PhantomData })
    }
}

impl<S> std::ops::Deref for ByteSequence<S> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<S> Default for ByteSequence<S> {
    fn default() -> Self {
        Self { bytes: Vec::new(), shape: PhantomData }
    }
}

impl<S> Clone for ByteSequence<S> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), shape: PhantomData }
    }
}

impl<S> PartialEq for ByteSequence<S> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<S> Eq for ByteSequence<S> {}

impl<S> fmt::Debug for ByteSequence<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_start(&self.bytes, f)
    }
}

impl<S> Encode for ByteSequence<S> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn ssz_bytes_len(&self) -> usize {
        self.bytes.len()
    }

    fn ssz_append(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.bytes);
    }
}

impl<S: Shape> Decode for ByteSequence<S> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn from_ssz_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        check_count(bytes.len(), S::MAX_ITEMS)?;
        Ok(Self { bytes: bytes.to_vec(), shape: PhantomData })
    }
}

impl<S: Shape> TreeHash for ByteSequence<S> {
    never_packed!(List);

    fn tree_hash_root(&self) -> Hash256 {
        byte_list_root::<S>(&self.bytes)
    }
}

/// Transactions until Fulu: `List[ByteList[2**30], 2**20]`.
pub type Transactions = ByteLists<Limit<{ 1 << 20 }>, Limit<{ 1 << 30 }>>;

/// Transactions from Gloas on: `ProgressiveList[ProgressiveByteList]`.
pub type ProgressiveTransactions = ByteLists<Progressive, Progressive>;

/// A list of strings of bytes, kept as it is on the wire: one allocation however many there are.
pub struct ByteLists<S, I> {
    /// The SSZ of the list, whose offsets were checked.
    ssz: Box<[u8]>,
    shape: PhantomData<fn() -> (S, I)>,
}

impl<S, I> ByteLists<S, I> {
    /// How many strings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        read_offset(&self.ssz).map_or(0, |first| first / ssz::BYTES_PER_LENGTH_OFFSET)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ssz.is_empty()
    }

    /// The strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let (count, ssz) = (self.len(), &*self.ssz);
        let offset = move |index| if index == count { ssz.len() } else { offset_at(ssz, index) };
        (0..count).map(move |index| ssz.get(offset(index)..offset(index + 1)).unwrap_or_default())
    }

    /// Bytes of all strings together.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.ssz.len() - self.len() * ssz::BYTES_PER_LENGTH_OFFSET
    }
}

impl<S, I> Default for ByteLists<S, I> {
    fn default() -> Self {
        Self { ssz: Box::default(), shape: PhantomData }
    }
}

impl<S, I> Clone for ByteLists<S, I> {
    fn clone(&self) -> Self {
        Self { ssz: self.ssz.clone(), shape: PhantomData }
    }
}

impl<S, I> PartialEq for ByteLists<S, I> {
    fn eq(&self, other: &Self) -> bool {
        self.ssz == other.ssz
    }
}

impl<S, I> Eq for ByteLists<S, I> {}

impl<S, I> fmt::Debug for ByteLists<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} in {} bytes]", self.len(), self.total_bytes())
    }
}

impl<S, I> Encode for ByteLists<S, I> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn ssz_bytes_len(&self) -> usize {
        self.ssz.len()
    }

    fn ssz_append(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.ssz);
    }
}

impl<S: Shape, I: Shape> Decode for ByteLists<S, I> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn from_ssz_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if !bytes.is_empty() {
            let count = offset_count(bytes, S::MAX_ITEMS)?;
            let mut start = read_offset(bytes)?;
            for next in 1..=count {
                let end = if next == count { bytes.len() } else { next_offset(bytes, next, start)? };
                check_count(end - start, I::MAX_ITEMS)?;
                start = end;
            }
        }
        Ok(Self { ssz: bytes.into(), shape: PhantomData })
    }
}

impl<S: Shape, I: Shape> TreeHash for ByteLists<S, I> {
    never_packed!(List);

    fn tree_hash_root(&self) -> Hash256 {
        let mut roots = Vec::with_capacity(self.len() * BYTES_PER_CHUNK);
        self.iter().for_each(|item| roots.extend_from_slice(byte_list_root::<I>(item).as_slice()));
        mix_in_length(&S::merkleize(&roots, S::MAX_ITEMS), self.len())
    }
}

/// The root of a byte list of the shape `S`.
fn byte_list_root<S: Shape>(bytes: &[u8]) -> Hash256 {
    mix_in_length(&S::merkleize(bytes, S::MAX_ITEMS.div_ceil(BYTES_PER_CHUNK)), bytes.len())
}

/// Offset number `index` of checked bytes.
fn offset_at(ssz: &[u8], index: usize) -> usize {
    ssz.get(index * ssz::BYTES_PER_LENGTH_OFFSET..).and_then(|at| read_offset(at).ok()).unwrap_or(ssz.len())
}

/// Shows the first bytes and the count.
fn debug_start(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match bytes.get(..SHOWN) {
        Some(start) if bytes.len() > SHOWN => write!(f, "0x{}… ({} bytes)", hex::encode(start), bytes.len()),
        _ => write!(f, "0x{}", hex::encode(bytes)),
    }
}

/// Bytes that `Debug` shows of long strings.
const SHOWN: usize = 16;
