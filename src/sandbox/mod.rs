//! a FaR and mailbox operators to send to.

pub mod generate;
