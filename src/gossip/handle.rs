//! Gossip put together: what `node` starts, and what it holds afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::docket::{Docket, Juror};
use super::judge::Judge;
use super::pool;
use super::publish::{NotPublished, Publisher};
use super::settler::{Sample, Settler};
use super::subscriptions::Plan;
use super::task::{GossipTask, Inputs};
use crate::chain::{ChainConfig, ChainNow, ForkSchedule};
use crate::events::Events;
use crate::switch::{GossipEnds, Published, RelayPolicy, SwitchHandle};
use crate::tasks::TaskGroup;
use crate::time::SlotClock;
use crate::types::{PeerId, TopicKind, TopicName};

/// Reports of peers that wait for the node; **drop**: the router repeats them. 64 × 80 bytes = 5 KiB.
const CONDUCT: usize = 64;

/// What gossip is made of.
#[derive(Debug)]
pub struct GossipSettings<'a> {
    /// The network.
    pub chain: &'a ChainConfig,
    /// Its forks.
    pub schedule: Arc<ForkSchedule>,
    /// Its time.
    pub clock: SlotClock,
    /// Where to report.
    pub events: Events,
    /// What is forwarded; the router was told the same.
    pub relay: RelayPolicy,
    /// Share of the messages that come in masses of which `gossip.received` tells, 0 to 1.
    pub sample: f64,
    /// Commands to the router.
    pub switch: SwitchHandle,
    /// What the router brings.
    pub ends: GossipEnds,
    /// What to take part in.
    pub plan: watch::Receiver<Arc<Plan>>,
    /// The slot and fork in force.
    pub now: watch::Receiver<ChainNow>,
}

/// What the router finds wrong with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Its score is so low that it is listened to no more.
    LowScore,
    /// It takes what we send so slowly that messages to it were dropped.
    TakesLong,
}

/// Gossip while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gossip {
    docket: Arc<Docket>,
    publisher: Publisher,
}

impl Gossip {
    /// Starts the judges' threads and the task, in `tasks`; they end with the switch. Also returns what the router finds
    /// wrong with peers.
    #[must_use]
    pub fn start(settings: GossipSettings<'_>, tasks: &TaskGroup) -> (Self, mpsc::Receiver<(PeerId, Conduct)>) {
        let GossipSettings { chain, schedule, clock, events, relay, sample, switch, ends, plan, now } = settings;
        let judge = Arc::new(Judge::new(chain, schedule.clone()));
        let settler = Arc::new(Settler::new(judge.clone(), clock, events.clone(), relay, Sample::new(sample)));
        let docket = Arc::new(Docket::new(settler.clone()));
        pool::start(ends.messages, &docket, &settler, tasks);
        let (conduct, conduct_receiver) = mpsc::channel(CONDUCT);
        let task = GossipTask {
            switch: switch.clone(),
            schedule: schedule.clone(),
            settler,
            docket: docket.clone(),
            inputs: Inputs { plan, now, router_events: ends.events },
            conduct,
            joined: BTreeSet::new(),
            outdated: BTreeSet::new(),
        };
        tasks.spawn_critical("gossip", task.run(tasks.token().clone()));
        let publisher = Publisher { judge, switch, schedule, clock, events };
        (Self { docket, publisher }, conduct_receiver)
    }

    /// Publishes a message: SSZ of the topic's type. It is judged by the rules that hold for everyone's; what needs a
    /// state is taken on the caller's word. It goes out on the topic of the digest that it belongs to, and counts as seen
    /// from then on; what it reached is an estimate, see [`Published::peers`].
    ///
    /// # Errors
    /// [`NotPublished`] says which rule it breaks, or why nobody was reached.
    ///
    /// Cancel safe, but a message that was handed over is published all the same.
    pub async fn publish(&self, name: TopicName, ssz: Vec<u8>) -> Result<Published, NotPublished> {
        self.publisher.publish(name, ssz).await
    }

    /// Appoints whoever judges these kinds of topics where the rules cannot, in place of whoever did before.
    pub fn appoint_juror(&self, kinds: &[TopicKind]) -> Juror {
        self.docket.appoint(kinds)
    }

    /// The rules and what they remember.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.publisher.judge
    }
}
