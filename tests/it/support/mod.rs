//! What the scenarios are told with.

mod besieged;
mod eavesdropper;
mod fixture;
mod hostile;
pub(crate) mod malformed;
mod testnet;
pub(crate) mod wire;

pub(crate) use beacond::node::Find;
pub(crate) use besieged::{Besieged, Refusal};
pub(crate) use eavesdropper::subscriptions;
pub(crate) use fixture::Fixture;
pub(crate) use hostile::{Hostile, Script};
pub(crate) use testnet::{Options, PATIENCE, TestNode, Testnet, fixed_ports, freed, network};
