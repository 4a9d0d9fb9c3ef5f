//! Lists of values, with a limit or progressive: one type for both, so that code above need not care.
//!
//! Decoding is strict and allocates in proportion to the bytes given: the limit is checked before anything is
//! allocated, and room for items of variable size is not reserved on the word of an offset.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use ssz::{BYTES_PER_LENGTH_OFFSET, Decode, DecodeError, Encode, read_offset};
use tree_hash::{BYTES_PER_CHUNK, Hash256, TreeHash, TreeHashType, mix_in_length};

use super::progressive::Progressive;
use crate::types::bytes::never_packed;

/// How many items a list may hold and how its chunks become a root: [`Limit`] or [`Progressive`].
pub trait Shape: 'static {
    /// The most items, `usize::MAX` if the type sets no limit.
    const MAX_ITEMS: usize;

    /// The root of packed chunks, before the length is mixed in; `max_chunks` is what `MAX_ITEMS` items fill.
    fn merkleize(chunks: &[u8], max_chunks: usize) -> Hash256;
}

/// At most `N` items; the tree is as deep as `N` needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit<const N: usize> {}

impl<const N: usize> Shape for Limit<N> {
    const MAX_ITEMS: usize = N;

    fn merkleize(chunks: &[u8], max_chunks: usize) -> Hash256 {
        tree_hash::merkle_root(chunks, max_chunks)
    }
}

/// The specification's `List[T, N]`.
pub type List<T, const N: usize> = Sequence<T, Limit<N>>;

/// The specification's `ProgressiveList[T]` (EIP-7916): no limit of its own, another tree, the same bytes.
pub type ProgressiveList<T> = Sequence<T, Progressive>;

/// A list of `T` of the shape `S`, in one allocation; reads as a slice.
pub struct Sequence<T, S> {
    items: Vec<T>,
    shape: PhantomData<fn() -> S>,
}

impl<T, S: Shape> Sequence<T, S> {
    /// Takes the items, if they are no more than the shape allows.
    ///
    /// # Errors
    /// [`DecodeError::BytesInvalid`] beyond the limit.
    pub fn new(items: Vec<T>) -> Result<Self, DecodeError> {
        check_count(items.len(), S::MAX_ITEMS)?;
        Ok(Self { items, shape: PhantomData })
    }

    /// The items, owned.
    #[must_use]
    pub fn into_inner(self) -> Vec<T> {
        self.items
    }
}

impl<T, S> Default for Sequence<T, S> {
    fn default() -> Self {
        Self { items: Vec::new(), shape: PhantomData }
    }
}

impl<T: Clone, S> Clone for Sequence<T, S> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), shape: PhantomData }
    }
}

impl<T: PartialEq, S> PartialEq for Sequence<T, S> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T: Eq, S> Eq for Sequence<T, S> {}

impl<T, S> Deref for Sequence<T, S> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'a, T, S> IntoIterator for &'a Sequence<T, S> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// Shows the first few items and the count, so that a log line stays a line.
impl<T: fmt::Debug, S> fmt::Debug for Sequence<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.items.iter().take(SHOWN));
        if self.items.len() > SHOWN {
            list.entry(&format_args!("… {} in all", self.items.len()));
        }
        list.finish()
    }
}

impl<T: Encode, S> Encode for Sequence<T, S> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn ssz_bytes_len(&self) -> usize {
        self.items.ssz_bytes_len()
    }

    fn ssz_append(&self, buf: &mut Vec<u8>) {
        self.items.ssz_append(buf);
    }
}

impl<T: Decode, S: Shape> Decode for Sequence<T, S> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn from_ssz_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let items = if bytes.is_empty() {
            Vec::new()
        } else if T::is_ssz_fixed_len() {
            decode_fixed(bytes, S::MAX_ITEMS)?
        } else {
            decode_variable(bytes, S::MAX_ITEMS)?
        };
        Ok(Self { items, shape: PhantomData })
    }
}

impl<T: TreeHash, S: Shape> TreeHash for Sequence<T, S> {
    never_packed!(List);

