//! Where others reach us while the node runs: host names that are resolved again, ports that the router maps, and the
//! verdict on whether anybody comes. What changes goes into our record.
//!
//! Started by `BeaconNode`, one task. It learns of peers by the bus, so the node's loop knows nothing of it; events that
//! are lost on a full bus cost a contact and no more.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::hosts::Hosts;
use super::places::bound_ports;
use crate::config::{Advertise, ListenConfig, ListenOn, ValidConfig};
use crate::discovery::{AddressSource, Change, Discovery, Endpoint, EnrContent, EnrUpdateReason, Reachability};
use crate::events::{Events, NodeEvent};
use crate::nat::{self, Mapped, NatSettings, Ports};
use crate::tasks::TaskGroup;
use crate::transport::ip_of;
use crate::types::{Direction, Enr, Family, Multiaddr, Service, Transport};

/// How often host names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(300);

/// How long a resolver may take.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(10);

/// How often the verdicts are looked at, and those asked who came to discovery.
const TICK: Duration = Duration::from_secs(5);

/// Asks what a host name means.
type Resolver = fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// What the task works with.
pub(super) struct Whereabouts {
    advertise: Advertise,
    listen: ListenConfig,
    discovery: Arc<dyn Discovery>,
    events: Events,
    nat: Option<NatSettings>,
    hosts: Hosts,
    resolver: Resolver,
    reachability: Reachability,
    /// What our record has from the router.
    from_router: Option<Mapped>,
}

impl Whereabouts {
    /// `listening` are libp2p's listeners, with the ports that they got.
    pub(super) fn new(
        config: &ValidConfig,
        listening: &[Multiaddr],
        discovery: Arc<dyn Discovery>,
        events: Events,
    ) -> Self {
        let advertise = config.discovery.advertise.clone();
        let mut reachability = Reachability::new();
        for (family, on) in [(Family::Ip4, &config.listen.v4), (Family::Ip6, &config.listen.v6)] {
            let used = [
                (Service::Tcp, config.transports.tcp),
                (Service::Quic, config.transports.quic),
                (Service::Discovery, config.discovery.enabled),
            ];
            for (service, _) in used.into_iter().filter(|(_, used)| *used && on.is_some()) {
                reachability.listen(family, service);
            }
        }
        let nat = config.listen.v4.as_ref().filter(|_| advertise.upnp);
        let nat = nat.and_then(|on| settings(on, listening, config.discovery.enabled)).filter(NatSettings::are_useful);
        let hosts = Hosts::new(&advertise.hosts);
        let listen = config.listen.clone();
        let resolver: Resolver = |name| Box::pin(resolve(name));
        Self { advertise, listen, discovery, events, nat, hosts, resolver, reachability, from_router: None }
    }

    /// Starts the task, and that of the router if ports are to be mapped; both end with `tasks`.
    pub(super) fn follow(self, tasks: &TaskGroup) {
        let mapped = self.nat.map(|settings| nat::start(settings, self.events.clone(), tasks));
        let token = tasks.token().clone();
        tasks.spawn("whereabouts", self.run(mapped, token));
    }

