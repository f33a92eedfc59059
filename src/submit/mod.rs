//! The network: pace, connect, send, classify the answer.
pub mod wire;
