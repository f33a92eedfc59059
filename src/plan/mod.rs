//! Will it fit? What a bulk send will take, told before anything is sent.
//!
//! In: how many statements there are of what, what the settings allow, and what the stages cost on a machine
//! ([`Measured`], which `utskick bench --json` writes). It sends nothing and writes nothing. [`forecast`] works from
//! volumes of years instead, and tells what sending digitally saves.

pub mod forecast;
mod measured;

pub use measured::{Floors, Machine, Measured, Scale, SendCost, Stages, VERSION};