    async fn run(mut self, mut mapped: Option<watch::Receiver<Option<Mapped>>>, stop: CancellationToken) {
        let mut bus = self.events.subscribe();
        let mut enr = self.discovery.subscribe_enr();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut resolve = interval_at(Instant::now() + RESOLVE_EVERY, RESOLVE_EVERY);
        let record = enr.borrow_and_update().clone();
        self.on_record(&record);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = enr.changed() => {
                    let record = enr.borrow_and_update().clone();
                    self.on_record(&record);
                }
                Some(mapping) = changed(&mut mapped) => self.on_mapped(mapping),
                _ = tick.tick() => self.on_tick(),
                _ = resolve.tick(), if !self.advertise.hosts.is_empty() => self.resolve_hosts(&stop).await,
                event = bus.next() => match event.as_deref() {
                    // a new address may be that of the name as well
                    Some(NodeEvent::DiscoveryAddressChanged { .. }) => resolve.reset_immediately(),
                    Some(event) => self.on_event(event),
                    None => return,
                },
            }
        }
    }

    fn on_event(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::PeerConnected { direction: Direction::Inbound, transport, address, .. } => {
                let from = address.parse().ok().and_then(|address| ip_of(&address));
                if let (Some(from), Some(service)) = (from, service(*transport)) {
                    self.reachability.on_inbound(service, from, Instant::now());
                    self.act();
                }
            }
            NodeEvent::NodeHeartbeat { peers, .. } => self.reachability.on_peers(*peers, Instant::now()),
            // all else says nothing of where we are
            _ => {}
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        for from in self.discovery.take_inbound() {
            self.reachability.on_inbound(Service::Discovery, from, now);
        }
        self.reachability.on_tick(now);
        self.act();
    }

    /// Our record changed: the verdicts are about the address that it shows.
    fn on_record(&mut self, enr: &Enr) {
        let now = Instant::now();
        let source = |given: bool| if given { AddressSource::Operator } else { AddressSource::Learned };
        let given4 = self.advertise.ip4.is_some() || is_specific(self.listen.v4.as_ref());
        let given6 = self.advertise.ip6.is_some() || is_specific(self.listen.v6.as_ref());
        let (ip4, ip6) = (enr.ip4().map(IpAddr::V4), enr.ip6().map(IpAddr::V6));
        self.reachability.on_advertised(Family::Ip4, ip4.map(|ip| (ip, source(given4))), now);
        self.reachability.on_advertised(Family::Ip6, ip6.map(|ip| (ip, source(given6))), now);
        self.act();
    }

    /// Says what is news, and withdraws what is wrong. What peers voted for is discv5's to withdraw, since it would put
    /// it back with the next vote.
    fn act(&mut self) {
        for change in self.reachability.take_changes() {
            match change {
                Change::Verdict { family, service, verdict, reason } => {
                    self.events.emit(NodeEvent::NetworkReachability {
                        family: family.as_str(),
                        service: service.as_str(),
                        verdict: verdict.as_str(),
                        reason,
                        ip: self.reachability.advertised(family).map(|ip| ip.to_string()),
                    });
                }
                Change::Withdraw(Family::Ip4) => {
                    if let Some(wrong) = self.from_router.take() {
                        self.change(|content| content.ip4 = content.ip4.filter(|at| at.ip != wrong.ip));
                    }
                }
                Change::Withdraw(Family::Ip6) => {}
            }
        }
    }

    /// Takes up what the router maps, unless the operator knows better; told again at every renewal.
    fn on_mapped(&mut self, mapped: Option<Mapped>) {
        let Some(mapped @ Mapped { ip, ports }) = mapped else { return };
        let given = self.advertise.ip4.is_some() || is_specific(self.listen.v4.as_ref());
        if given || self.from_router == Some(mapped) || !self.reachability.may_advertise(ip.into(), Instant::now()) {
            return;
        }
        self.from_router = Some(mapped);
        let Advertise { udp4, tcp4, quic4, .. } = self.advertise;
        let (udp, tcp, quic) = (udp4.or(ports.discovery), tcp4.or(ports.tcp), quic4.or(ports.quic));
        self.change(|content| content.ip4 = Some(Endpoint { ip, udp, tcp, quic }));
    }

    async fn resolve_hosts(&mut self, stop: &CancellationToken) {
        let names = self.hosts.names();
        let resolver = self.resolver;
        let lookups = names.into_iter().map(|name| async move {
            let late = |_| Err(io::ErrorKind::TimedOut.into());
            let resolved = timeout(RESOLVE_PATIENCE, resolver(name.clone())).await.unwrap_or_else(late);
            (name, resolved)
        });
        // none: the node stops
        let resolved = stop.run_until_cancelled(join_all(lookups)).await.unwrap_or_default();
        let news: Vec<_> = resolved.iter().flat_map(|(name, found)| self.hosts.on_resolved(name, found)).collect();
        let (ip4, ip6) = (self.hosts.ip4(), self.hosts.ip6());
        self.change(|content| {
            content.ip4 = content.ip4.map(|at| Endpoint { ip: ip4.unwrap_or(at.ip), ..at });
            content.ip6 = content.ip6.map(|at| Endpoint { ip: ip6.unwrap_or(at.ip), ..at });
        });
        news.into_iter().for_each(|event| self.events.emit(event));
    }

    fn change(&self, mut change: impl FnMut(&mut EnrContent)) {
        if let Err(error) = self.discovery.update_enr(EnrUpdateReason::Address, &mut change) {
            tracing::error!(%error, "the record does not follow our address");
        }
    }
}

