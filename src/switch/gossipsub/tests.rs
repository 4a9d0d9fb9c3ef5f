//! Routers in real switches on loopback.
