//! Requests to peers, for whoever holds the node's handle: to one peer, or to any that can answer.

use std::collections::BTreeSet;
use std::fmt;

use rand::Rng;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::debug;

use super::eth2_node::Eth2Node;
use super::handle::{NodeCommand, NodeHandle};
use crate::chain::custody_groups;
use crate::fault::{Classify, Fault};
use crate::peers::{Misbehaviour, PeerRecord};
use crate::rpc::{AnswerCheck, Asker, CallError, Checked, Fetch, Need, Unaskable, askable};
use crate::switch::ConnectionId;
use crate::types::{PeerId, peer_node_id};

/// Peers that are asked one after the other, until one of them begins to answer.
const ATTEMPTS: usize = 3;

/// Who is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This peer.
    Peer(PeerId),
    /// The best that has what is needed; another when it fails before it has answered anything.
    Any,
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody could answer that; nobody was asked.
    #[error("the request")]
    Unaskable(#[from] Unaskable),
    /// The peer is not ready: not connected, or its handshakes are under way.
    #[error("{0} is no ready peer")]
    NotReady(PeerId),
    /// Nobody that is ready has what is needed, or nobody else has.
    #[error("no ready peer can answer")]
    Nobody,
    /// The peer, or the last one that was asked, did not answer.
    #[error("no answer from {peer_id}")]
    Call {
        /// Who was asked.
        peer_id: PeerId,
        /// What went wrong.
        source: CallError,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

impl Classify for RequestError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unaskable(source) => source.fault(),
            Self::NotReady(_) | Self::Nobody => Fault::Transient,
            Self::Call { source, .. } => source.fault(),
            Self::Stopped => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Unaskable(source) => source.reason(),
            Self::NotReady(_) => "not_ready",
            Self::Nobody => "nobody",
            Self::Call { source, .. } => source.reason(),
            Self::Stopped => "stopped",
        }
    }
}

/// Asks the loop for a peer; see [`Eth2Node::on_ask`].
#[derive(Debug)]
pub(super) struct AskerQuery {
    pub(super) whom: Whom,
    pub(super) need: Need,
    /// Who was asked in vain.
    pub(super) except: BTreeSet<PeerId>,
    pub(super) reply: oneshot::Sender<Option<Asker>>,
}

/// An answer that is being read. Whoever answers wrongly pays for it.
#[must_use = "an answer that is not read is reset"]
pub struct Answer<M: Checked> {
    peer_id: PeerId,
    fetch: Fetch<M>,
    /// The first chunk, which has come already.
    first: Option<<M::Check as AnswerCheck>::Item>,
    commands: mpsc::Sender<NodeCommand>,
}

impl<M: Checked> Answer<M> {
    /// Who answers.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The next chunk, checked; `None` once all are there.
    ///
    /// # Errors
    /// [`RequestError::Call`]: the answer is over, and what came before stands. From the next call on, there is `Ok(None)`.
    ///
    /// Not cancel safe: when the future is dropped before it is ready, the answer is over.
    pub async fn next(&mut self) -> Result<Option<<M::Check as AnswerCheck>::Item>, RequestError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Self { peer_id, fetch, commands, .. } = self;
        fetch.next().await.map_err(|source| blamed(commands, *peer_id, source))
    }
}

impl<M: Checked> fmt::Debug for Answer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("fetch", &self.fetch).finish_non_exhaustive()
    }
}

/// Tells the loop of a fault.
fn blamed(commands: &mpsc::Sender<NodeCommand>, peer_id: PeerId, source: CallError) -> RequestError {
    if let fault @ Fault::Violation(_) = source.fault() {
        // drop: one fault less is charged when the node is that busy, or has stopped
        if commands.try_send(NodeCommand::Fault(peer_id, fault)).is_err() {
            debug!(%peer_id, reason = source.reason(), "the node was too busy to charge a wrong answer");
        }
    }
    RequestError::Call { peer_id, source }
}

impl NodeHandle {
    /// Asks a peer, or any that can answer, and hands back the answer once it has begun: its first chunk is there, or it
    /// is empty.
    ///
    /// # Errors
    /// [`RequestError`]. With [`Whom::Any`] up to three peers were tried.
    ///
    /// Cancel safe: the request is given up.
    pub async fn request<M: Checked>(&self, whom: Whom, request: &M::Request) -> Result<Answer<M>, RequestError> {
        let Whom::Peer(peer_id) = whom else { return self.request_untried(request, &mut BTreeSet::new()).await };
        askable::<M>(request)?;
        let asker = self.asker(whom, M::need(request), BTreeSet::new()).await?;
        self.begin(&asker.ok_or(RequestError::NotReady(peer_id))?, request).await
    }

