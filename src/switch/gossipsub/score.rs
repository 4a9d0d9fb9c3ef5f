//! What peers' scores are made of: Lighthouse's numbers, without what would punish others for a stall of ours.
//!
//! A peer gains by staying in a mesh and by being first with messages; it loses by invalid messages and by breaking the
//! router's own rules. Deliberately of no weight:
//!
//! - the address (P6): how many peers one address and one network may have is limited when they connect, and of those who
//!   share an address by no fault of theirs, behind one gateway, nobody is to pay for it;
//! - mesh deliveries (P3, P3b): what a neighbour delivers late may have waited in our own sockets;
//! - slow peers: a queue towards a peer also fills when we do not get to write. The router reports them instead.
//!
//! [gossipsub v1.1, peer scoring](https://github.com/libp2p/specs/blob/master/pubsub/gossipsub/gossipsub-v1.1.md#peer-scoring)

use std::collections::HashMap;
use std::time::Duration;

use libp2p::gossipsub::{PeerScoreParams, PeerScoreThresholds, TopicScoreParams, score_parameter_decay_with_base};

use super::params::MESH_N;
use crate::types::SLOTS_PER_EPOCH;

/// What peers' scores on a topic are derived from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicScore {
    /// Weight of one topic among all; 0 keeps the topic out of the scores.
    pub weight: f64,
    /// Messages that one such topic brings in a slot, as far as is known beforehand; 0 where there is no telling, and
    /// being first earns nothing then.
    pub per_slot: f64,
}

/// Below it a peer is not listened to at all, and the router reports it.
pub(super) const GRAYLIST: f64 = -16_000.0;

/// Below it a peer gets nothing that we publish.
pub(super) const PUBLISH: f64 = -8_000.0;

/// Below it no gossip is exchanged.
const GOSSIP: f64 = -4_000.0;

/// When the median of a mesh is below it, better peers are grafted.
const OPPORTUNISTIC_GRAFT: f64 = 5.0;

/// Most that staying in one mesh earns, before the topic's weight.
const MAX_IN_MESH: f64 = 10.0;

/// Most that being first earns on one topic, before the topic's weight.
const MAX_FIRST_DELIVERIES: f64 = 40.0;

/// Most that the weights of all topics of a fork come to together.
pub const TOTAL_WEIGHT: f64 = 4.2;

/// Most that a peer can earn; a single invalid message costs as much, n of them n² as much: the 9th in 50 epochs is
/// one too many.
const MAX_POSITIVE: f64 = (MAX_IN_MESH + MAX_FIRST_DELIVERIES) * TOTAL_WEIGHT;

/// Counters below it are zero.
const DECAY_TO_ZERO: f64 = 0.01;

/// How long counters take to decay, in the slots of the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreClock {
    /// Also the interval of decay, which libp2p wants to be a second at least.
    slot: Duration,
}

impl ScoreClock {
    pub(super) fn new(slot: Duration) -> Self {
        Self { slot: slot.max(Duration::from_secs(1)) }
    }

    /// The factor per slot by which a counter is gone after so many epochs.
    fn decay(self, epochs: u32) -> f64 {
        score_parameter_decay_with_base(self.epochs(epochs), self.slot, DECAY_TO_ZERO)
    }

    fn epochs(self, epochs: u32) -> Duration {
        self.slot * SLOTS_PER_EPOCH as u32 * epochs
    }
}

/// Where a counter that grows by `rate` a slot and decays by `decay` ends up.
fn convergence(decay: f64, rate: f64) -> f64 {
    rate / (1.0 - decay)
}

pub(super) fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: GOSSIP,
        publish_threshold: PUBLISH,
        graylist_threshold: GRAYLIST,
        accept_px_threshold: 100.0,
        opportunistic_graft_threshold: OPPORTUNISTIC_GRAFT,
    }
}

/// The parameters that concern no topic.
///
/// Scores that are not positive outlive the connection by an epoch, or whoever is cut off would just come back; whoever does
/// so within it is cut off again and banned for longer, which is not the router's to remember. That is about 300 bytes and 150 more for
/// each topic it took part in, for each peer that connected within 6.4 minutes: with 1000 of them on 25 topics 4 MB.
pub(super) fn peer_params(clock: ScoreClock) -> PeerScoreParams {
    let behaviour_penalty_decay = clock.decay(10);
    let behaviour_penalty_threshold = 6.0;
    // ten faults an epoch take a peer to where gossip ends
    let faults = convergence(behaviour_penalty_decay, 10.0 / SLOTS_PER_EPOCH as f64) - behaviour_penalty_threshold;
    let topic_score_cap = MAX_POSITIVE * 0.5;
    PeerScoreParams {
        topics: HashMap::new(),
        topic_score_cap,
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: GOSSIP / faults.powi(2),
        behaviour_penalty_threshold,
        behaviour_penalty_decay,
        decay_interval: clock.slot,
        decay_to_zero: DECAY_TO_ZERO,
        retain_score: clock.epochs(1),
        slow_peer_weight: 0.0,
        slow_peer_threshold: 0.0,
        slow_peer_decay: 0.1,
        ..PeerScoreParams::default()
    }
}

