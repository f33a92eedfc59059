//! `utskick` sends kontrolluppgifter to the secure digital mailboxes of Mina meddelanden.

pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod gateway;
pub mod intake;
pub mod lookup;
pub mod prepare;
pub mod sandbox;
pub mod submit;
pub mod track;
pub mod watch;
