//! Peers that speak libp2p and break the handshakes: each is one classified event, and nobody else notices.

use std::time::Duration;

use anyhow::Result;
use beacond::events::NodeEvent;
use beacond::fault::{Fault, Severity};
use beacond::rpc::codec::encode_message;
use beacond::rpc::{Method, methods};
use beacond::types::{Epoch, GoodbyeReason, Slot, StatusMessage};

use crate::support::{Besieged, Hostile, Options, Refusal, Script, TestNode, malformed, network};

#[tokio::test]
async fn a_peer_of_another_network_is_told_so() -> Result<()> {
    let mut besieged = Besieged::start(20).await?;
    let stranger = Script::honest(&network(21));
    for (told, refusal) in [besieged.meet(&stranger).await?, besieged.visit(&stranger).await?] {
        let goodbye = Some(GoodbyeReason::IRRELEVANT_NETWORK.0);
        let (step, reason, fault) = ("status", "wrong_fork_digest", Fault::Incompatible);
        assert_eq!((told, refusal), (goodbye, Refusal { step, reason, fault, goodbye }));
    }
    besieged.stands().await
}

#[tokio::test]
async fn a_status_that_no_honest_peer_sends_is_refused() -> Result<()> {
    let mut besieged = Besieged::start(22).await?;
    let honest = Script::honest(&besieged.chain);
    let far = Slot(u64::MAX / 2);
    let cases = [
        (StatusMessage { head_slot: far, ..honest.status }, "head_in_future", Fault::Incompatible, 2),
        (
            StatusMessage { finalized_epoch: Epoch(u64::MAX), head_slot: far, ..honest.status },
            "finalized_after_head",
            Fault::Violation(Severity::Medium),
            3,
        ),
        (
            StatusMessage { finalized_epoch: far.epoch(), head_slot: far, ..honest.status },
            "finalized_in_future",
            Fault::Incompatible,
            2,
        ),
    ];
    for (status, reason, fault, goodbye) in cases {
        let liar = honest.clone().with_status(status);
        for (told, refusal) in [besieged.meet(&liar).await?, besieged.visit(&liar).await?] {
            let goodbye = Some(goodbye);
            assert_eq!((told, refusal), (goodbye, Refusal { step: "status", reason, fault, goodbye }));
        }
    }
    besieged.stands().await
}

#[tokio::test]
async fn a_peer_that_never_answers_is_given_up() -> Result<()> {
    let handshake_deadline = Duration::from_secs(1);
    let mut besieged = Besieged::start_with(Options { handshake_deadline, ..Options::new(&network(23)) }).await?;
    let mut silent = Hostile::start().await?;
    let _connection = besieged.dial(&mut silent).await?;
    let script = Script::honest(&besieged.chain);
    let _unanswered = silent.play_until("status", &script).await?;
    let goodbye = Some(GoodbyeReason::FAULT.0);
    let expected = Refusal { step: "deadline", reason: "timeout", fault: Fault::Transient, goodbye };
    assert_eq!(besieged.refusal(silent.peer_id).await?, expected);
    let told = silent.play(&script).await?;
    assert_eq!(told, Some(GoodbyeReason::FAULT));
    besieged.stands().await
}

#[tokio::test]
async fn a_dialler_that_asks_and_never_answers_is_given_up() -> Result<()> {
    let handshake_deadline = Duration::from_secs(1);
    let mut besieged = Besieged::start_with(Options { handshake_deadline, ..Options::new(&network(29)) }).await?;
    let mut silent = Hostile::start().await?;
    let connection = silent.dial(&besieged.node.multiaddr("/tcp/")?).await?;
    let script = Script::honest(&besieged.chain);
    assert_eq!(silent.ask_status(&connection, &script).await?, script.status);
    silent.ping(&connection).await?;
    // its Status and its Ping are taken as told, and yet it is no peer before it has answered something
    let _unanswered = silent.play_until("metadata", &script).await?;
    let goodbye = Some(GoodbyeReason::FAULT.0);
    let expected = Refusal { step: "deadline", reason: "timeout", fault: Fault::Transient, goodbye };
    assert_eq!(besieged.refusal(silent.peer_id).await?, expected);
    besieged.stands().await
}

