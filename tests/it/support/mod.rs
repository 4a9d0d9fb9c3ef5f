//! What the scenarios are told with.

mod hostile;
mod testnet;

pub(crate) use hostile::Hostile;
pub(crate) use testnet::{Options, TestNode, Testnet, network};
