//! End-to-end tests: one module a user story, each through the real binary.

// A test that goes wrong should stop there and say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

mod account;
mod bench;
mod bulk_send;
mod control;
mod crash_points;
mod doubts;
mod encryption;
mod failing_disk;
mod failing_vfs;
mod files;
mod generate;
mod hostile_input;
mod judged;
mod keys;
mod kills;
mod letters;
mod logs;
mod manners;
mod messages;
mod nights;
mod pace;
mod paper;
mod plan;
mod post;
mod power_loss;
mod referee;
mod renewal;
mod resume;
mod run;
mod sandbox;
mod shape;
mod signatures;
mod silence;
mod storage_faults;
mod tidy;
mod unfit_keys;
mod unread;
mod validation;
mod vectors;
mod windows;
mod world;