#[tokio::test]
async fn a_dialler_whose_answer_does_not_come_is_given_up_at_that_step() -> Result<()> {
    let mut besieged = Besieged::start(30).await?;
    let mut silent = Hostile::start().await?;
    let connection = silent.dial(&besieged.node.multiaddr("/tcp/")?).await?;
    let script = Script::honest(&besieged.chain);
    silent.ask_status(&connection, &script).await?;
    silent.ping(&connection).await?;
    let _unanswered = silent.play_until("metadata", &script).await?;
    let goodbye = Some(GoodbyeReason::FAULT.0);
    let expected = Refusal { step: "metadata", reason: "timeout", fault: Fault::Transient, goodbye };
    assert_eq!(besieged.refusal(silent.peer_id).await?, expected);
    besieged.stands().await
}

#[tokio::test]
async fn a_peer_that_leaves_mid_handshake_is_no_offender() -> Result<()> {
    let mut besieged = Besieged::start(24).await?;
    // metadata and ping are asked for at once
    for (method, steps) in
        [("status", &["status"][..]), ("metadata", &["metadata", "ping"]), ("ping", &["metadata", "ping"])]
    {
        let mut leaver = Hostile::start().await?;
        let connection = besieged.dial(&mut leaver).await?;
        let script = Script::honest(&besieged.chain);
        let _stream = leaver.play_until(method, &script).await?;
        leaver.hang_up(&connection).await;
        let refusal = besieged.refusal(leaver.peer_id).await?;
        assert_eq!((refusal.fault, refusal.goodbye), (Fault::Transient, None));
        assert!(steps.contains(&refusal.step), "{refusal:?}");
        assert!(["closed", "stream_broke"].contains(&refusal.reason), "{refusal:?}");
    }
    besieged.stands().await
}

#[tokio::test]
async fn a_peer_that_speaks_no_status_is_incompatible() -> Result<()> {
    let mut besieged = Besieged::start(25).await?;
    let goodbyes_alone = methods::protocol_ids().filter(|protocol| protocol.as_ref().contains("goodbye")).collect();
    let mut stranger = Hostile::speaking(goodbyes_alone).await?;
    let _connection = stranger.dial(&besieged.node.multiaddr("/tcp/")?).await?;
    let told = stranger.play(&Script::honest(&besieged.chain)).await?.map(|goodbye| goodbye.0);
    let (step, reason, fault) = ("status", "unsupported_protocol", Fault::Incompatible);
    assert_eq!(besieged.refusal(stranger.peer_id).await?, Refusal { step, reason, fault, goodbye: told });
    assert_eq!(told, Some(GoodbyeReason::FAULT.0));
    besieged.stands().await
}

#[tokio::test]
async fn malformed_answers_are_violations() -> Result<()> {
    let mut besieged = Besieged::start(26).await?;
    let honest = Script::honest(&besieged.chain);
    for (step, ssz) in [
        ("status", encode::<methods::Status>(&honest.status)),
        ("metadata", encode::<methods::Metadata>(&honest.metadata)),
        ("ping", encode::<methods::Ping>(&honest.metadata.seq_number)),
    ] {
        let mut cases = malformed::all(&ssz);
        let followed = [&encode_message(&ssz)[..], &[0]].concat();
        cases.push(malformed::Malformed { bytes: followed, reason: "too_many_chunks", severity: Severity::Medium });
        for malformed::Malformed { bytes, reason, severity } in cases {
            let answer = [&[0][..], &bytes].concat();
            let (told, refusal) = besieged.visit(&honest.clone().answering(step, answer)).await?;
            let goodbye = Some(GoodbyeReason::FAULT.0);
            let fault = Fault::Violation(severity);
            assert_eq!((told, refusal), (goodbye, Refusal { step, reason, fault, goodbye }));
        }
    }
    besieged.stands().await
}

