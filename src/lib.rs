//! `utskick` (Swedish: a mailing) sends kontrolluppgifter to the secure digital mailboxes of Mina meddelanden: in bulk, at
//! the agreed rates, before the deadline, and so that every statement of the exports is accounted for.
//!
//! # Bird's eye
//!
//! A run has two passes. **Pass 1** reads, validates and keys every record of all exports, settles what they say about
//! each other and about earlier runs, and gives each ordinal a row in the run's journal; nothing leaves. **Pass 2** sends
//! what pass 1 released: FaR is asked who has a mailbox and where, operators pull what waits for them, and what cannot be
//! reached digitally goes into print bundles. Everything that is known to have happened is in the journal; a process that
//! dies is followed by one that reads it and goes on.
//!
//! # Code map: the journey of one statement
//!
//! | folder | what |
//! |---|---|
//! | `main.rs`, [`cli`] | arguments, what is printed, exit codes; one file a command |
//! | [`pipeline`] | the wiring: the only place that knows two stages |
//! | [`domain`] | the vocabulary: kontrolluppgift, identity, outcome, letter; no I/O |
//! | [`intake`] | bytes to valid statements: stage, map, split, parse, validate, settle |
//! | [`lookup`] | who has a mailbox and where |
//! | [`prepare`] | compose, encrypt, sign, seal: CPU only |
//! | [`submit`] | one attempt at an operator, and what its answer means |
//! | [`gateway`] | what look-ups and attempts share: mutual TLS, connections, pace, breaker, wire format |
//! | [`track`] | journal, register, checkpoint, the numbers of reports |
//! | [`plan`] | will it fit: what a send will take, told beforehand |
//! | [`bench`](mod@bench) | what the stages and a whole send cost on this machine, beside their floors |
//! | [`watch`] | progress, logs, and that nothing personal is seen beside them |
//! | [`sandbox`] | a FaR and operators to send to, with bad manners on request; synthetic exports |
//! | [`disk`] | what durability rests on: synced contents, synced names |
//! | `outputs.rs` | files that a command is told to write: never over what it reads |
//! | `told.rs` | what CPU threads and the journal tell tasks, with one wake-up for many |
//! | [`config`], [`error`] | the settings as types; what ends a command, and its exit code |
//!
//! To follow one statement: [`pipeline::send`] opens the run; `pipeline/release.rs` gives it a row; `pipeline/route.rs`
//! looks its recipient up; `pipeline/deliver.rs` has its letter made by [`prepare::Workshop`], makes the attempt with
//! [`submit::attempt`](mod@submit::attempt), and writes intent and outcome to [`track::Journal`]; or `pipeline/paper.rs`
//! puts it into a bundle.
//!
//! # Invariants
//!
//! - Every statement of the exports ends in exactly one [`domain::Outcome`]; ordinals run from 1 through all exports of a
//!   run in the order given.
//! - No request leaves without a synced intent. No checkpoint passes a statement without an outcome. After k kills, at
//!   most k times the sum of the concurrency bounds are in doubt.
//! - No silent resend: a statement in doubt is sent again only where its operator's policy says `resend`, and always with
//!   the same id and bytes.
//! - Every attempt passes the pace, retries included: at its slots, every window of length W holds at most ⌊R·W⌋ + 1.
//!   A rate has no default. Less is used where a gateway pushes back, never more; Retry-After always wins.
//! - Outside a gateway's delivery window, and while somebody has it paused, no attempt gets a slot; one that has an intent
//!   goes on to its outcome. Orders to a running send (`track/control.rs`) hold across restarts and are on record.
//! - The only `unsafe` is in `intake/map.rs`.
//! - No personnummer, name or amount in a log line, error, metric, panic or file name, nor in the journal outside its
//!   sealed columns. Types that hold them print masked.
//! - Every queue has a capacity, stated in [`pipeline`]; memory is bounded whatever the size of the exports.
//! - Nothing decides by wall clock but certificate validity, the delivery window, a look-up's age, and dates in messages.
//! - Refuse, don't guess: a changed export, an unknown key in the settings, a DOCTYPE, a certificate that ends before the
//!   run can.
//! - Imports run one way: `main → cli → pipeline → {intake, lookup, prepare, submit, track} → domain`; `lookup` and
//!   `submit` share `gateway`; `watch` is a leaf; nothing but `cli` and tests uses `sandbox`.

pub mod bench;
pub mod cli;
pub mod config;
pub mod disk;
pub mod domain;
pub mod error;
pub mod gateway;
pub mod intake;
pub mod lookup;
mod outputs;
pub mod pipeline;
pub mod plan;
pub mod prepare;
pub mod sandbox;
pub mod submit;
mod told;
pub mod track;
pub mod watch;
