//! The quotas by a clock of their own.

use proptest::prelude::*;

use super::*;

const PING: Quota = Quota::new(2, Duration::from_secs(10));
const LIMITS: HeldLimits = HeldLimits { total: 10, per_peer: 4, delay: Duration::from_secs(10) };

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn delays_what_is_over_the_quota_and_refuses_what_would_wait_too_long() {
    let (mut admission, peer_id, now) = (Admission::new(LIMITS), PeerId::random(), Instant::now());
    let delays: Vec<_> = (0..4).map(|_| admission.admit(peer_id, "ping", PING, now)).collect();
    assert_eq!(delays, [Ok(secs(0)), Ok(secs(0)), Ok(secs(5)), Ok(secs(10))]);
    admission.release(peer_id, now);
    assert_eq!(admission.admit(peer_id, "ping", PING, now), Err(Refused::OverQuota(secs(15))));
    assert_eq!(admission.admit(peer_id, "status", PING, now), Ok(secs(0)), "a bucket for each method");
    assert_eq!(admission.admit(PeerId::random(), "ping", PING, now), Ok(secs(0)), "and for each peer");
}

#[test]
fn a_steady_peer_within_its_quota_never_waits() {
    let (mut admission, peer_id, start) = (Admission::new(LIMITS), PeerId::random(), Instant::now());
    for turn in 0..50 {
        let now = start + secs(5 * turn);
        assert_eq!(admission.admit(peer_id, "ping", PING, now), Ok(secs(0)));
        admission.release(peer_id, now);
    }
}

#[test]
fn caps_the_streams_of_a_peer_and_of_all() {
    let wide = Quota::new(1000, secs(1));
    let (mut admission, now) = (Admission::new(LIMITS), Instant::now());
    let peers = [PeerId::random(), PeerId::random(), PeerId::random()];
    for peer_id in peers.iter().copied().flat_map(|peer_id| [peer_id; 4]).take(10) {
        assert_eq!(admission.admit(peer_id, "status", wide, now), Ok(secs(0)));
    }
    assert_eq!(admission.admit(peers[2], "status", wide, now), Err(Refused::TooBusy));
    admission.release(peers[2], now);
    assert_eq!(admission.admit(peers[0], "status", wide, now), Err(Refused::TooManyStreams));
    assert_eq!(admission.admit(peers[2], "status", wide, now), Ok(secs(0)));
}

#[test]
fn forgets_a_peer_once_it_is_idle_and_its_bucket_full() {
    let (mut admission, peer_id, now) = (Admission::new(LIMITS), PeerId::random(), Instant::now());
    admission.admit(peer_id, "ping", PING, now).unwrap();
    admission.forget_idle(now + secs(60));
    assert_eq!(admission.peers(), 1, "its stream is open");
    admission.release(peer_id, now + secs(1));
    admission.forget_idle(now + secs(4));
    assert_eq!(admission.peers(), 1, "its bucket refills");
    admission.forget_idle(now + secs(5));
    assert_eq!((admission.peers(), admission.held()), (0, 0));
}

#[test]
fn a_refused_stream_leaves_nothing_behind() {
    let refuse_all = HeldLimits { per_peer: 0, ..LIMITS };
    let (mut admission, now) = (Admission::new(refuse_all), Instant::now());
    for _ in 0..100 {
        assert_eq!(admission.admit(PeerId::random(), "ping", PING, now), Err(Refused::TooManyStreams));
    }
    admission.forget_idle(now);
    assert_eq!((admission.peers(), admission.held()), (0, 0));
}

proptest! {
    #[test]
    fn never_serves_more_than_the_quota_in_any_window(
        gaps in prop::collection::vec(0..4000_u64, 1..60),
        tokens in 1..6_u32,
    ) {
        let quota = Quota::new(tokens, secs(10));
        let mut admission = Admission::new(HeldLimits { total: 100, per_peer: 100, delay: secs(1000) });
        let (peer_id, start) = (PeerId::random(), Instant::now());
        let mut now = start;
        let mut served = Vec::new();
        for gap in gaps {
            now += Duration::from_millis(gap);
            served.push(now + admission.admit(peer_id, "ping", quota, now).unwrap());
        }
        prop_assert!(served.is_sorted());
        // a full bucket and what refills while it drains
        for (first, last) in served.iter().zip(served.iter().skip(2 * tokens as usize)) {
            prop_assert!(last.duration_since(*first) > secs(9));
        }
    }
}
