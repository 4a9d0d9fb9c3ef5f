//! Serves the metrics over HTTP: `GET /metrics`, and a hint everywhere else.
//!
//! `node` binds at start-up, so that a taken port is an error before anything else runs, and serves last of all
//! until shutdown. Knows nothing of what is measured. There is no authentication: bind it to loopback.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Metrics;
use crate::fault::{Classify, Fault};

/// The metrics cannot be served where the operator wants them.
#[derive(Debug, thiserror::Error)]
#[error("metrics address {address} cannot be bound: choose another with --metrics-port")]
pub struct BindError {
    /// Where it was tried.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

impl Classify for BindError {
    fn fault(&self) -> Fault {
        Fault::Local
    }

    fn reason(&self) -> &'static str {
        "metrics_bind"
    }
}

/// Opens the listener for [`serve`].
///
/// # Errors
/// [`BindError`] names the address and the flag that changes it.
///
/// Cancel safe.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Answers scrapes until `token` is cancelled, then lets those under way finish for at most a second.
///
/// # Errors
/// None is known to occur: a connection that breaks ends alone.
///
/// Cancel safe: dropping the future closes the listener.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, token: CancellationToken) -> io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(scrape))
        .method_not_allowed_fallback(hint)
        .fallback(hint)
        .with_state(metrics);
    let server = axum::serve(listener, router).with_graceful_shutdown(token.clone().cancelled_owned());
    let grace_over = async {
        token.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        result = server => result,
        () = grace_over => Ok(()),
    }
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    // reads files, and takes a millisecond when there are many families
    match tokio::task::spawn_blocking(move || metrics.encode()).await {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn hint() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "metrics are at GET /metrics\n")
}

/// [OpenMetrics 1.0](https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md)
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long shutdown waits for scrapes under way.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn request(address: SocketAddr, line: &str) -> anyhow::Result<(String, String)> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{line} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let (head, body) = response.split_once("\r\n\r\n").ok_or_else(|| anyhow::anyhow!("no body"))?;
        Ok((head.to_owned(), body.to_owned()))
    }

    #[tokio::test]
    async fn serves_openmetrics_hints_elsewhere_and_stops_when_told() -> anyhow::Result<()> {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let token = CancellationToken::new();
        let scrapes = async {
            let found = request(address, "GET /metrics").await?;
            let missing = [request(address, "GET /").await?, request(address, "POST /metrics").await?];
            // an idle connection does not hold up the shutdown
            let idle = TcpStream::connect(address).await?;
            token.cancel();
            anyhow::Ok((found, missing, idle))
        };
        let (metrics, _) = Metrics::new();
        let (served, seen) = tokio::join!(serve(listener, Arc::new(metrics), token.clone()), scrapes);
        served?;
        let ((head, body), missing, _idle) = seen?;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(OPENMETRICS), "{head}");
        assert!(body.contains("\nlibp2p_peers 0\n") && body.ends_with("# EOF\n"), "{body}");
        for (head, body) in missing {
            assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
            assert_eq!(body, "metrics are at GET /metrics\n");
        }
        Ok(())
    }

    #[tokio::test]
    async fn names_the_flag_when_the_port_is_taken() -> anyhow::Result<()> {
        let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = taken.local_addr()?;
        let err = bind(address).await.err().ok_or_else(|| anyhow::anyhow!("bound twice"))?;
        assert_eq!(err.source.kind(), io::ErrorKind::AddrInUse);
        assert!(err.to_string().contains(&address.to_string()) && err.to_string().contains("--metrics-port"), "{err}");
        Ok(())
    }
}
