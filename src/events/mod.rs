//! What happens, said once: the typed catalogue of events and the bus that carries them.
//!
//! Every module emits through an [`Events`] handle; `node` creates it and registers the observers (metrics, later
//! sinks). An emitted [`NodeEvent`] becomes a log line, a fold into the metrics and a record for subscribers. This
//! module knows none of its readers, and opens no span: the node's is the business of whoever runs it.

mod bus;
mod catalogue;
mod field;
mod macros;
#[cfg(test)]
mod tests;

pub use bus::{Events, Observer, RING_EVENTS, Subscription};
pub use catalogue::{CATALOGUE, NodeEvent};

/// What the catalogue says of one event.
#[derive(Clone, Copy, Debug)]
pub struct EventInfo {
    /// `<domain>.<past_tense>`.
    pub name: &'static str,
    /// Level of its log line.
    pub level: tracing::Level,
    /// What it means, on one line.
    pub doc: &'static str,
    /// Its fields, in the order of the log line, without the leading `event`.
    pub fields: &'static [FieldInfo],
}

/// What the catalogue says of one field.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// Name, `snake_case`, with its unit.
    pub name: &'static str,
    /// Rust type, as written in the table.
    pub kind: &'static str,
    /// What it means, on one line.
    pub doc: &'static str,
}
