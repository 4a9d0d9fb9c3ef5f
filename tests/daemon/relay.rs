//! A road to one daemon over TCP, which can be cut as a firewall or a dead uplink cuts it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::daemon::Daemon;

/// What becomes of a connection attempt over a road that is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// The system says at once that nobody listens.
    Refused,
    /// It is taken in, and nobody ever says a word.
    Swallowed,
}

/// A port that stands for a daemon's; its own for as long as this lives. Nobody listens there at first.
#[derive(Debug)]
pub(crate) struct Relay {
    runtime: Handle,
    port: u16,
    traffic: Traffic,
}

#[derive(Debug)]
enum Traffic {
    /// Held, so that nobody else gets the port.
    None {
        _held: TcpSocket,
    },
    Runs(JoinHandle<()>),
    /// Between two of the others.
    Ends,
}

impl Relay {
    /// Reserves a port.
    pub(crate) fn reserve(runtime: &Handle) -> Result<Self> {
        let _guard = runtime.enter();
        let held = bind(0)?;
        let port = held.local_addr()?.port();
        Ok(Self { runtime: runtime.clone(), port, traffic: Traffic::None { _held: held } })
    }

    /// Flags for a daemon that others reach over this road alone.
    pub(crate) fn flags(&self) -> [String; 6] {
        ["--transports", "tcp", "--enr-address", "127.0.0.1", "--enr-tcp-port", &self.port.to_string()]
            .map(str::to_owned)
    }

    /// Leads to the daemon from now on.
    pub(crate) fn lead_to(&mut self, daemon: &Daemon) -> Result<()> {
        let addresses = daemon.started.str("addresses");
        let port = addresses.split("/tcp/").nth(1).and_then(|rest| rest.split('/').next()).context("no TCP port")?;
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
        let listener = self.listen()?;
        self.traffic = Traffic::Runs(self.runtime.spawn(carry(listener, target)));
        Ok(())
    }

    /// Ends every connection; what comes next is refused or swallowed.
    pub(crate) fn cut(&mut self, how: Cut) -> Result<()> {
        match how {
            Cut::Refused => {
                self.end_traffic();
                let _guard = self.runtime.enter();
                self.traffic = Traffic::None { _held: bind(self.port)? };
            }
            Cut::Swallowed => {
                let listener = self.listen()?;
                self.traffic = Traffic::Runs(self.runtime.spawn(swallow(listener)));
            }
        }
        Ok(())
    }

    fn listen(&mut self) -> io::Result<TcpListener> {
        self.end_traffic();
        let _guard = self.runtime.enter();
        bind(self.port)?.listen(128)
    }

    fn end_traffic(&mut self) {
        if let Traffic::Runs(task) = std::mem::replace(&mut self.traffic, Traffic::Ends) {
            task.abort();
            // cancelled, as it should be; its sockets are closed by then
            let _ = self.runtime.block_on(task);
        }
    }
}

/// Takes a port that is ours. A process that is being started elsewhere in this one holds the closed listener for a moment.
fn bind(port: u16) -> io::Result<TcpSocket> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        match socket.bind((Ipv4Addr::LOCALHOST, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < end => std::thread::yield_now(),
            bound => return bound.map(|()| socket),
        }
    }
}

/// Carries what comes to the target and back; ends all of it when dropped.
async fn carry(listener: TcpListener, target: SocketAddr) {
    let mut links = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        links.spawn(async move {
            if let Ok(mut far) = TcpStream::connect(target).await {
                // either end may go whenever it likes
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

async fn swallow(listener: TcpListener) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        held.push(stream);
    }
}
