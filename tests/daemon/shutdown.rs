//! How a daemon ends when it is told to.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use crate::daemon::{Daemon, end_all};
use crate::testbed::{self, Testbed};

/// All goodbyes of a shutdown together may take 1 s, and nothing else has to wait for anybody.
const IN_ORDER: Duration = Duration::from_secs(5);

/// A second signal waits for nobody; this leaves time to start `kill`, and is less than a goodbye that nobody hears.
const AT_ONCE: Duration = Duration::from_millis(900);

#[test]
fn sigterm_says_goodbye_and_ends_in_order() -> Result<()> {
    testbed::run(|bed| ends_in_order(bed, "TERM"))
}

#[test]
fn sigint_says_goodbye_and_ends_in_order() -> Result<()> {
    testbed::run(|bed| ends_in_order(bed, "INT"))
}

#[test]
fn sighup_says_goodbye_and_ends_in_order() -> Result<()> {
    testbed::run(|bed| ends_in_order(bed, "HUP"))
}

fn ends_in_order(bed: &Testbed, signal: &str) -> Result<()> {
    let (mut leaver, stayer) = pair(bed)?;
    let began = Instant::now();
    leaver.signal(signal);
    let status = leaver.wait()?;
    let took = began.elapsed();
    eprintln!("daemon: ended {took:.2?} after SIG{signal}");
    ensure!(status.code() == Some(0), "ended with {status}");
    ensure!(took < IN_ORDER, "took {took:?}");

    let stopping = leaver.event("node.stopping")?;
    ensure!(stopping.str("reason") == "signal", "{}", stopping.text);
    let stopped = leaver.event("node.stopped")?;
    ensure!(stopped.field("goodbyes") == 1, "{}", stopped.text);
    let gone = stayer.event_of("peer.disconnected", &leaver)?;
    ensure!(gone.str("reason") == "goodbye_received" && gone.field("goodbye_code") == 1, "{}", gone.text);
    end_all(vec![stayer])
}

#[test]
fn a_second_signal_ends_at_once() -> Result<()> {
    testbed::run(|bed| {
        let (mut leaver, stayer) = pair(bed)?;
        // one that does not listen to the goodbye, so that there is something to cut short
        stayer.signal("STOP");
        leaver.signal("TERM");
        leaver.event("node.stopping")?;
        let began = Instant::now();
        leaver.signal("INT");
        let status = leaver.wait()?;
        let took = began.elapsed();
        stayer.signal("CONT");
        eprintln!("daemon: ended {took:.2?} after the second signal");
        ensure!(status.code() == Some(130), "ended with {status}");
        ensure!(took < AT_ONCE, "took {took:?}");
        ensure!(leaver.event("node.stopped").is_err(), "the shutdown ran to its end");
        end_all(vec![stayer])
    })
}

#[test]
fn a_peer_that_does_not_listen_cannot_hold_up_the_shutdown() -> Result<()> {
    testbed::run(|bed| {
        let (mut leaver, stayer) = pair(bed)?;
        stayer.signal("STOP");
        let began = Instant::now();
        leaver.signal("TERM");
        let status = leaver.wait()?;
        let took = began.elapsed();
        stayer.signal("CONT");
        eprintln!("daemon: ended {took:.2?} after SIGTERM with a silent peer");
        ensure!(status.code() == Some(0), "ended with {status}");
        ensure!(took < IN_ORDER, "took {took:?}");
        end_all(vec![stayer])
    })
}

/// Two daemons that are connected; the first has dialled.
fn pair(bed: &Testbed) -> Result<(Daemon, Daemon)> {
    let stayer = bed.start("stayer", &[])?;
    let leaver = bed.start("leaver", &["--boot-nodes", stayer.enr()])?;
    leaver.connected_to(&stayer)?;
    Ok((leaver, stayer))
}
