//! The task: finds a router, maps, renews, looks again, and removes at the end what it mapped.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::gateway::{Gateway, NatError};
use super::{FAREWELL, Mapped, NatSettings, Ports, RENEW_EVERY, SEARCH_EVERY};
use crate::events::{Events, NodeEvent};
use crate::types::{Service, is_public};

/// Keeps a node's ports mapped.
#[must_use = "nothing is mapped until this is run"]
#[derive(Debug)]
pub struct Mapper {
    settings: NatSettings,
    events: Events,
    gateway: Option<Gateway>,
    /// Ports outside that are ours, whether they are of use or not.
    held: BTreeMap<Service, u16>,
    mapped: watch::Sender<Option<Mapped>>,
    /// What was said last, so that it is said once.
    told: Option<&'static str>,
    /// As of [`RENEW_EVERY`] and [`SEARCH_EVERY`]; shorter in tests.
    pub(super) pauses: (Duration, Duration),
}

impl Mapper {
    /// A task that maps nothing yet, and what it will publish.
    pub fn new(settings: NatSettings, events: Events) -> (Self, watch::Receiver<Option<Mapped>>) {
        let (mapped, receiver) = watch::channel(None);
        let pauses = (RENEW_EVERY, SEARCH_EVERY);
        (Self { settings, events, gateway: None, held: BTreeMap::new(), mapped, told: None, pauses }, receiver)
    }

    /// Runs until `stop` is cancelled, then removes the mappings within 2 s.
    ///
    /// Not cancel safe: mappings stay for as long as their lease.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(result) = stop.run_until_cancelled(self.map_all()).await {
            let pause = if result.is_ok() { self.pauses.0 } else { self.pauses.1 };
            self.tell(result);
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                break;
            }
        }
        self.unmap_all().await;
    }

    async fn map_all(&mut self) -> Result<Mapped, NatError> {
        // a router that was restarted has forgotten us, and may have other addresses
        let gateway = self.gateway.insert(Gateway::find(self.settings.search, self.settings.listen).await?);
        let ip = match gateway.external_ip().await? {
            IpAddr::V4(ip) if is_public(IpAddr::V4(ip)) => ip,
            ip => return Err(NatError::NotPublic(ip)),
        };
        let mut ports = Ports::default();
        let mut refusal = None;
        for &service in Service::ALL {
            let Some(port) = self.settings.ports.of(service) else { continue };
            match gateway.map(service, port).await {
                Ok(external) => {
                    ports.set(service, external);
                    self.held.insert(service, external);
                }
                Err(error) => refusal = Some(error),
            }
        }
        // some ports are better than none
        match refusal {
            Some(error) if ports == Ports::default() => Err(error),
            _ => Ok(Mapped { ip, ports }),
        }
    }

    /// Publishes the result, and says it when it is news.
    fn tell(&mut self, result: Result<Mapped, NatError>) {
        let (mapped, outcome) = match &result {
            Ok(mapped) => (Some(*mapped), None),
            Err(error) => (None, Some(error.reason())),
        };
        let before = self.mapped.send_replace(mapped);
        match result {
            Ok(mapped) if before != Some(mapped) => self.tell_mapped(mapped),
            Err(error) if self.told != outcome => {
                self.events.emit(NodeEvent::NatFailed { reason: error.reason(), error: error.to_string() });
            }
            Ok(_) | Err(_) => {}
        }
        self.told = outcome;
    }

    fn tell_mapped(&self, Mapped { ip, ports }: Mapped) {
        for &service in Service::ALL {
            if let (Some(internal), Some(external)) = (self.settings.ports.of(service), ports.of(service)) {
                self.events.emit(NodeEvent::NatMapped {
                    service: service.as_str(),
                    ip: ip.to_string(),
                    internal_port: internal.into(),
                    external_port: external.into(),
                });
            }
        }
    }

    async fn unmap_all(self) {
        let Some(gateway) = &self.gateway else { return };
        let removals = self.held.iter().map(|(service, port)| async {
            if let Err(error) = gateway.unmap(*service, *port).await {
                tracing::debug!(%error, service = service.as_str(), "mapping not removed; it ends with its lease");
            }
        });
        // late: the leases end by themselves
        let _ = timeout(FAREWELL, join_all(removals)).await;
        self.mapped.send_replace(None::<Mapped>);
    }
}
