//! What a handshaken connection costs, against a plain libp2p connection that has been identified, in the same run.
//!
//! Nodes and their rivals live in this process and talk over loopback; samples of both alternate, so that whatever
//! else the machine does falls on both. Prints tables, takes half a minute. Both ends share the machine, each on a thread
//! of its own; the processor time of a connection is that of both sides.
//!
//! `cargo bench --bench handshake`

#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

mod beside;
mod figures;
mod ours;
mod rival;
mod way;

use anyhow::{Context, Result};
use beacond::tasks::runtime;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::time::Instant;

use beside::beside;
use figures::{Figures, Spent};
use ours::{Dialler, Listener};
use rival::{PlainDialler, PlainListener};
use way::Way;

/// Connects of each kind, one after another.
const SEQUENTIAL: usize = 200;

/// Connects of each kind at once in the throughput part.
const CONCURRENT: usize = 200;

/// Of which this many at a time: what one node dials at once.
const IN_FLIGHT: usize = 32;

/// Connections on which Status is exchanged, as often as a peer may without being slowed down.
const ASKING: usize = 50;

fn main() -> Result<()> {
    // the first use of the TLS library's random source takes a tenth of a second
    beacond::transport::warm_up();
    // each end on a thread of its own, as two daemons are
    let beside = beside()?;
    runtime()?.block_on(async {
        latency(&beside).await?;
        status(&beside).await
    })?;
    runtime()?.block_on(throughput())
}

/// From the wish to connect to `handshake.completed`, against plain connect and identify.
async fn latency(beside: &Handle) -> Result<()> {
    println!("\nconnect, one after another, {SEQUENTIAL} each (ms)\n");
    println!("{:<12} {:<26} {:>7} {:>7}  steps of ours at p50", "over", "what", "p50", "p95");
    for way in Way::ALL {
        let (listener, plain_listener) = (Listener::start(beside).await?, PlainListener::start(way, beside).await?);
        let mut by_dialler = Figures::default();
        let mut by_listener = Figures::default();
        let mut plain = Figures::default();
        let mut steps = [Figures::default(), Figures::default(), Figures::default(), Figures::default()];
        for _ in 0..SEQUENTIAL {
            let mut dialler = Dialler::new(way).await?;
            let done = dialler.connect(&listener).await?;
            by_dialler.add(done.dialler);
            by_listener.add(done.listener);
            for (step, duration) in steps.iter_mut().zip(done.steps) {
                step.add(duration);
            }
            dialler.stop().await?;
            plain.add(PlainDialler::new(way)?.connect(&plain_listener).await?);
        }
        let [dial, status, metadata, ping] = steps.map(|step| step.p(50));
        let steps = format!("dial {dial:.2}  status {status:.2}  metadata {metadata:.2}  ping {ping:.2}");
        println!("{way:<12} {:<26} {by_dialler}  {steps}", "handshaken, dialler");
        println!("{way:<12} {:<26} {by_listener}", "handshaken, both sides");
        println!("{way:<12} {:<26} {plain}", "libp2p identified");
        println!("{way:<12} {:<26} {:>7.2}x", "ratio at p50", by_dialler.p(50) / plain.p(50));
    }
    Ok(())
}

/// Status on connections that are handshaken already, against an echo that takes as many round trips.
async fn status(beside: &Handle) -> Result<()> {
    println!("\none exchange on a live connection, stream and negotiation included (ms)\n");
    println!("{:<12} {:<26} {:>7} {:>7} {:>7}", "over", "what", "p50", "p95", "p99");
    for way in Way::ALL {
        let listener = Listener::start(beside).await?;
        let (mut status, mut echo) = (Figures::default(), Figures::default());
        for _ in 0..ASKING {
            let asked = ours::ask_status(way, &listener).await?;
            status.extend(asked.status);
            echo.extend(asked.echo);
        }
        println!("{way:<12} {:<26} {status} {:>7.3}", "Status", status.p(99));
        println!("{way:<12} {:<26} {echo} {:>7.3}", "libp2p ping, fresh stream", echo.p(99));
    }
    Ok(())
}

/// Many fresh nodes dial one, everything on one core. The ratio is that of processor time: wall time is the same on a
/// core that does nothing else.
async fn throughput() -> Result<()> {
    println!("\nconnections on one core, {CONCURRENT} with {IN_FLIGHT} in flight, processor time of both sides\n");
    println!("{:<12} {:<26} {:>8} {:>12} {:>12}", "over", "what", "per s", "CPU ms each", "per CPU s");
    for way in Way::ALL {
        let ours = handshaken_at_once(way).await?;
        let plain = identified_at_once(way).await?;
        println!("{way:<12} {:<26} {ours}", "handshaken");
        println!("{way:<12} {:<26} {plain}", "libp2p identified");
        println!("{way:<12} {:<26} {:>33.2}x", "ratio", ours.per_cpu_second() / plain.per_cpu_second());
    }
    Ok(())
}

async fn handshaken_at_once(way: Way) -> Result<Spent> {
    let listener = Listener::start(&Handle::current()).await?;
    let mut diallers = Vec::new();
    for _ in 0..CONCURRENT {
        diallers.push(Dialler::new(way).await?);
    }
    let before = Spent::start()?;
    let listener = &listener;
    let mut done = futures::stream::iter(diallers)
        .map(|mut dialler| async move {
            let connected = dialler.connect_among_many(listener).await;
            connected.map(|()| dialler)
        })
        .buffer_unordered(IN_FLIGHT);
    let mut connected = Vec::new();
    while let Some(dialler) = done.next().await {
        connected.push(dialler.context("a handshake of many")?);
    }
    let spent = before.end(connected.len())?;
    for dialler in connected {
        dialler.stop().await?;
    }
    Ok(spent)
}

async fn identified_at_once(way: Way) -> Result<Spent> {
    let listener = PlainListener::start(way, &Handle::current()).await?;
    let diallers = (0..CONCURRENT).map(|_| PlainDialler::new(way)).collect::<Result<Vec<_>>>()?;
    let before = Spent::start()?;
    let listener = &listener;
    let mut done = futures::stream::iter(diallers)
        .map(|mut dialler| async move {
            let connected = dialler.connect(listener).await;
            connected.map(|_| dialler)
        })
        .buffer_unordered(IN_FLIGHT);
    let mut connected = Vec::new();
    while let Some(dialler) = done.next().await {
        connected.push(dialler.context("an identify of many")?);
    }
    before.end(connected.len())
}

/// Milliseconds since.
fn since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}
