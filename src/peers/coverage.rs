//! Which subnets and columns the ready peers cover, how many are enough, and what is missing.
//!
//! Made anew from the ready peers by the manager, which ranks candidates and asks for lookups by what is missing;
//! pruning asks it whom to spare. It knows bits, not how custody follows from a node id.

use std::ops::{BitAnd, BitOr, Not};

use crate::types::{Attnets, MetaData, Syncnets};

/// A set of attestation subnets, sync-committee subnets and data columns: what one peer serves, or what is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cover {
    /// One bit for each of 64 attestation subnets.
    pub attnets: u64,
    /// One bit for each of 4 sync-committee subnets.
    pub syncnets: u8,
    /// One bit for each of 128 data columns.
    pub columns: u128,
}

/// How many ready peers are enough for each subnet or column that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverTargets {
    /// For each attestation subnet.
    pub attnets: u16,
    /// For each sync-committee subnet.
    pub syncnets: u16,
    /// For each column.
    pub columns: u16,
}

impl Default for CoverTargets {
    /// Lighthouse, Grandine and Teku want 3 peers on a subnet. 100 peers of 4 columns each make 3 for a column.
    fn default() -> Self {
        Self { attnets: 3, syncnets: 2, columns: 2 }
    }
}

/// One subnet or column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// An attestation subnet, below 64.
    Attnet(u8),
    /// A sync-committee subnet, below 4.
    Syncnet(u8),
    /// A data column, below 128.
    Column(u8),
}

/// How many ready peers cover each subnet and column. 400 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    wanted: Cover,
    targets: CoverTargets,
    attnets: [u16; 64],
    syncnets: [u16; 4],
    columns: [u16; 128],
}

/// What is missing, in two degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Need {
    /// Wanted, and nobody covers it.
    pub bare: Cover,
    /// Wanted, and fewer cover it than are enough; what is bare is in here too.
    pub thin: Cover,
}

impl Cover {
    /// What a peer says in its metadata, with the columns that the caller computed from its custody group count.
    #[must_use]
    pub fn of_metadata(metadata: &MetaData, columns: u128) -> Self {
        Self::new(&metadata.attnets, metadata.syncnets.as_ref(), columns)
    }

    /// From the bit vectors of a record or of metadata.
    #[must_use]
    pub fn new(attnets: &Attnets, syncnets: Option<&Syncnets>, columns: u128) -> Self {
        let attnets = bits(attnets.iter());
        let syncnets = syncnets.map_or(0, |syncnets| bits(syncnets.iter()).to_le_bytes()[0]);
        Self { attnets, syncnets, columns }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.attnets == 0 && self.syncnets == 0 && self.columns == 0
    }

    /// How many subnets and columns are in it, at most 196.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.attnets.count_ones() + self.syncnets.count_ones() + self.columns.count_ones()
    }

    /// Every subnet and column in it, in order.
    pub fn items(self) -> impl Iterator<Item = Item> {
        let attnets = (0..64).filter(move |n| self.attnets >> n & 1 == 1).map(Item::Attnet);
        let syncnets = (0..4).filter(move |n| self.syncnets >> n & 1 == 1).map(Item::Syncnet);
        let columns = (0..128).filter(move |n| self.columns >> n & 1 == 1).map(Item::Column);
        attnets.chain(syncnets).chain(columns)
    }
}

impl BitAnd for Cover {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self {
            attnets: self.attnets & other.attnets,
            syncnets: self.syncnets & other.syncnets,
            columns: self.columns & other.columns,
        }
    }
}

impl BitOr for Cover {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            attnets: self.attnets | other.attnets,
            syncnets: self.syncnets | other.syncnets,
            columns: self.columns | other.columns,
        }
    }
}

impl Not for Cover {
    type Output = Self;

    fn not(self) -> Self {
        Self { attnets: !self.attnets, syncnets: !self.syncnets & 0xf, columns: !self.columns }
    }
}

impl Coverage {
    /// Counts what these peers cover of what is wanted.
    pub fn new(wanted: Cover, targets: CoverTargets, peers: impl IntoIterator<Item = Cover>) -> Self {
        let mut coverage = Self { wanted, targets, attnets: [0; 64], syncnets: [0; 4], columns: [0; 128] };
        for peer in peers {
            coverage.add(peer);
        }
        coverage
    }

    /// Counts one peer more.
    pub fn add(&mut self, peer: Cover) {
        for item in peer.items() {
            let count = self.count_mut(item);
            *count = count.saturating_add(1);
        }
    }

    /// Counts one peer less.
    pub fn remove(&mut self, peer: Cover) {
        for item in peer.items() {
            let count = self.count_mut(item);
            *count = count.saturating_sub(1);
        }
    }

    /// How many peers cover a subnet or column.
    #[must_use]
    pub fn count(&self, item: Item) -> u16 {
        match item {
            Item::Attnet(n) => self.attnets.get(usize::from(n)),
            Item::Syncnet(n) => self.syncnets.get(usize::from(n)),
            Item::Column(n) => self.columns.get(usize::from(n)),
        }
        .copied()
        .unwrap_or(0)
    }

