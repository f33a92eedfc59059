//! Places in an export.

/// Where a record (Blankett) lies: byte interval in the staged UTF-8 export, from `<` to past the closing `>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Ordinal of the record, from 1, through all exports of a run in the order given.
    pub ordinal: u64,
    /// First byte.
    pub offset: u64,
    /// Length in bytes; the record limit keeps it far below 4 GiB.
    pub length: u32,
}

/// Items that travel together and the export they are of.
///
/// *Shape*: ascending by ordinal, none missing between the first and the last. Spans move between threads, borrowed
/// records never do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// Number of the export within the run, from 0.
    pub export: u16,
    /// The items.
    pub items: Vec<T>,
}
