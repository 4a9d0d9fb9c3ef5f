//! Where metrics are served.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

/// Options about metrics.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Metrics")]
#[serde(rename_all = "kebab-case")]
pub struct MetricsOptions {
    /// Serve Prometheus metrics at /metrics
    #[arg(long)]
    pub metrics: bool,
    /// Address of the metrics server
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub metrics_address: IpAddr,
    /// TCP port of the metrics server; 0 takes any free port
    #[arg(long, value_name = "PORT", default_value_t = 8008)]
    pub metrics_port: u16,
}

impl MetricsOptions {
    pub(super) fn validate(&self) -> Option<SocketAddr> {
        self.metrics.then(|| SocketAddr::new(self.metrics_address, self.metrics_port))
    }
}
