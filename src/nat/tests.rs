//! The mapper against a small router on loopback: SSDP over UDP and SOAP over HTTP, as far as the library asks.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::events::NodeEvent;

const TEST_PATIENCE: Duration = Duration::from_secs(20);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(45, 33, 10, 7);
const PORTS: Ports = Ports { tcp: Some(9000), quic: Some(9001), discovery: Some(9000) };

/// What the router holds and how it behaves.
#[derive(Debug)]
struct State {
    external: String,
    /// Protocol and port outside to port inside and lease.
    mappings: BTreeMap<(String, u16), (u16, u32)>,
    /// Ports outside that another machine has.
    taken: Vec<u16>,
    only_permanent: bool,
    requests: u32,
}

struct Router {
    state: Arc<Mutex<State>>,
    search: SocketAddr,
    tasks: TaskGroup,
}

impl Router {
    async fn start() -> io::Result<Self> {
        let state = State {
            external: OUTSIDE.to_string(),
            mappings: BTreeMap::new(),
            taken: Vec::new(),
            only_permanent: false,
            requests: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let (ssdp, http) =
            (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let (search, location) = (ssdp.local_addr()?, http.local_addr()?);
        let tasks = TaskGroup::new();
        tasks.spawn("ssdp", async move {
            let mut buffer = [0; 1500];
            while let Ok((_, from)) = ssdp.recv_from(&mut buffer).await {
                let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{location}/root.xml\r\n\r\n");
                ssdp.send_to(answer.as_bytes(), from).await.unwrap();
            }
        });
        let (shared, group) = (state.clone(), tasks.clone());
        tasks.spawn("http", async move {
            while let Ok((stream, _)) = http.accept().await {
                let state = shared.clone();
                group.spawn("request", async move { serve(stream, &state).await.unwrap() });
            }
        });
        Ok(Self { state, search, tasks })
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    fn mapper(&self, events: &Events) -> (Mapper, watch::Receiver<Option<Mapped>>) {
        let settings = NatSettings { listen: Ipv4Addr::LOCALHOST, ports: PORTS, search: self.search };
        Mapper::new(settings, events.clone())
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    let text = loop {
        let read = stream.read(&mut chunk).await?;
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let length = text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        match text.split_once("\r\n\r\n") {
            Some((_, body)) if body.len() >= length.unwrap_or(0) => break text,
            _ if read == 0 => return Ok(()),
            _ => {}
        }
    };
    let (status, body) = answer(&text, state);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await
}

fn answer(request: &str, state: &Mutex<State>) -> (&'static str, String) {
    let field = |name: &str| {
        let (_, rest) = request.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.trim().to_owned())
    };
    let number = |name| field(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
    let port = |name| u16::try_from(number(name)).unwrap_or_default();
    if request.starts_with("GET /root.xml") {
        let service = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
            <SCPDURL>/scpd.xml</SCPDURL><controlURL>/control</controlURL>";
        let root = format!("<root><device><serviceList><service>{service}</service></serviceList></device></root>");
        return ("200 OK", root);
    }
    if request.starts_with("GET /scpd.xml") {
        let arguments = |names: &[&str]| -> String {
            let one = |name| format!("<argument><name>{name}</name><direction>in</direction></argument>");
            names.iter().map(one).collect()
        };
        let add = arguments(&[
            "NewRemoteHost",
            "NewExternalPort",
            "NewProtocol",
            "NewInternalPort",
            "NewInternalClient",
            "NewEnabled",
            "NewPortMappingDescription",
            "NewLeaseDuration",
        ]);
        let delete = arguments(&["NewRemoteHost", "NewExternalPort", "NewProtocol"]);
        let action =
            |name: &str, list: &str| format!("<action><name>{name}</name><argumentList>{list}</argumentList></action>");
        let actions = action("AddPortMapping", &add) + &action("DeletePortMapping", &delete);
        return ("200 OK", format!("<scpd><actionList>{actions}</actionList></scpd>"));
    }
    let state = &mut *state.lock().unwrap();
    state.requests += 1;
    let key = (field("NewProtocol").unwrap_or_default(), port("NewExternalPort"));
    if request.contains("#GetExternalIPAddress") {
        let ip = format!("<NewExternalIPAddress>{}</NewExternalIPAddress>", state.external);
        return ("200 OK", envelope("GetExternalIPAddressResponse", &ip));
    }
    if request.contains("#AddPortMapping") {
        if state.only_permanent && number("NewLeaseDuration") != 0 {
            return ("500 Error", error(725));
        }
        if state.taken.contains(&key.1) {
            return ("500 Error", error(718));
        }
        state.mappings.insert(key, (port("NewInternalPort"), number("NewLeaseDuration")));
        return ("200 OK", envelope("AddPortMappingResponse", ""));
    }
    match state.mappings.remove(&key) {
        Some(_) => ("200 OK", envelope("DeletePortMappingResponse", "")),
        None => ("500 Error", error(714)),
    }
}

fn envelope(name: &str, content: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <u:{name} xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">{content}</u:{name}></s:Body></s:Envelope>"
    )
}

fn error(code: u16) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><detail>\
         <UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>{code}</errorCode>\
         <errorDescription>no</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>"
    )
}

async fn next(mapped: &mut watch::Receiver<Option<Mapped>>) -> Option<Mapped> {
    timeout(TEST_PATIENCE, mapped.changed()).await.unwrap().unwrap();
    *mapped.borrow_and_update()
}

#[tokio::test]
async fn all_ports_are_mapped_and_removed_again_at_the_end() {
    let router = Router::start().await.unwrap();
    let (events, group) = (Events::default(), TaskGroup::new());
    let mut told = events.subscribe();
    let (mapper, mut mapped) = router.mapper(&events);
    group.spawn("nat", mapper.run(group.token().clone()));
    assert_eq!(next(&mut mapped).await, Some(Mapped { ip: OUTSIDE, ports: PORTS }));
    let lease = 3600;
    let expected = [(("TCP", 9000), 9000), (("UDP", 9000), 9000), (("UDP", 9001), 9001)]
        .map(|((protocol, outside), inside)| ((protocol.to_owned(), outside), (inside, lease)));
    assert_eq!(router.with(|state| state.mappings.clone()), BTreeMap::from(expected));
    for service in ["tcp", "quic", "discovery"] {
        let event = timeout(TEST_PATIENCE, told.next()).await.unwrap().unwrap();
        assert!(matches!(&*event, NodeEvent::NatMapped { service: name, .. } if *name == service), "{event:?}");
    }
    group.cancel();
    timeout(TEST_PATIENCE, group.wait()).await.unwrap();
    assert_eq!(router.with(|state| state.mappings.len()), 0);
    router.tasks.cancel();
}

#[tokio::test]
async fn a_port_that_another_machine_has_is_mapped_to_a_free_one() {
    let router = Router::start().await.unwrap();
    router.with(|state| (state.taken, state.only_permanent) = (vec![9001], true));
    let (group, events) = (TaskGroup::new(), Events::default());
    let (mapper, mut mapped) = router.mapper(&events);
    group.spawn("nat", mapper.run(group.token().clone()));
    let Mapped { ports, .. } = next(&mut mapped).await.unwrap();
    assert_eq!((ports.tcp, ports.discovery), (Some(9000), Some(9000)));
    assert!(ports.quic.is_some_and(|port| port != 9001), "{ports:?}");
    assert!(router.with(|state| state.mappings.values().all(|(_, lease)| *lease == 0)));
    group.cancel();
    timeout(TEST_PATIENCE, group.wait()).await.unwrap();
    assert_eq!(router.with(|state| state.mappings.len()), 0);
}

#[tokio::test]
async fn mappings_are_renewed_and_follow_the_router() {
    let router = Router::start().await.unwrap();
    let (group, events) = (TaskGroup::new(), Events::default());
    let (mut mapper, mut mapped) = router.mapper(&events);
    mapper.pauses.0 = Duration::from_millis(10);
    group.spawn("nat", mapper.run(group.token().clone()));
    assert_eq!(next(&mut mapped).await.map(|mapped| mapped.ip), Some(OUTSIDE));
    // restarted: it has forgotten everything, and has another address
    let elsewhere = Ipv4Addr::new(45, 33, 10, 8);
    router.with(|state| (state.external, state.mappings) = (elsewhere.to_string(), BTreeMap::new()));
    while next(&mut mapped).await.is_none_or(|mapped| mapped.ip != elsewhere) {}
    assert_eq!(router.with(|state| state.mappings.len()), 3);
    group.cancel();
    timeout(TEST_PATIENCE, group.wait()).await.unwrap();
}

#[tokio::test]
async fn a_router_behind_another_one_is_said_once_and_maps_nothing() {
    let router = Router::start().await.unwrap();
    router.with(|state| state.external = "100.64.1.1".to_owned());
    let (group, events) = (TaskGroup::new(), Events::default());
    let mut told = events.subscribe();
    let (mut mapper, mapped) = router.mapper(&events);
    mapper.pauses.1 = Duration::from_millis(1);
    group.spawn("nat", mapper.run(group.token().clone()));
    let event = timeout(TEST_PATIENCE, told.next()).await.unwrap().unwrap();
    assert!(matches!(&*event, NodeEvent::NatFailed { reason: "not_public", .. }), "{event:?}");
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    while router.with(|state| state.requests) < 5 {
        pace.tick().await;
    }
    router.with(|state| state.external = OUTSIDE.to_string());
    let event = timeout(TEST_PATIENCE, told.next()).await.unwrap().unwrap();
    assert!(matches!(&*event, NodeEvent::NatMapped { .. }), "{event:?}");
    assert!(mapped.borrow().is_some());
    group.cancel();
    timeout(TEST_PATIENCE, group.wait()).await.unwrap();
}

#[test]
fn nobody_searches_for_a_router_on_loopback_or_without_ports() {
    let settings = |listen, ports| NatSettings { listen, ports, search: NatSettings::SEARCH };
    assert!(settings(Ipv4Addr::UNSPECIFIED, PORTS).are_useful());
    assert!(!settings(Ipv4Addr::LOCALHOST, PORTS).are_useful());
    assert!(!settings(Ipv4Addr::UNSPECIFIED, Ports::default()).are_useful());
}
