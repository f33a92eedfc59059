//! Will it fit? What a bulk send will take, told before anything is sent.
//!
//! In: how many statements there are of what, what the settings allow, and what the stages cost on a machine
//! ([`Measured`], which `utskick bench --json` writes). Out: an [`Outlook`]. It sends nothing and writes nothing.
//!
//! | part | what |
//! |---|---|
//! | [`volumes`] | statements per form, employer and operator |
//! | [`Measured`] | what the stages cost |
//! | [`model`] | both and the settings: queues, limits and costs |
//! | [`simulate`](mod@simulate) | the same queues and limits, with a clock of its own |
//! | [`Bottleneck`] | the limit without which it would end first, and what would move it |
//! | [`sensitivity`](mod@sensitivity) | what if |
//! | [`Outlook`] | all that is said of a send |
//! | [`timeline`](mod@timeline) | its picture |
//! | [`forecast`] | years of volumes instead of exports, and what sending digitally saves |

pub mod bottleneck;
pub mod forecast;
mod measured;
pub mod model;
mod outlook;
pub mod sensitivity;
pub mod simulate;
pub mod timeline;
pub mod volumes;

pub use bottleneck::Bottleneck;
pub use measured::{Floors, Machine, Measured, Scale, SendCost, Stages, VERSION};
pub use outlook::{Outlook, Spreads};
