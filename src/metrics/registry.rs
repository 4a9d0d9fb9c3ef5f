//! The registry of every metric family, and the text that a scrape reads.
//!
//! `node` owns it while parts register, then shares it with the server. It does not know who registers.

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use super::Recorder;
use super::process::Process;

/// All metric families of one node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// A registry with the families of events and of the process, and the observer that feeds the former.
    #[must_use]
    pub fn new() -> (Self, Arc<Recorder>) {
        let mut registry = Registry::default();
        let recorder = Recorder::register(&mut registry);
        registry.register_collector(Box::new(Process));
        (Self { registry }, Arc::new(recorder))
    }

    /// The registry without any prefix, for parts that register families of their own before serving begins.
    ///
    /// libp2p's families go here, and get their own prefix: `libp2p::metrics::Metrics::new(metrics.registry_mut())`.
    pub const fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Every family in the OpenMetrics text format, version 1.0.0.
    ///
    /// Reads a few files under `/proc`: call it where blocking for a millisecond is fine.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(INITIAL_BYTES);
        text::encode(&mut out, &self.registry).expect("writing to a string cannot fail, and no metric refuses");
        out
    }
}

/// A scrape of a node with peers of every client is about this long.
const INITIAL_BYTES: usize = 32 * 1024;
