//! the network: pace, connect, send, classify the answer.
