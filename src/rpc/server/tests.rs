//! The server's loop: many peers at once, quotas, caps, and what it forgets.

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::events::Subscription;
use crate::fault::{Fault, Severity};
use crate::rpc::client::{RpcTimeouts, request_one};
use crate::rpc::codec::encode_message;
use crate::rpc::method::Method;
use crate::rpc::methods::{BeaconBlocksByRoot, Goodbye, Ping, Status};
use crate::rpc::testing::{Note, Notes, Pipe, metadata, pass_time, pipe, status, stranger};

/// A running server and the Switch's end of its channel.
struct Rig {
    inbound: mpsc::Sender<Inbound<Pipe>>,
    notes: Arc<Notes>,
    events: Subscription,
    tasks: TaskGroup,
}

impl Rig {
    fn start(limits: RpcLimits) -> Self {
        let (events, tasks) = (Events::default(), TaskGroup::new());
        let (inbound, receiver) = mpsc::channel(64);
        let (notes, handler) = Notes::shared();
        let server = RpcServer::new(handler, events.clone(), tasks.clone(), limits);
        let subscription = events.subscribe();
        tasks.spawn_critical("rpc_server", server.run(receiver, tasks.token().clone()));
        Self { inbound, notes, events: subscription, tasks }
    }

    /// Opens a stream to the server; the peer's end.
    async fn open<M: Method>(&self, peer_id: PeerId) -> Pipe {
        self.open_on::<M>(Origin { peer_id, ..stranger() }, 1024).await
    }

    /// As [`Self::open`], on a connection of its own and with a pipe that holds `capacity` bytes.
    async fn open_on<M: Method>(&self, Origin { peer_id, connection_id }: Origin, capacity: usize) -> Pipe {
        let (peer, stream) = pipe(capacity);
        let protocol = StreamProtocol::new(M::PROTOCOLS[0].id);
        self.inbound.send(Inbound { peer_id, connection_id, protocol, stream }).await.unwrap();
        peer
    }

    /// Sends the first half of a request.
    async fn half_send<M: Method>(&self, peer_id: PeerId, ssz: &[u8]) -> Pipe {
        let (mut stream, request) = (self.open::<M>(peer_id).await, encode_message(ssz));
        stream.write_all(&request[..request.len() / 2]).await.unwrap();
        stream
    }

    /// Asks once and says how long the answer took.
    async fn ping(&self, peer_id: PeerId) -> (Result<u64, RpcError>, Duration) {
        let start = Instant::now();
        let stream = self.open::<Ping>(peer_id).await;
        let answer = request_one::<Ping, _>(stream, &Ping::PROTOCOLS[0], &1, &patient()).await;
        (answer, start.elapsed())
    }

    /// The next `RpcRejected`, as reason and fault.
    async fn rejected(&mut self) -> (&'static str, &'static str, Fault) {
        let event = self.events.wait_for(|event| matches!(event, NodeEvent::RpcRejected { .. })).await.unwrap();
        match *event {
            NodeEvent::RpcRejected { method, reason, fault, .. } => (method, reason, fault),
            _ => panic!("not a rejection"),
        }
    }
}

fn patient() -> RpcTimeouts {
    RpcTimeouts { first_chunk: Duration::from_secs(60), ..RpcTimeouts::default() }
}