/// The router's next word; pending for ever without one.
async fn changed(mapped: &mut Option<watch::Receiver<Option<Mapped>>>) -> Option<Option<Mapped>> {
    match mapped {
        Some(receiver) => {
            receiver.changed().await.ok()?;
            Some(*receiver.borrow_and_update())
        }
        None => std::future::pending().await,
    }
}

/// What the router is to map: the ports that libp2p got, and discovery's unless any will do.
fn settings(on: &ListenOn, listening: &[Multiaddr], discovery: bool) -> Option<NatSettings> {
    let IpAddr::V4(listen) = on.ip else { return None };
    let bound = bound_ports(listening, IpAddr::is_ipv4);
    let discovery = Some(on.discovery_port).filter(|port| discovery && *port != 0);
    Some(NatSettings {
        listen,
        ports: Ports { tcp: bound.tcp, quic: bound.quic, discovery },
        search: NatSettings::SEARCH,
    })
}

/// Whether the operator chose the address to listen on, which our record then shows.
fn is_specific(on: Option<&ListenOn>) -> bool {
    on.is_some_and(|on| !on.ip.is_unspecified())
}

const fn service(transport: Transport) -> Option<Service> {
    match transport {
        Transport::Tcp => Some(Service::Tcp),
        Transport::Quic => Some(Service::Quic),
        Transport::Memory => None,
    }
}

