//! A party on the network that takes requests at an agreed rate: FaR, or a mailbox operator.
//!
//! In: a request body and an address. Out: the reply, or how sure it is that nothing was accepted. Everything that both
//! look-ups and deliveries need is here: mutual TLS, a small pool of HTTP/1.1 connections of our own (a pooled client
//! resends behind one's back), the pace with its
//! gate, the breaker, and the pure encoding and decoding of what goes over the wire. It
//! does not decide what an answer means for a statement.

mod adapt;
mod boundary;
mod breaker;
mod connect;
mod gate;
mod keep_alive;
mod lead;
mod pace;
mod places;
mod retry_after;
mod throttle;
mod timer;
mod tls;
pub mod wire;

pub(crate) use adapt::{Adapt, Said};
pub use breaker::Breaker;
pub use connect::{Address, CallError, Gateway, GatewaySettings, Lease, REST, Reply, Worth};
pub use gate::{Gate, MARGIN, Shut};
pub use lead::Lead;
pub use pace::{Pacer, Slot};
pub use places::Place;
pub use retry_after::retry_after;
pub use tls::{Tls, TlsError};
