//! Where a peer's address came from, and so how much patience it is owed. Used by every file of this module.

/// Where a candidate came from; the earlier variant wins when one peer has several sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A bootstrap node of the network or of `--boot-nodes`.
    BootNode,
    /// Named by the operator by flag or API.
    KnownPeer,
    /// Found by discovery, or a peer that dialled us.
    Discovered,
}

impl Source {
    /// Whether somebody vouches for the peer: never dropped, always redialled, always admitted.
    #[must_use]
    pub const fn is_known(self) -> bool {
        match self {
            Self::BootNode | Self::KnownPeer => true,
            Self::Discovered => false,
        }
    }

    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BootNode => "boot_node",
            Self::KnownPeer => "known_peer",
            Self::Discovered => "discovered",
        }
    }
}
