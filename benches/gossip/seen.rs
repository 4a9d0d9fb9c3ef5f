//! The memory of what was seen, filled with an epoch pair of all subnets: its size, and what a message costs beside it.
//!
//! A router alone, fed over one connection with small messages that nobody judges.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use beacond::config::TransportConfig;
use beacond::store::Identity;
use beacond::switch::{
    Lane, RouterSettings, Switch, SwitchEnds, SwitchLimits, SwitchSettings, TopicScore, TopicSubscription,
};
use beacond::tasks::TaskGroup;
use beacond::transport;
use beacond::types::{GossipTopic, Multiaddr, Muxer, PeerId, TopicKind, TopicName};
use futures::io::AsyncWriteExt;
use libp2p::StreamProtocol;
use libp2p::multiaddr::Protocol;

use crate::chain::{chain, digest};
use crate::child::{Child, heard, say};
use crate::figures::{Aim, Table, cpu_seconds, resident_mb};
use crate::frame;
use crate::run::pause_until;

const GOSSIP: StreamProtocol = StreamProtocol::new("/meshsub/1.1.0");

/// Bytes of a message: enough to be unlike others.
const MESSAGE: usize = 32;

/// Messages that are fed at a time.
const BATCH: u64 = 100_000;

pub(crate) fn section(table: &mut Table, ids: u64) -> Result<()> {
    let mut router = Child::start("router", &[])?;
    let address = router.hear("listening")?;
    let mut feeder = Child::start("feeder", &[&address])?;
    feeder.hear("ready")?;
    let (mut first_us, mut last_us, mut seen) = (0.0, 0.0, (0.0, 0.0));
    let empty_mb = resident_mb(router.id(), false)?;
    for batch in 0..ids.div_ceil(BATCH) {
        let before = cpu_seconds(router.id())?;
        feeder.tell(&format!("feed {}", batch * BATCH))?;
        while seen.0 < ((batch + 1) * BATCH) as f64 {
            pause_until(beacond::time::unix_now_ms() + 20);
            router.tell("counts")?;
            let counts = router.hear("counts")?;
            let (ids, bytes) = counts.split_once(' ').context("two counts")?;
            seen = (ids.parse()?, bytes.parse()?);
        }
        let each_us = (cpu_seconds(router.id())? - before) * 1e6 / BATCH as f64;
        if batch == 1 {
            first_us = each_us;
        }
        last_us = each_us;
    }
    let (seen_ids, seen_bytes) = seen;
    table.add("seen", "ids seen", seen_ids, "", Aim::None);
    table.add("seen", "memory of the seen cache", seen_bytes / 1e6, "MB", Aim::Below(250.0));
    let grown = resident_mb(router.id(), false)? - empty_mb;
    table.add("seen", "resident besides an empty router, with libp2p's minute cache", grown, "MB", Aim::None);
    table.add("seen", "processor time of a router per new message, second 100,000", first_us, "us", Aim::None);
    table.add("seen", "processor time of a router per new message, last 100,000", last_us, "us", Aim::None);
    Ok(())
}

/// The router, until the parent is gone.
pub(crate) async fn router() -> Result<()> {
    let mut parent = heard();
    let tasks = TaskGroup::new();
    let topic = topic()?;
    let settings = RouterSettings { digests: vec![(topic.fork_digest, false)], ..RouterSettings::default() };
    let (mut switch, ends, peer_id) = switch(settings)?;
    let loopback = Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(0));
    let address = switch.listen(loopback, "none").await?;
    // nobody judges
    let SwitchEnds { handle, events: _events, inbound_streams: _inbound_streams, gossip } = ends;
    drop(gossip);
    tasks.spawn("switch", switch.run(tasks.token().clone()));
    let score = TopicScore { weight: 0.0, per_slot: 1.0 };
    let subscription = TopicSubscription {
        topic,
        max_ssz_bytes: MESSAGE,
        lane: Lane::Quick,
        score,
        corroborable: false,
        outdated: false,
    };
    handle.subscribe(vec![subscription]).await;
    say("listening", format!("{peer_id} {address}"));
    while let Some(_counts) = parent.recv().await {
        let counts = handle.take_counts().await.context("the switch runs")?;
        say("counts", format!("{} {}", counts.seen_ids, counts.seen_bytes));
    }
    Ok(())
}

/// Who feeds it, until the parent is gone.
pub(crate) async fn feeder(address: &str) -> Result<()> {
    let mut parent = heard();
    let tasks = TaskGroup::new();
    let (peer_id, address) = address.split_once(' ').context("peer and address")?;
    let (switch, ends, _) = switch(RouterSettings::default())?;
    tasks.spawn("switch", switch.run(tasks.token().clone()));
    let connection = ends.handle.dial(peer_id.parse()?, vec![address.parse()?]).await?;
    let mut stream = connection.opener.open(vec![GOSSIP]).await?.stream;
    let topic = topic()?.to_string();
    let mut encoder = snap::raw::Encoder::new();
    say("ready", "");
    while let Some(line) = parent.recv().await {
        let first: u64 = line.strip_prefix("feed ").context("feed")?.parse()?;
        let mut chunk = Vec::new();
        for number in first..first + BATCH {
            let mut message = [0; MESSAGE];
            // spread over all bytes, as signatures are
            for (part, bytes) in message.chunks_exact_mut(8).enumerate() {
                let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(13 * part as u32);
                bytes.copy_from_slice(&mixed.to_le_bytes());
            }
            chunk.extend_from_slice(&frame::publish(&topic, &encoder.compress_vec(&message)?));
            if chunk.len() > 64 * 1024 || number + 1 == first + BATCH {
                stream.write_all(&chunk).await?;
                stream.flush().await?;
                chunk.clear();
            }
        }
    }
    Ok(())
}

fn topic() -> Result<GossipTopic> {
    let chain = chain(1_700_000_000, Duration::from_secs(12));
    let name = TopicName::subnet_of(TopicKind::BeaconAttestation, 0).context("subnet 0")?;
    Ok(GossipTopic { fork_digest: digest(&chain), name })
}

fn switch(gossip: RouterSettings) -> Result<(Switch, SwitchEnds, PeerId)> {
    let identity = Identity::generate();
    let transports = TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux] };
    let (transport, muxers) = transport::build(&identity.keypair, &transports)?;
    let (switch, ends) = Switch::new(SwitchSettings {
        keypair: identity.keypair,
        transport,
        muxers,
        protocols: Vec::new(),
        limits: SwitchLimits { pending_inbound: 2, pending_outbound: 2, established_inbound: 2, established: 2 },
        metrics: None,
        gossip,
    });
    Ok((switch, ends, identity.peer_id))
}
