//! The folder that everything lies in while it is measured; it goes with its handle.

use crate::error::{Error, Exit, Result};
use std::path::{Path, PathBuf};

/// A folder of our own that is removed when the handle is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one in `place`, for its owner alone.
    pub fn make(place: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let cannot = |path: &Path, error| {
            Error::because(Exit::Storage, format!("cannot make {}", path.display()), error)
                .remedy("name a folder that is there and may be written to with --dir")
        };
        // Absolute: settings that name it lie elsewhere.
        let place = place.canonicalize().map_err(|error| cannot(place, error))?;
        let path = place.join(format!("utskick-bench-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| cannot(&path, error))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it lies in memory, where an fsync costs nothing.
    pub fn is_in_memory(&self) -> bool {
        const TMPFS: i64 = 0x0102_1994;
        rustix::fs::statfs(&self.0).is_ok_and(|of| of.f_type == TMPFS)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the folder of the measurement stays");
        }
    }
}
