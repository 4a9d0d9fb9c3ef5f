//! Verdicts over imagined histories; no clock runs.

use super::*;

const HERE: &str = "45.33.10.7";
const SECOND: Duration = Duration::from_secs(1);

struct World {
    reachability: Reachability,
    now: Instant,
}

impl World {
    /// Listens for everything over IPv4 and advertises a learned address.
    fn new() -> Self {
        let mut reachability = Reachability::new();
        Service::ALL.iter().for_each(|service| reachability.listen(Family::Ip4, *service));
        let mut world = Self { reachability, now: Instant::now() };
        world.advertise(Some(HERE), AddressSource::Learned);
        world
    }

    fn advertise(&mut self, ip: Option<&str>, source: AddressSource) {
        let advertised = ip.map(|ip| (ip.parse().unwrap(), source));
        self.reachability.on_advertised(Family::Ip4, advertised, self.now);
    }

    fn comes(&mut self, service: Service, from: &str) {
        self.reachability.on_inbound(service, from.parse().unwrap(), self.now);
    }

    fn passes(&mut self, time: Duration, peers: usize) {
        self.reachability.on_peers(peers, self.now);
        self.now += time;
        self.reachability.on_tick(self.now);
    }

    fn verdicts(&self) -> [&'static str; 3] {
        [Service::Tcp, Service::Quic, Service::Discovery]
            .map(|service| self.reachability.verdict(Family::Ip4, service).unwrap().as_str())
    }

    fn withdrawals(&mut self) -> usize {
        let changes = self.reachability.take_changes();
        changes.iter().filter(|change| **change == Change::Withdraw(Family::Ip4)).count()
    }
}

#[test]
fn two_peers_from_the_internet_make_a_service_reachable() {
    let mut world = World::new();
    world.comes(Service::Tcp, "1.1.1.1");
    world.comes(Service::Tcp, "::ffff:1.1.1.1");
    world.comes(Service::Tcp, "192.168.1.2");
    assert_eq!(world.verdicts(), ["unknown"; 3]);
    world.comes(Service::Tcp, "1.1.1.2");
    assert_eq!(world.verdicts(), ["reachable", "unknown", "unknown"]);
    let expected =
        Change::Verdict { family: Family::Ip4, service: Service::Tcp, verdict: Verdict::Reachable, reason: "inbound" };
    assert_eq!(world.reachability.take_changes(), [expected]);
    assert_eq!(world.reachability.verdict(Family::Ip6, Service::Tcp), None, "nobody listens there");
}

#[test]
fn an_address_to_which_nobody_comes_is_withdrawn() {
    let mut world = World::new();
    world.passes(PROBATION - SECOND, PEERS);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unknown"; 3], 0));
    world.passes(SECOND, PEERS);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unreachable"; 3], 1));
    let here = HERE.parse().unwrap();
    assert!(!world.reachability.may_advertise(here, world.now));
    assert!(world.reachability.may_advertise("45.33.10.8".parse().unwrap(), world.now));
    world.advertise(None, AddressSource::Learned);
    world.passes(WITHDRAWN, PEERS);
    assert!(world.reachability.may_advertise(here, world.now));
    // the next attempt has its own time
    world.advertise(Some(HERE), AddressSource::Learned);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unreachable"; 3], 0));
    world.passes(PROBATION, PEERS);
    assert_eq!(world.withdrawals(), 1);
}

#[test]
fn one_service_that_is_reached_keeps_the_address() {
    let mut world = World::new();
    world.comes(Service::Discovery, "1.1.1.1");
    world.comes(Service::Discovery, "1.1.1.2");
    world.passes(PROBATION * 2, PEERS);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unreachable", "unreachable", "reachable"], 0));
    world.comes(Service::Quic, "1.1.1.1");
    world.comes(Service::Quic, "1.1.1.2");
    assert_eq!(world.verdicts(), ["unreachable", "reachable", "reachable"]);
}

#[test]
fn silence_says_nothing_without_peers_or_in_a_private_network() {
    let mut world = World::new();
    world.passes(PROBATION * 100, PEERS - 1);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unknown"; 3], 0));
    world.advertise(Some("10.0.0.7"), AddressSource::Learned);
    world.passes(PROBATION * 100, PEERS);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unknown"; 3], 0));
}

#[test]
fn what_the_operator_gave_is_judged_and_stays() {
    let mut world = World::new();
    world.advertise(Some(HERE), AddressSource::Operator);
    world.passes(PROBATION, PEERS);
    assert_eq!((world.verdicts(), world.withdrawals()), (["unreachable"; 3], 0));
}

#[test]
fn another_address_and_a_long_silence_make_everything_unknown() {
    let mut world = World::new();
    let come = |world: &mut World| ["1.1.1.1", "1.1.1.2"].map(|from| world.comes(Service::Tcp, from));
    come(&mut world);
    world.passes(PROBATION, PEERS);
    assert_eq!(world.verdicts(), ["reachable", "unreachable", "unreachable"]);
    world.advertise(Some("45.33.10.8"), AddressSource::Learned);
    assert_eq!(world.verdicts(), ["unknown"; 3]);
    come(&mut world);
    world.passes(MEMORY, 0);
    assert_eq!(world.verdicts(), ["unknown"; 3]);
    assert_eq!(world.withdrawals(), 0);
}

#[test]
fn many_visitors_cost_bounded_memory() {
    let mut world = World::new();
    for n in 0..1000_u32 {
        let from = std::net::Ipv4Addr::from(0x0808_0000 + n);
        world.comes(Service::Tcp, &from.to_string());
    }
    let kept = world.reachability.families[&Family::Ip4].services[&Service::Tcp].contacts.len();
    assert_eq!(kept, REMEMBERED);
}