#[tokio::test]
async fn a_status_that_is_an_error_is_classified_by_its_code() -> Result<()> {
    let mut besieged = Besieged::start(27).await?;
    let honest = Script::honest(&besieged.chain);
    for (code, reason, fault) in [
        (1, "invalid_request", Fault::Local),
        (2, "server_error", Fault::Transient),
        (3, "resource_unavailable", Fault::Busy),
        (139, "rate_limited", Fault::Busy),
        (77, "reserved_code", Fault::Transient),
        (255, "other_code", Fault::Transient),
    ] {
        for message in [Vec::new(), encode_message(b"no"), vec![0xff]] {
            let answer = [vec![code], message].concat();
            let (told, refusal) = besieged.visit(&honest.clone().answering("status", answer)).await?;
            assert_eq!((refusal.step, refusal.reason, refusal.fault), ("status", reason, fault));
            assert_eq!((told, told.is_some()), (refusal.goodbye, true));
        }
    }
    let (told, refusal) = besieged.visit(&honest.answering("status", Vec::new())).await?;
    let expected = Refusal { step: "status", reason: "closed", fault: Fault::Transient, goodbye: None };
    assert_eq!((told, refusal), (None, expected));
    besieged.stands().await
}

#[tokio::test]
async fn malformed_requests_are_answered_with_result_1() -> Result<()> {
    let mut besieged = Besieged::start(28).await?;
    let honest = Script::honest(&besieged.chain);
    for (label, ssz) in [
        ("status/2", encode::<methods::Status>(&honest.status)),
        ("ping/1", encode::<methods::Ping>(&honest.metadata.seq_number)),
        ("goodbye/1", encode::<methods::Goodbye>(&GoodbyeReason::FAULT)),
    ] {
        let mut cases = malformed::all(&ssz);
        let followed = [&encode_message(&ssz)[..], &[0]].concat();
        cases.push(malformed::Malformed { bytes: followed, reason: "surplus_bytes", severity: Severity::Medium });
        cases.push(malformed::Malformed { bytes: Vec::new(), reason: "truncated", severity: Severity::Low });
        for malformed::Malformed { bytes, reason: expected, severity } in cases {
            let asker = Hostile::start().await?;
            let connection = asker.dial(&besieged.node.multiaddr("/tcp/")?).await?;
            let protocol = format!("/eth2/beacon_chain/req/{label}/ssz_snappy");
            let answer = asker.request(&connection, &protocol, &bytes).await?;
            assert_eq!(answer.first(), Some(&1), "{label}: {expected}");
            let is_it = |event: &NodeEvent| match event {
                NodeEvent::RpcRejected { peer_id, .. } => *peer_id == asker.peer_id,
                _ => false,
            };
            let rejected = besieged.node.wait("rpc.rejected", is_it).await?;
            let NodeEvent::RpcRejected { method, reason, fault, .. } = &*rejected else {
                unreachable!("waited for it")
            };
            assert_eq!((*method, *reason, *fault), (label, expected, Fault::Violation(severity)));
        }
    }
    besieged.answers().await?;
    besieged.stands().await
}

/// The newest version's SSZ.
fn encode<M: Method>(value: &M::Response) -> Vec<u8> {
    M::encode_response(value, &M::PROTOCOLS[0])
}

#[tokio::test]
async fn a_peer_that_takes_long_to_answer_counts_for_less_and_stays() -> Result<()> {
    let chain = network(38);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let (mut slow, script) = (Hostile::start().await?, Script::honest(&chain));
    let connection = slow.dial(&node.multiaddr("/tcp/")?).await?;
    slow.ask_status(&connection, &script).await?;
    let peer_id = slow.peer_id;
    tokio::select! {
        ready = node.ready(peer_id) => ready?,
        ended = slow.play(&script) => anyhow::bail!("refused: {:?}", ended?),
    };
    let ping = slow.play_until("ping", &script).await?;
    // how slow it is: more than two seconds
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    Hostile::answer(ping, &script).await?;
    let is_charged = |event: &NodeEvent| match event {
        NodeEvent::PeerPenalized { peer_id: charged, deed, standing, .. } => {
            (*charged, *deed, *standing) == (peer_id, "slow", "good")
        }
        _ => false,
    };
    node.wait("peer.penalized", is_charged).await?;
    assert_eq!(node.peers(), [peer_id]);
    Ok(())
}
