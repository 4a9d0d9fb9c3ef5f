//! Starts that cannot succeed here and now: one line that names what to change, and exit code 1.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};

use crate::daemon::{PATIENCE, end_all};
use crate::testbed::{self, Testbed};

#[test]
fn a_port_in_use_names_its_flag() -> Result<()> {
    testbed::run(|bed| {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let (tcp, udp) = (tcp.local_addr()?.port().to_string(), udp.local_addr()?.port().to_string());
        ensure_refused(
            bed,
            &["--port", &tcp, "--discovery-port", "0", "--quic-port", "0"],
            &["--port", &tcp, "in use"],
        )?;
        ensure_refused(bed, &["--quic-port", &udp], &["--quic-port", &udp, "in use"])?;
        ensure_refused(bed, &["--discovery-port", &udp], &["--discovery-port", &udp, "in use"])?;
        ensure_refused(bed, &["--metrics", "--metrics-port", &tcp], &["--metrics-port", &tcp])
    })
}

#[test]
fn the_ports_of_another_daemon_are_in_use() -> Result<()> {
    testbed::run(|bed| {
        let running = bed.start("running", &[])?;
        let [_, tcp, _, udp, _, quic] = running.ports();
        for (flag, port) in [("--port", &tcp), ("--discovery-port", &udp), ("--quic-port", &quic)] {
            let free = [("--port", "0"), ("--discovery-port", "0"), ("--quic-port", "0")];
            let others = free.into_iter().filter(|(other, _)| *other != flag).flat_map(|(other, port)| [other, port]);
            let flags: Vec<_> = [flag, port.as_str()].into_iter().chain(others).collect();
            ensure_refused(bed, &flags, &[flag, port, "in use"])?;
        }
        end_all(vec![running])
    })
}

#[test]
fn a_second_daemon_is_kept_out_of_the_data_directory() -> Result<()> {
    testbed::run(|bed| {
        let running = bed.start("refused", &[])?;
        ensure_refused(bed, &[], &["--data-dir", "refused", "in use by another beacond"])?;
        end_all(vec![running])
    })
}

#[test]
fn a_key_that_others_can_read_is_refused() -> Result<()> {
    testbed::run(|bed| {
        bed.start("refused", &[])?.kill()?;
        let key = bed.path("refused").join("node.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644))?;
        ensure_refused(bed, &[], &["node.key", "can be read by others", "chmod 600"])
    })
}

/// Starts a daemon on the data directory `refused` and expects it to end with one line of its own that says `parts`.
fn ensure_refused(bed: &Testbed, flags: &[&str], parts: &[&str]) -> Result<()> {
    let mut process = bed.spawn("refused", flags)?;
    let status = process.wait(PATIENCE)?;
    let lines: Vec<_> = process.read(|lines| lines.iter().map(|line| line.text.clone()).collect());
    let errors: Vec<_> = lines.iter().filter(|line| !line.starts_with('{')).collect();
    ensure!(status.code() == Some(1), "{flags:?}: {status}, {lines:?}");
    ensure!(matches!(&errors[..], [line] if line.starts_with("beacond: error: ")), "{flags:?}: {lines:?}");
    for part in parts {
        ensure!(errors[0].contains(part), "{flags:?}: {part} not in: {}", errors[0]);
    }
    Ok(())
}