    /// As [`Self::request`] of any peer but those in `tried`, which grows by up to three who are asked, the one who answers
    /// included.
    ///
    /// # Errors
    /// [`RequestError::Call`] of the last who was asked; [`RequestError::Nobody`] when there was nobody to ask.
    ///
    /// Cancel safe: the request is given up; `tried` holds who was asked.
    pub async fn request_untried<M: Checked>(
        &self,
        request: &M::Request,
        tried: &mut BTreeSet<PeerId>,
    ) -> Result<Answer<M>, RequestError> {
        askable::<M>(request)?;
        let mut outcome = Err(RequestError::Nobody);
        for _ in 0..ATTEMPTS {
            let Some(asker) = self.asker(Whom::Any, M::need(request), tried.clone()).await? else { break };
            tried.insert(asker.peer_id());
            outcome = self.begin(&asker, request).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn begin<M: Checked>(&self, asker: &Asker, request: &M::Request) -> Result<Answer<M>, RequestError> {
        let peer_id = asker.peer_id();
        let begun = async {
            let mut fetch = asker.fetch::<M>(request).await?;
            let first = fetch.next().await?;
            Ok((fetch, first))
        };
        let (fetch, first) = begun.await.map_err(|source| blamed(&self.commands, peer_id, source))?;
        Ok(Answer { peer_id, fetch, first, commands: self.commands.clone() })
    }

    async fn asker(&self, whom: Whom, need: Need, except: BTreeSet<PeerId>) -> Result<Option<Asker>, RequestError> {
        let (reply, answer) = oneshot::channel();
        let query = AskerQuery { whom, need, except, reply };
        self.commands.send(NodeCommand::Ask(query)).await.map_err(|_| RequestError::Stopped)?;
        answer.await.map_err(|_| RequestError::Stopped)
    }
}

impl Eth2Node {
    /// Finds somebody to ask. Of those who can answer, whoever has least to do, then the best score, then chance.
    pub(super) fn on_ask(&self, query: AskerQuery) {
        let AskerQuery { whom, need, except, reply } = query;
        let now = Instant::now();
        let asker = match whom {
            Whom::Peer(peer_id) => self.manager.table().get(&peer_id).and_then(|record| self.asker_of(record)),
            Whom::Any => {
                let able = self.manager.table().iter().filter(|record| !except.contains(&record.peer_id));
                let able = able.filter(|record| can_answer(record, &need));
                let rank = |record: &PeerRecord<ConnectionId>, asker: &Asker| {
                    let score = self.manager.scores().score(&record.peer_id, now);
                    // scores are not positive, 100 at worst
                    (asker.load(), (-score) as u64, rand::rng().random::<u32>())
                };
                let askers = able.filter_map(|record| Some((record, self.asker_of(record)?)));
                let ranked = askers.map(|(record, asker)| (rank(record, &asker), asker));
                ranked.min_by_key(|(rank, _)| *rank).map(|(_, asker)| asker)
            }
        };
        // receiver gone: whoever asked gave up
        let _ = reply.send(asker);
    }

    fn asker_of(&self, record: &PeerRecord<ConnectionId>) -> Option<Asker> {
        self.sessions
            .get(&record.connection)
            .filter(|session| !session.is_ending())
            .map(|session| session.asker.clone())
    }

    pub(super) fn on_answer_fault(&mut self, peer_id: PeerId, fault: Fault) {
        self.charge(peer_id, Misbehaviour::Request(fault), None);
    }
}

/// Whether a peer says that it has what is needed: blocks from there on, and one of the columns in its custody.
fn can_answer(record: &PeerRecord<ConnectionId>, need: &Need) -> bool {
    let status = &record.status;
    let has_blocks = need.since.is_none_or(|since| {
        status.head_slot >= since && status.earliest_available_slot.is_none_or(|earliest| earliest <= since)
    });
    let custody = || {
        let count = record.metadata.as_ref()?.custody_group_count?;
        Some(custody_groups(&record.node_id.or_else(|| peer_node_id(&record.peer_id))?, count))
    };
    has_blocks
        && (need.columns.is_empty()
            || custody().is_some_and(|custody| custody.iter().any(|column| need.columns.contains(&u64::from(*column)))))
}
