//! A forged message for every rule of every topic: exactly that verdict, for exactly that reason.

mod attestations;
mod blobs;
mod blocks;
mod fixtures;
mod forks;
mod gloas;
mod light_client;
mod operations;
mod survives;
mod sync;
mod world;
