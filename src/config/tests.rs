//! Checks across options, by way of the flags that set them.

use clap::Parser;

use super::*;
use crate::types::{Muxer, TopicKind};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

fn config(flags: &str) -> Config {
    let args = format!("beacond --data-dir /data {flags}");
    Flags::try_parse_from(args.split_whitespace()).unwrap().config
}

fn valid(flags: &str) -> ValidConfig {
    config(flags).validate().unwrap().0
}

fn refused(flags: &str) -> (Vec<&'static str>, String) {
    let error = config(flags).validate().unwrap_err();
    (error.keys(), error.to_string())
}

const GOSSIP: &str = "--subscribe-all-subnets --relay corroborated --data-columns 3-5";

const ENR: &str = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8";

#[test]
fn defaults_are_those_that_users_know() {
    let config = valid("");
    assert_eq!(config.network, NetworkSource::Named("mainnet".into()));
    let on = ListenOn { ip: "0.0.0.0".parse().unwrap(), tcp_port: 9000, discovery_port: 9000, quic_port: 9001 };
    assert_eq!(config.listen, ListenConfig { v4: Some(on), v6: None });
    let both = vec![Muxer::Yamux, Muxer::Mplex];
    assert_eq!(config.transports, TransportConfig { tcp: true, quic: true, memory: false, muxers: both });
    assert!(config.discovery.enabled && config.discovery.packet_filter && config.discovery.enr_auto_update);
    assert!(config.discovery.use_network_boot_nodes && config.discovery.boot_nodes.is_empty());
    assert_eq!((config.peers.target, config.metrics), (100, None));
    assert_eq!(config.shutdown_grace, Duration::from_secs(10));
}

#[test]
fn ports_follow_each_other_unless_they_are_given() {
    let ports = |flags: &str| {
        let listen = valid(flags).listen;
        [listen.v4, listen.v6].map(|on| on.map(|on| (on.tcp_port, on.discovery_port, on.quic_port)))
    };
    assert_eq!(ports("--port 9100"), [Some((9100, 9100, 9101)), None]);
    assert_eq!(ports("--port 0"), [Some((0, 0, 0)), None]);
    assert_eq!(ports("--port 1 --discovery-port 2 --quic-port 3"), [Some((1, 2, 3)), None]);
    let dual = "--listen-address 0.0.0.0 --listen-address ::";
    assert_eq!(ports(&format!("{dual} --discovery-port 2")), [Some((9000, 2, 9001)), Some((9000, 2, 9001))]);
    assert_eq!(ports(&format!("{dual} --port6 9090")), [Some((9000, 9000, 9001)), Some((9090, 9090, 9091))]);
    assert_eq!(ports("--listen-address ::1 --port 7"), [None, Some((7, 7, 8))]);
}

#[test]
fn resolving_twice_changes_nothing() {
    for flags in ["", "--port 0", "--listen-address ::,0.0.0.0 --port6 9090 --disable-quic", "--transports tcp", GOSSIP]
    {
        let once = config(flags).resolve().unwrap();
        assert_eq!(once.clone().resolve().unwrap(), once, "{flags}");
    }
}

#[test]
fn given_boot_nodes_replace_those_of_the_network() {
    let discovery = valid(&format!("--bootnodes {ENR},{ENR} --bootstrap-node {ENR}")).discovery;
    assert_eq!((discovery.boot_nodes.len(), discovery.use_network_boot_nodes), (3, false));
}

#[test]
fn contradictions_name_the_options_that_contradict() {
    let cases: &[(&str, &[&str])] = &[
        ("--network hoodi --network-dir /tmp", &["network", "network-dir"]),
        ("--network-dir /nowhere", &["network-dir"]),
        ("--listen-address 0.0.0.0 --listen-address 127.0.0.1", &["listen-address"]),
        ("--listen-address 224.0.0.1", &["listen-address"]),
        ("--port6 9000", &["port6"]),
        ("--quic-port6 9000", &["quic-port6"]),
        ("--port 65535", &["quic-port"]),
        ("--discovery-port 9001", &["discovery-port", "quic-port"]),
        ("--listen-address :: --quic-port6 9000", &["discovery-port6", "quic-port6"]),
        ("--transports quic --disable-quic", &["transports", "disable-quic"]),
        ("--target-peers 0", &["target-peers"]),
        ("--enr-address 0.0.0.0", &["enr-address"]),
        ("--enr-address 2001:db8::1", &["enr-address"]),
        ("--enr-address 192.0.2.1,192.0.2.2", &["enr-address"]),
        ("--enr-udp-port 9 --disable-enr-auto-update", &["enr-udp-port"]),
        ("--enr-udp6-port 9", &["enr-udp6-port"]),
        ("--enr-quic-port 9 --disable-quic", &["enr-quic-port"]),
        ("--enr-tcp-port 9 --transports quic", &["enr-tcp-port"]),
        ("--boot-nodes enr:abc", &["boot-nodes"]),
        ("--boot-nodes @/nowhere", &["boot-nodes"]),
        ("--boot-nodes-file /nowhere", &["boot-nodes-file"]),
        ("--libp2p-addresses 192.0.2.1:9000", &["libp2p-addresses"]),
        ("--trusted-peers 192.0.2.1:9000", &["trusted-peers"]),
        ("--direct-peers 16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm", &["direct-peers"]),
        ("--topics all,beacon_block", &["topics"]),
        ("--attestation-subnets auto,3", &["attestation-subnets"]),
        ("--subscribe-all-subnets --attestation-subnets none", &["attestation-subnets", "subscribe-all-subnets"]),
        ("--subscribe-all-subnets --sync-subnets 0-2", &["sync-subnets", "subscribe-all-subnets"]),
        ("--subscribe-all-data-columns --data-columns 0-127", &["data-columns", "subscribe-all-data-columns"]),
        ("--topics beacon_block --data-columns all", &["data-columns", "topics"]),
        ("--topics beacon_block --subscribe-all-subnets", &["subscribe-all-subnets", "topics"]),
        ("--relay-copies 3", &["relay-copies"]),
        ("--metrics --metrics-port 9000", &["metrics-port", "port"]),
        (
            "--metrics --metrics-address ::1 --metrics-port 7 --listen-address ::,0.0.0.0 --port6 7",
            &["metrics-port", "port6"],
        ),
        ("--log-level loud", &["log-level"]),
    ];
    for (flags, keys) in cases {
        assert_eq!(refused(flags).0, *keys, "{flags}");
    }
}