async fn resolve(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(lookup_host((name.as_str(), 0)).await?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use enr::CombinedKey;

    use super::*;
    use crate::config::AdvertisedHost;
    use crate::discovery::{MemoryDirectory, MemoryDiscovery, build_enr};
    use crate::events::Subscription;
    use crate::types::{Attnets, EnrForkId, Epoch, ForkDigest, ForkVersion, Muxer, PeerId, Slot, Syncnets};

    const OUTSIDE: Ipv4Addr = Ipv4Addr::new(45, 33, 10, 7);
    const MAPPED: Mapped =
        Mapped { ip: OUTSIDE, ports: Ports { tcp: Some(4000), quic: Some(4001), discovery: Some(4002) } };

    struct World {
        discovery: Arc<MemoryDiscovery>,
        events: Events,
        told: Subscription,
        router: watch::Sender<Option<Mapped>>,
        tasks: TaskGroup,
    }

    /// A task that listens on all interfaces over TCP and knows no address, or that of the operator.
    fn start(advertise: Advertise) -> World {
        let (events, tasks) = (Events::default(), TaskGroup::new());
        let content = EnrContent {
            eth2: EnrForkId {
                fork_digest: ForkDigest::default(),
                next_fork_version: ForkVersion::default(),
                next_fork_epoch: Epoch::FAR_FUTURE,
            },
            attnets: Attnets::default(),
            syncnets: Syncnets::default(),
            cgc: 4,
            nfd: ForkDigest::default(),
            ip4: advertise.ip4.map(|ip| Endpoint { ip, udp: Some(1), tcp: Some(2), quic: None }),
            ip6: None,
        };
        let key = CombinedKey::generate_secp256k1();
        let enr = build_enr(&key, None, &content).unwrap();
        let discovery = MemoryDiscovery::join(&MemoryDirectory::default(), key, enr, 0, events.clone());
        let discovery = Arc::new(discovery);
        let on = ListenOn { ip: Ipv4Addr::UNSPECIFIED.into(), tcp_port: 2, discovery_port: 1, quic_port: 0 };
        let mut reachability = Reachability::new();
        reachability.listen(Family::Ip4, Service::Tcp);
        let whereabouts = Whereabouts {
            hosts: Hosts::new(&advertise.hosts),
            advertise,
            listen: ListenConfig { v4: Some(on), v6: None },
            discovery: discovery.clone(),
            events: events.clone(),
            nat: None,
            resolver: |_| Box::pin(async { Ok(vec![OUTSIDE.into()]) }),
            reachability,
            from_router: None,
        };
        let (router, mapped) = watch::channel(None);
        let told = events.subscribe();
        tasks.spawn("whereabouts", whereabouts.run(Some(mapped), tasks.token().clone()));
        World { discovery, events, told, router, tasks }
    }

    impl World {
        async fn record(&self, wanted: impl FnMut(&Enr) -> bool) -> Enr {
            self.discovery.subscribe_enr().wait_for(wanted).await.unwrap().clone()
        }

        async fn verdict(&mut self) -> (&'static str, &'static str) {
            let is_verdict = |event: &NodeEvent| matches!(event, NodeEvent::NetworkReachability { .. });
            match &*self.told.wait_for(is_verdict).await.unwrap() {
                NodeEvent::NetworkReachability { verdict, reason, .. } => (verdict, reason),
                _ => unreachable!("waited for"),
            }
        }

        fn heartbeat(&self, peers: usize) {
            self.events.emit(NodeEvent::NodeHeartbeat {
                slot: Slot(0),
                epoch: Epoch(0),
                peers,
                inbound: 0,
                outbound: peers,
                dialing: 0,
                queued: 0,
                table_size: 0,
                fork_digest: ForkDigest::default(),
            });
        }

        fn comes(&self, address: &str) {
            self.events.emit(NodeEvent::PeerConnected {
                peer_id: PeerId::random(),
                direction: Direction::Inbound,
                transport: Transport::Tcp,
                muxer: Muxer::Yamux,
                address: address.to_owned(),
                duration_ms: 0,
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_router_maps_is_advertised_until_it_proves_wrong() {
        let mut world = start(Advertise::default());
        world.router.send_replace(Some(MAPPED));
        let enr = world.record(|enr| enr.ip4().is_some()).await;
        assert_eq!((enr.ip4(), enr.tcp4(), enr.udp4()), (Some(OUTSIDE), Some(4000), Some(4002)));
        world.heartbeat(10);
        assert_eq!(world.verdict().await, ("unreachable", "nobody_came"));
        world.record(|enr| enr.ip4().is_none()).await;
        // renewed: it stays wrong
        world.router.send_replace(Some(MAPPED));
        tokio::time::sleep(RESOLVE_EVERY).await;
        assert_eq!(world.discovery.local_enr().ip4(), None);
        world.tasks.cancel();
        world.tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn peers_from_the_internet_make_us_reachable() {
        let mut world = start(Advertise::default());
        world.router.send_replace(Some(MAPPED));
        world.record(|enr| enr.ip4().is_some()).await;
        for address in ["/ip4/192.168.1.7/tcp/5", "/ip4/1.1.1.1/tcp/5", "/ip4/1.1.1.2/tcp/5"] {
            world.comes(address);
        }
        assert_eq!(world.verdict().await, ("reachable", "inbound"));
        world.heartbeat(10);
        tokio::time::sleep(RESOLVE_EVERY * 2).await;
        assert_eq!(world.discovery.local_enr().ip4(), Some(OUTSIDE));
    }

    #[tokio::test(start_paused = true)]
    async fn the_record_follows_a_host_name() {
        let ip4 = Some(Ipv4Addr::new(45, 33, 10, 6));
        let hosts = vec![AdvertisedHost { name: "me.example.org".to_owned(), ip4, ip6: None }];
        let mut world = start(Advertise { ip4, hosts, ..Advertise::default() });
        // the operator's word stands against the router's
        world.router.send_replace(Some(MAPPED));
        let enr = world.record(|enr| enr.ip4() == Some(OUTSIDE)).await;
        assert_eq!((enr.udp4(), enr.tcp4()), (Some(1), Some(2)));
        let resolved = |event: &NodeEvent| matches!(event, NodeEvent::NetworkHostResolved { .. });
        assert!(world.told.wait_for(resolved).await.is_some());
    }

    #[test]
    fn ports_are_mapped_as_they_were_bound_and_never_for_loopback() {
        let listening = ["/ip4/0.0.0.0/udp/7/quic-v1", "/ip4/0.0.0.0/tcp/8"].map(|at| at.parse().unwrap());
        let on = ListenOn { ip: Ipv4Addr::UNSPECIFIED.into(), tcp_port: 0, discovery_port: 9, quic_port: 0 };
        let ports = Ports { tcp: Some(8), quic: Some(7), discovery: Some(9) };
        assert_eq!(settings(&on, &listening, true).unwrap().ports, ports);
        let off = settings(&ListenOn { discovery_port: 0, ..on }, &listening, true).unwrap();
        assert_eq!(off.ports.discovery, None);
        let here = settings(&ListenOn { ip: Ipv4Addr::LOCALHOST.into(), ..on }, &listening, true).unwrap();
        assert!(!here.are_useful());
    }
}
