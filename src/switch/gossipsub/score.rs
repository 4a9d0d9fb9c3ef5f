//! What a topic is worth in peers' scores.

/// What peers' scores on a topic are derived from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicScore {
    /// Weight of one topic among all.
    pub weight: f64,
    /// Messages that one such topic brings in a slot, as far as is known beforehand.
    pub per_slot: f64,
}