/// The parameters of one topic.
pub(super) fn topic_params(score: TopicScore, clock: ScoreClock) -> TopicScoreParams {
    let TopicScore { weight, per_slot } = score;
    let time_in_mesh_cap = 3_600.0 / clock.slot.as_secs_f64();
    // rarer messages are remembered for longer
    let first_message_deliveries_decay = clock.decay(match per_slot {
        rate if rate >= 4.0 => 1,
        rate if rate >= 0.5 => 20,
        _ => 100,
    });
    let first_message_deliveries_cap =
        convergence(first_message_deliveries_decay, 2.0 * per_slot / MESH_N as f64).max(DECAY_TO_ZERO);
    let of_weight = |score: f64| if weight > 0.0 { score } else { 0.0 };
    TopicScoreParams {
        topic_weight: weight.max(0.0),
        time_in_mesh_weight: of_weight(MAX_IN_MESH / time_in_mesh_cap),
        time_in_mesh_quantum: clock.slot,
        time_in_mesh_cap,
        first_message_deliveries_weight: if per_slot > 0.0 {
            of_weight(MAX_FIRST_DELIVERIES / first_message_deliveries_cap)
        } else {
            0.0
        },
        first_message_deliveries_decay,
        first_message_deliveries_cap,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // whatever the topic, an invalid message weighs the same
        invalid_message_deliveries_weight: of_weight(-MAX_POSITIVE / weight),
        invalid_message_deliveries_decay: clock.decay(50),
        ..TopicScoreParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libp2p_takes_the_parameters_of_any_topic_and_slot_time() {
        for slot in [0.1, 1.0, 2.0, 6.0, 12.0] {
            let clock = ScoreClock::new(Duration::from_secs_f64(slot));
            peer_params(clock).validate().unwrap();
            for weight in [0.0, 1.0 / 128.0, 1.0 / 64.0, 0.05, 0.1, 0.2, 0.5, 1.0] {
                for per_slot in [0.0, 0.001, 0.05, 1.0, 2.0, 64.0, 535.0, 1_040.0] {
                    let params = topic_params(TopicScore { weight, per_slot }, clock);
                    params.validate().unwrap();
                    let numbers = [
                        params.first_message_deliveries_weight,
                        params.first_message_deliveries_cap,
                        params.invalid_message_deliveries_weight,
                        params.time_in_mesh_weight,
                    ];
                    assert!(numbers.iter().all(|number| number.is_finite()), "{numbers:?}");
                }
            }
        }
        thresholds().validate().unwrap();
    }

    #[test]
    fn the_penalties_are_those_of_the_field() {
        let params = peer_params(ScoreClock::new(Duration::from_secs(12)));
        assert!((-16.5..-15.0).contains(&params.behaviour_penalty_weight), "{}", params.behaviour_penalty_weight);
        assert_eq!(params.retain_score, Duration::from_secs(384));
        assert!((0.97..0.99).contains(&params.behaviour_penalty_decay), "{}", params.behaviour_penalty_decay);
    }

    #[test]
    fn nine_invalid_messages_are_one_too_many_on_every_topic() {
        for weight in [1.0 / 128.0, 0.05, 0.5] {
            let params = topic_params(TopicScore { weight, per_slot: 1.0 }, ScoreClock::new(Duration::from_secs(12)));
            let score = |count: f64| weight * params.invalid_message_deliveries_weight * count * count;
            assert!(score(8.0) > GRAYLIST && score(9.0) < GRAYLIST);
        }
    }

    #[test]
    fn a_good_peer_earns_enough_to_keep_opportunistic_grafting_quiet() {
        // an hour in the meshes of blocks and aggregates alone
        let params = topic_params(TopicScore { weight: 0.5, per_slot: 1.0 }, ScoreClock::new(Duration::from_secs(12)));
        let earned = params.topic_weight * params.time_in_mesh_weight * params.time_in_mesh_cap;
        assert!(2.0 * earned > OPPORTUNISTIC_GRAFT, "{earned}");
    }

    #[test]
    fn nothing_that_our_own_stall_can_cause_has_a_weight() {
        let clock = ScoreClock::new(Duration::from_secs(12));
        let topic = topic_params(TopicScore { weight: 0.5, per_slot: 1.0 }, clock);
        assert_eq!((topic.mesh_message_deliveries_weight, topic.mesh_failure_penalty_weight), (0.0, 0.0));
        assert_eq!(peer_params(clock).slow_peer_weight, 0.0);
    }

    #[test]
    fn nobody_pays_for_those_who_share_the_address() {
        assert_eq!(peer_params(ScoreClock::new(Duration::from_secs(12))).ip_colocation_factor_weight, 0.0);
    }
}