#[tokio::test(start_paused = true)]
async fn serves_many_peers_at_once_and_reports_each() {
    let mut rig = Rig::start(RpcLimits::default());
    let peers: Vec<_> = std::iter::repeat_with(PeerId::random).take(50).collect();
    let answers = join_all(peers.iter().map(|&peer_id| {
        let rig = &rig;
        async move {
            let stream = rig.open::<Status>(peer_id).await;
            request_one::<Status, _>(stream, &Status::PROTOCOLS[0], &status(), &patient()).await
        }
    }))
    .await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == status()));
    for _ in peers {
        let event = rig.events.next().await.unwrap();
        assert!(matches!(*event, NodeEvent::RpcServed { method: "status/2", .. }), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn delays_a_peer_over_its_quota_and_nobody_else() {
    let rig = Rig::start(RpcLimits::default());
    let greedy = PeerId::random();
    let delays = join_all((0..4).map(|_| rig.ping(greedy))).await;
    let waited: Vec<_> = delays.iter().map(|(_, waited)| waited.as_secs()).collect();
    assert_eq!(waited, [0, 0, 5, 10]);
    assert!(delays.into_iter().all(|(answer, _)| answer.unwrap() == metadata().seq_number));
    let (answer, waited) = rig.ping(PeerId::random()).await;
    assert_eq!((answer.unwrap(), waited), (metadata().seq_number, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn tells_the_connections_of_a_peer_apart_in_reports_but_not_in_quotas() {
    let rig = Rig::start(RpcLimits::default());
    let peer_id = PeerId::random();
    let origins = [1, 2, 3].map(|n| Origin { peer_id, connection_id: ConnectionId::new_unchecked(n) });
    let start = Instant::now();
    let mut waited = Vec::new();
    for origin in origins {
        let stream = rig.open_on::<Ping>(origin, 1024).await;
        request_one::<Ping, _>(stream, &Ping::PROTOCOLS[0], &1, &patient()).await.unwrap();
        waited.push(start.elapsed().as_secs());
    }
    assert_eq!(rig.notes.taken(), origins.map(|origin| Note::Ping(origin, 1)));
    assert_eq!(waited, [0, 0, 5]);
}

#[tokio::test(start_paused = true)]
async fn answers_within_the_quota_without_waiting_for_the_timer_s_next_millisecond() {
    let rig = Rig::start(RpcLimits::default());
    tokio::time::advance(Duration::from_micros(300)).await;
    let (answer, waited) = rig.ping(PeerId::random()).await;
    assert_eq!((answer.unwrap(), waited), (metadata().seq_number, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn drops_and_counts_what_would_wait_too_long() {
    let mut rig = Rig::start(RpcLimits::default());
    let greedy = PeerId::random();
    let answers = join_all((0..3).map(|_| async {
        let stream = rig.open::<Goodbye>(greedy).await;
        let reason = crate::types::GoodbyeReason::FAULT;
        request_one::<Goodbye, _>(stream, &Goodbye::PROTOCOLS[0], &reason, &patient()).await
    }))
    .await;
    assert!(answers[0].is_ok() && answers[1].is_ok());
    assert!(matches!(answers[2], Err(RpcError::Io(_) | RpcError::Closed)), "{:?}", answers[2]);
    assert_eq!(rig.rejected().await, ("goodbye/1", "over_quota", Fault::Violation(Severity::Low)));
}

#[tokio::test(start_paused = true)]
async fn caps_the_half_open_streams_of_a_peer_while_others_are_served() {
    let limits = RpcLimits { held: HeldLimits { per_peer: 3, ..RpcLimits::default().held }, ..RpcLimits::default() };
    let mut rig = Rig::start(limits);
    let silent = PeerId::random();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(rig.open::<Status>(silent).await);
    }
    assert_eq!(rig.rejected().await, ("status/2", "too_many_streams", Fault::Violation(Severity::Low)));
    assert_eq!(rig.ping(PeerId::random()).await.1, Duration::ZERO);
    // the deadline clears the half-open streams, and there is room again
    for _ in 0..3 {
        assert_eq!(rig.rejected().await, ("status/2", "timeout", Fault::Transient));
    }
    pass_time(2).await;
    assert_eq!(rig.ping(silent).await.1, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn half_sent_requests_of_many_peers_delay_nobody_elses() {
    for limits in [RpcLimits::default(), RpcLimits { serving: 1, ..RpcLimits::default() }] {
        let rig = Rig::start(limits);
        let mut held = Vec::new();
        for peer_id in std::iter::repeat_with(PeerId::random).take(16) {
            // as many at once as the quotas let through
            for _ in 0..5 {
                held.push(rig.half_send::<Status>(peer_id, &[0; 92]).await);
            }
            for _ in 0..2 {
                held.push(rig.half_send::<Ping>(peer_id, &[0; 8]).await);
            }
            for _ in 0..9 {
                held.push(rig.half_send::<BeaconBlocksByRoot>(peer_id, &[0; 64]).await);
            }
        }
        pass_time(1).await;
        let start = Instant::now();
        let stream = rig.open::<Status>(PeerId::random()).await;
        let answer = request_one::<Status, _>(stream, &Status::PROTOCOLS[0], &status(), &patient()).await;
        assert_eq!((answer.unwrap(), start.elapsed()), (status(), Duration::ZERO));
        assert_eq!(rig.ping(PeerId::random()).await.1, Duration::ZERO);
        assert_eq!(rig.tasks.alive(), 1 + 256, "the server and what stalls");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_beyond_the_global_limit_wait_for_their_turn() {
    let rig = Rig::start(RpcLimits { serving: 1, ..RpcLimits::default() });
    // takes but half of its answer
    let mut stalled = rig.open_on::<Ping>(stranger(), 16).await;
    stalled.write_all(&encode_message(&[1; 8])).await.unwrap();
    pass_time(1).await;
    let (answer, waited) = rig.ping(PeerId::random()).await;
    assert_eq!((answer.unwrap(), waited.as_secs()), (metadata().seq_number, 9));
}

#[tokio::test(start_paused = true)]
async fn bulky_requests_beyond_the_global_limit_are_not_read_before_their_turn() {
    let rig = Rig::start(RpcLimits { serving: 1, ..RpcLimits::default() });
    let _stalled = rig.half_send::<BeaconBlocksByRoot>(PeerId::random(), &[0; 64]).await;
    pass_time(1).await;
    let start = Instant::now();
    let mut stream = rig.open::<BeaconBlocksByRoot>(PeerId::random()).await;
    stream.write_all(&encode_message(&[0; 64])).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "no block is held");
    assert_eq!(start.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_what_may_be_held_are_dropped_as_our_own_fault() {
    let limits = RpcLimits { held: HeldLimits { total: 2, ..RpcLimits::default().held }, ..RpcLimits::default() };
    let mut rig = Rig::start(limits);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(rig.open::<Status>(PeerId::random()).await);
    }
    assert_eq!(rig.rejected().await, ("status/2", "too_busy", Fault::Local));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_protocol_is_rejected_without_a_trace() {
    let mut rig = Rig::start(RpcLimits::default());
    let (_peer, stream) = pipe(64);
    let protocol = StreamProtocol::new("/eth2/beacon_chain/req/ping/2/ssz_snappy");
    let Origin { peer_id, connection_id } = stranger();
    rig.inbound.send(Inbound { peer_id, connection_id, protocol, stream }).await.unwrap();
    assert_eq!(rig.rejected().await, ("unknown", "unsupported_protocol", Fault::Incompatible));
}

#[tokio::test(start_paused = true)]
async fn forgets_peers_that_have_gone_quiet() {
    let (tasks, limits) = (TaskGroup::new(), RpcLimits::default());
    let (inbound, receiver) = mpsc::channel(64);
    let (notes, handler) = Notes::shared();
    let server = RpcServer::new(handler, Events::default(), tasks.clone(), limits);
    let mut admission = Admission::new(limits.held);
    let rig = Rig { inbound, notes, events: Events::default().subscribe(), tasks: tasks.clone() };
    let peers: Vec<_> = std::iter::repeat_with(PeerId::random).take(200).collect();
    {
        let run = server.run_with(&mut admission, receiver, tasks.token().clone());
        let visit = async {
            for peer_id in &peers {
                assert!(rig.ping(*peer_id).await.0.is_ok());
            }
            // another two streams that break off and one that stalls
            drop(rig.open::<Ping>(peers[0]).await);
            let _stalled = rig.open::<Status>(peers[1]).await;
            pass_time(40).await;
        };
        tokio::select! {
            () = run => panic!("the server ended"),
            () = visit => {}
        }
    }
    assert_eq!((admission.peers(), admission.held(), tasks.alive()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_the_loop_and_every_stream() {
    let rig = Rig::start(RpcLimits::default());
    let _stalled = rig.open::<Status>(PeerId::random()).await;
    assert_eq!(rig.ping(PeerId::random()).await.1, Duration::ZERO);
    pass_time(1).await;
    assert_eq!(rig.tasks.alive(), 2, "the server and the stalled stream");
    rig.tasks.cancel();
    rig.tasks.wait().await;
    assert_eq!(rig.tasks.alive(), 0);
}
