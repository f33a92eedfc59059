//! metrics and progress.