    fn tree_hash_root(&self) -> Hash256 {
        let root = match T::tree_hash_type() {
            TreeHashType::Basic => {
                let per_chunk = T::tree_hash_packing_factor();
                let mut packed = Vec::with_capacity(self.items.len() * BYTES_PER_CHUNK / per_chunk);
                self.items.iter().for_each(|item| packed.extend_from_slice(&item.tree_hash_packed_encoding()));
                S::merkleize(&packed, S::MAX_ITEMS.div_ceil(per_chunk))
            }
            TreeHashType::Vector | TreeHashType::List | TreeHashType::Container => {
                let mut roots = Vec::with_capacity(self.items.len() * BYTES_PER_CHUNK);
                self.items.iter().for_each(|item| roots.extend_from_slice(item.tree_hash_root().as_slice()));
                S::merkleize(&roots, S::MAX_ITEMS)
            }
        };
        mix_in_length(&root, self.items.len())
    }
}

/// Items side by side, one allocation of their exact number.
fn decode_fixed<T: Decode>(bytes: &[u8], max_items: usize) -> Result<Vec<T>, DecodeError> {
    let size = T::ssz_fixed_len();
    let count = bytes.len().checked_div(size).ok_or(DecodeError::ZeroLengthItem)?;
    check_count(count, max_items)?;
    if count * size != bytes.len() {
        return Err(DecodeError::InvalidByteLength { len: bytes.len(), expected: count * size });
    }
    let mut items = Vec::with_capacity(count);
    for item in bytes.chunks_exact(size) {
        items.push(T::from_ssz_bytes(item)?);
    }
    Ok(items)
}

/// Items behind a table of offsets.
///
/// The table costs a sender 4 bytes per item, an item in memory hundreds: so no more room is reserved than the bytes
/// would fill, and the rest grows as items turn out to be there.
fn decode_variable<T: Decode>(bytes: &[u8], max_items: usize) -> Result<Vec<T>, DecodeError> {
    let count = offset_count(bytes, max_items)?;
    let mut items = Vec::with_capacity(count.min(bytes.len() / size_of::<T>() + 1));
    let mut start = read_offset(bytes)?;
    for next in 1..=count {
        let end = if next == count { bytes.len() } else { next_offset(bytes, next, start)? };
        let item = bytes.get(start..end).ok_or(DecodeError::OffsetOutOfBounds(start))?;
        items.push(T::from_ssz_bytes(item)?);
        start = end;
    }
    Ok(items)
}

/// How many items the table of offsets at the start of non-empty `bytes` announces; at least one.
pub(super) fn offset_count(bytes: &[u8], max_items: usize) -> Result<usize, DecodeError> {
    let first = read_offset(bytes)?;
    if first < BYTES_PER_LENGTH_OFFSET || !first.is_multiple_of(BYTES_PER_LENGTH_OFFSET) {
        return Err(DecodeError::InvalidListFixedBytesLen(first));
    }
    if first > bytes.len() {
        return Err(DecodeError::OffsetOutOfBounds(first));
    }
    let count = first / BYTES_PER_LENGTH_OFFSET;
    check_count(count, max_items)?;
    Ok(count)
}

/// Offset number `index` of a list's table: within the bytes, and not before `previous`.
pub(super) fn next_offset(bytes: &[u8], index: usize, previous: usize) -> Result<usize, DecodeError> {
    let at = bytes.get(index * BYTES_PER_LENGTH_OFFSET..).unwrap_or_default();
    match read_offset(at)? {
        offset if offset > bytes.len() => Err(DecodeError::OffsetOutOfBounds(offset)),
        offset if offset < previous => Err(DecodeError::OffsetsAreDecreasing(offset)),
        offset => Ok(offset),
    }
}

/// Refuses more items than the type allows.
pub(super) fn check_count(count: usize, max_items: usize) -> Result<(), DecodeError> {
    if count > max_items {
        return Err(DecodeError::BytesInvalid(format!("{count} items in a list of at most {max_items}")));
    }
    Ok(())
}

/// Items that `Debug` shows.
const SHOWN: usize = 8;