#[test]
fn a_shared_udp_port_is_fine_when_only_one_protocol_uses_it() {
    assert!(config("--discovery-port 9001 --disable-quic").validate().is_ok());
    assert!(config(&format!("--discovery-port 9001 --disable-discovery --boot-nodes {ENR}")).validate().is_ok());
}

#[test]
fn a_shared_tcp_port_is_fine_where_nothing_else_listens() {
    for flags in [
        "--metrics-port 9000",
        "--metrics --port 0 --metrics-port 0",
        "--metrics --metrics-port 9000 --transports quic",
        "--metrics --metrics-port 9000 --listen-address 127.0.0.2",
        "--metrics --metrics-port 9000 --metrics-address ::1",
    ] {
        assert!(config(flags).validate().is_ok(), "{flags}");
    }
}

#[test]
fn fixed_ports_go_with_a_fixed_address() {
    let advertise = valid("--enr-address 192.0.2.1 --enr-udp-port 9 --disable-enr-auto-update").discovery.advertise;
    assert_eq!((advertise.ip4, advertise.udp4), ("192.0.2.1".parse().ok(), Some(9)));
    assert_eq!(advertise.tcp4, None);
}

#[test]
fn a_host_name_gives_the_families_that_are_listened_on() {
    let advertise = valid("--enr-address localhost").discovery.advertise;
    assert_eq!((advertise.ip4, advertise.ip6), ("127.0.0.1".parse().ok(), None));
    let error = config("--enr-address host.invalid").validate().unwrap_err();
    assert!(error.may_pass() && error.keys() == ["enr-address"], "{error}");
}

#[test]
fn warns_when_there_is_nobody_to_find() {
    let warnings = |flags: &str| config(flags).validate().unwrap().1;
    assert_eq!(warnings("--disable-discovery"), [ConfigWarning::NobodyToFind]);
    assert_eq!(warnings(&format!("--disable-discovery --boot-nodes {ENR}")), []);
    assert_eq!(warnings(""), []);
}

#[test]
fn lists_of_subnets_take_numbers_ranges_and_words() {
    let these = |subnets: &[u16]| SubnetChoice::These(subnets.iter().copied().collect());
    assert_eq!(valid("").gossip, GossipConfig::default());
    assert_eq!(valid("--attestation-subnets 63,0-2,1").gossip.attestation_subnets, these(&[0, 1, 2, 63]));
    assert_eq!(valid("--data-columns none").gossip.data_columns, these(&[]));
    assert_eq!(valid("--sync-subnets all --topics sync_committee").gossip.sync_subnets, these(&[0, 1, 2, 3]));
    let all = valid("--subscribe-all-subnets --subscribe-all-data-columns").gossip;
    assert_eq!((&all.sync_subnets, &all.attestation_subnets), (&these(&[0, 1, 2, 3]), &these(&Vec::from_iter(0..64))));
    assert_eq!(all.data_columns, these(&Vec::from_iter(0..128)));
}

#[test]
fn topics_that_are_left_out_need_no_subnets() {
    let gossip = valid("--topics beacon_block --attestation-subnets none --data-columns auto").gossip;
    assert_eq!(gossip.topics, [TopicKind::BeaconBlock].into());
    assert_eq!(valid("--topics none").gossip.topics, [].into());
}

#[test]
fn corroboration_asks_for_two_networks_unless_told() {
    assert_eq!(valid("").gossip.corroborating_copies, None);
    assert_eq!(valid("--relay corroborated").gossip.corroborating_copies, Some(2));
    assert_eq!(valid("--relay corroborated --relay-copies 3").gossip.corroborating_copies, Some(3));
}

#[test]
fn muxers_keep_their_order_and_lose_repetitions() {
    assert_eq!(valid("--muxers mplex,yamux,mplex").transports.muxers, [Muxer::Mplex, Muxer::Yamux]);
}