    /// What is missing.
    #[must_use]
    pub fn need(&self) -> Need {
        Need { bare: self.wanted_below(|_| 1), thin: self.wanted_below(|item| self.enough(item)) }
    }

    /// The subnets and columns that would be thin, or thinner, with one peer less: who covers one is worth keeping.
    #[must_use]
    pub fn tight(&self) -> Cover {
        self.wanted_below(|item| self.enough(item).saturating_add(1))
    }

    fn wanted_below(&self, least: impl Fn(Item) -> u16) -> Cover {
        let mut short = Cover::default();
        for item in self.wanted.items().filter(|item| self.count(*item) < least(*item)) {
            match item {
                Item::Attnet(n) => short.attnets |= 1 << n,
                Item::Syncnet(n) => short.syncnets |= 1 << n,
                Item::Column(n) => short.columns |= 1 << n,
            }
        }
        short
    }

    const fn enough(&self, item: Item) -> u16 {
        match item {
            Item::Attnet(_) => self.targets.attnets,
            Item::Syncnet(_) => self.targets.syncnets,
            Item::Column(_) => self.targets.columns,
        }
    }

    fn count_mut(&mut self, item: Item) -> &mut u16 {
        // items come from `Cover::items` alone, whose numbers are in range
        match item {
            Item::Attnet(n) => &mut self.attnets[usize::from(n) % 64],
            Item::Syncnet(n) => &mut self.syncnets[usize::from(n) % 4],
            Item::Column(n) => &mut self.columns[usize::from(n) % 128],
        }
    }
}

impl Need {
    /// How much a candidate would help; 0 if not at all. What nobody covers counts four times.
    #[must_use]
    pub fn rank(&self, candidate: Cover) -> u32 {
        3 * (self.bare & candidate).count() + (self.thin & candidate).count()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.thin.is_empty()
    }

    /// What a lookup should be after: what nobody covers if there is such, else what too few cover.
    #[must_use]
    pub const fn urgent(&self) -> Cover {
        if self.bare.is_empty() { self.thin } else { self.bare }
    }
}

fn bits(bits: impl Iterator<Item = bool>) -> u64 {
    bits.take(64).enumerate().filter(|(_, set)| *set).fold(0, |all, (n, _)| all | 1 << n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cover(attnets: u64, syncnets: u8, columns: u128) -> Cover {
        Cover { attnets, syncnets, columns }
    }

    #[test]
    fn reads_the_bits_of_metadata() {
        let mut metadata = MetaData { syncnets: Some(Syncnets::default()), ..MetaData::default() };
        metadata.attnets.set(0, true).unwrap();
        metadata.attnets.set(63, true).unwrap();
        metadata.syncnets.as_mut().unwrap().set(3, true).unwrap();
        assert_eq!(Cover::of_metadata(&metadata, 5), cover(1 | 1 << 63, 8, 5));
        assert_eq!(Cover::of_metadata(&MetaData::default(), 0), Cover::default());
    }

    #[test]
    fn tells_what_nobody_covers_from_what_too_few_cover() {
        let wanted = cover(0b111, 0, 0b1);
        let targets = CoverTargets { attnets: 2, syncnets: 2, columns: 1 };
        let mut coverage = Coverage::new(wanted, targets, [cover(0b011, 0, 0), cover(0b001, 0b1, 0)]);
        let need = coverage.need();
        assert_eq!((need.bare, need.thin), (cover(0b100, 0, 1), cover(0b110, 0, 1)));
        assert_eq!(need.urgent(), need.bare);
        assert_eq!(need.rank(cover(0b001, 0b1111, 0b10)), 0, "what is not wanted or not missing");
        assert_eq!((need.rank(cover(0b010, 0, 0)), need.rank(cover(0b110, 0, 1))), (1, 9));
        coverage.add(cover(0b110, 0, 1));
        assert_eq!(coverage.need().thin, cover(0b100, 0, 0));
        coverage.add(cover(0b100, 0, 0));
        assert!(coverage.need().is_empty());
    }

    #[test]
    fn what_would_be_thin_with_one_peer_less_is_tight() {
        let targets = CoverTargets { attnets: 1, syncnets: 1, columns: 1 };
        let coverage = Coverage::new(!Cover::default(), targets, [cover(0b11, 0, 0), cover(0b01, 0, 1)]);
        assert_eq!(coverage.tight(), !cover(0b01, 0, 0));
    }

    proptest! {
        #[test]
        fn counts_follow_peers_that_come_and_go(peers in prop::collection::vec((any::<u64>(), 0u8..16, any::<u128>()), 0..40)) {
            let peers: Vec<_> = peers.into_iter().map(|(attnets, syncnets, columns)| cover(attnets, syncnets, columns)).collect();
            let mut coverage = Coverage::new(!Cover::default(), CoverTargets::default(), peers.clone());
            for item in (!Cover::default()).items() {
                let holders = peers.iter().filter(|peer| peer.items().any(|held| held == item)).count();
                prop_assert_eq!(usize::from(coverage.count(item)), holders);
            }
            for peer in peers {
                coverage.remove(peer);
            }
            prop_assert_eq!(coverage.need(), Need { bare: !Cover::default(), thin: !Cover::default() });
        }
    }
}
