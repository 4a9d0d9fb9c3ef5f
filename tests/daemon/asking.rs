//! Questions to a daemon, by `beacond request`.

use anyhow::{Result, ensure};

use crate::daemon::end_all;
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
