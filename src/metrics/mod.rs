//! Numbers for operators: folds events into metric families and serves them to Prometheus.
//!
//! `node` creates [`Metrics`], lets libp2p and other parts register their own families, hands the [`Recorder`] to
//! [`Events`](crate::events::Events) and runs [`serve`]. Nothing here is global, and nothing else reads the families.
//! A part with families of its own declares them with `metric_group!` and registers them before serving.

mod family;
mod groups;
mod http;
mod process;
mod recorder;
mod registry;
#[cfg(test)]
mod tests;

pub use family::{Counts, FamilyInfo, Kind, Levels, LongSeconds, Seconds, Series};
pub use http::{BindError, bind, serve};
pub use recorder::Recorder;
pub use registry::Metrics;

/// Every family that this module registers, in the order of the exposition: those fed by events, then the process's.
pub fn families() -> impl Iterator<Item = &'static FamilyInfo> {
    groups::families().chain(process::families())
}
