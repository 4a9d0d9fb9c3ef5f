//! Questions to a daemon, by `beacond request`.

use anyhow::{Result, ensure};
use tokio::time::Instant;

use crate::daemon::{PATIENCE, end_all};
use crate::testbed::{self, beacond};

#[test]
fn an_empty_answer_is_complete_and_whoever_asked_says_goodbye() -> Result<()> {
    testbed::run(|bed| {
        let daemon = bed.start("daemon", &[])?;
        let root = format!("0x{}", "07".repeat(32));
        let mut command = beacond();
        command.args(["request", "beacon_blocks_by_root", "--root", &root, "--root", &root, "--peer", daemon.enr()]);
        command.arg("--network-dir").arg(bed.network()).arg("--raw").arg(bed.path("raw/blocks"));
        let output = command.args(["--timeout", "30"]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(0) && output.stdout.is_empty(), "{}: {said}", output.status);
        let summary = format!("0 chunks, 0 bytes of SSZ, from {}", daemon.peer_id());
        ensure!(said.contains(&summary), "{said}");
        ensure!(bed.path("raw/blocks").read_dir()?.count() == 0, "nothing to keep");

        let gone = daemon.event("peer.disconnected")?;
        ensure!(gone.str("reason") == "goodbye_received", "{}", gone.text);
        end_all(vec![daemon])
    })
}

#[test]
fn a_named_peer_of_another_network_ends_the_question_at_once_and_by_its_name() -> Result<()> {
    testbed::run(|bed| {
        let daemon = bed.start("daemon", &[])?;
        let mut command = beacond();
        // the boot nodes of that network must not be dialled: nothing here reaches them
        command.args(["request", "light_client_finality_update", "--network", "hoodi", "--peer", daemon.enr()]);
        let asked = Instant::now();
        let output = command.args(["--timeout", "600"]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(1) && said.contains("--peer: refused at status: wrong_fork_digest"),
            "{said}"
        );
        ensure!(asked.elapsed() < PATIENCE, "it waited for the end of the time");
        end_all(vec![daemon])
    })
}
