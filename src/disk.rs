//! The disk: the few operations on files and folders that durability rests on.
//!
//! What must be there after a power failure is made durable in two steps, its content and then its name: the file is
//! synced, and so is the folder that it is in. Files that SQLite keeps are its own affair, through the VFS that a disk
//! names. Tests put a disk in place that loses, tears and reorders whatever was not synced.

use crate::watch::crash;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// The operations. Those that write are atomic at most in themselves, and durable only after the sync that follows.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a file that is not there yet, readable to its owner alone, writes it and syncs its content. Its name is not
    /// durable before [`Disk::sync_folder`].
    ///
    /// *Errors*: also [`ErrorKind::AlreadyExists`]. What was written of it then may stay.
    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()>;

    /// Writes what a file holds once more where it lies, and syncs it. What a failed sync did not write is in memory only
    /// and counts as written: no later sync alone would bring it to the disk. Nobody else may write to the file meanwhile.
    fn write_again(&self, file: &Path) -> io::Result<()>;

    /// Gives a file another name in its folder, replacing what has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, in the same folder. *Errors*: also [`ErrorKind::AlreadyExists`].
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a name away.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Makes a folder that only its owner may enter; the folder that it is in is there.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Name of SQLite's VFS for files on this disk; `None`: the one it has by itself.
    fn vfs(&self) -> Option<&str>;
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Disk for Machine {
    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        file.write_all(content)?;
        file.sync_all()
    }

    fn write_again(&self, file: &Path) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(file)?;
        let mut chunk = vec![0; 1 << 20];
        let mut at = 0;
        loop {
            let count = file.read_at(&mut chunk, at)?;
            if count == 0 {
                return file.sync_all();
            }
            file.write_all_at(chunk.get(..count).unwrap_or_default(), at)?;
            at += count as u64;
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn vfs(&self) -> Option<&str> {
        None
    }
}

impl dyn Disk + '_ {
    /// Makes a folder and those above it that are missing, each private, and makes the names on the way to it durable, also
    /// of those that are there: whoever made them may have ended before.
    pub fn make_folders(&self, folder: &Path) -> io::Result<()> {
        let parent = folder_of(folder);
        let is_there = folder.as_os_str().is_empty() || folder.is_dir();
        if parent != folder && parent != Path::new(".") {
            self.make_folders(parent)?;
        }
        if !is_there {
            match self.make_folder(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists || !folder.is_dir() => return Err(error),
                _ => {}
            }
        }
        match self.sync_folder(parent) {
            // Above what is ours: a folder that may be passed through and not read, on a disk that is not written to.
            Err(error)
                if is_there && matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
            {
                Ok(())
            }
            done => done,
        }
    }

    /// Writes a file whole or not at all: under a name of its own (`draft`, in the same folder), synced, renamed, and the
    /// folder synced. What stood under its name, and what an earlier attempt left of the draft, is replaced.
    ///
    /// `points` are the crash points where the draft is synced, and where it is renamed. *Errors*: with what was
    /// attempted; nothing stands under the name but what stood there before, unless only the folder could not be synced.
    pub fn replace(
        &self,
        file: &Path,
        draft: &Path,
        content: &[u8],
        points: [&'static str; 2],
    ) -> Result<(), (&'static str, io::Error)> {
        self.remove_if_there(draft).map_err(|error| ("remove the draft of", error))?;
        let [synced, renamed] = points;
        let written = self.write_new(draft, content).map_err(|error| ("write", error));
        crash::point(synced);
        let done = written.and_then(|()| self.rename(draft, file).map_err(|error| ("rename a draft to", error)));
        if done.is_err() {
            // What cannot be removed now is removed by the next attempt.
            let _ = self.remove(draft);
        }
        done?;
        crash::point(renamed);
        self.sync_folder(folder_of(file)).map_err(|error| ("sync the folder of", error))
    }

    /// Takes a name away, if it is there.
    pub fn remove_if_there(&self, file: &Path) -> io::Result<()> {
        match self.remove(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The folder that a file or folder is in; `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folders_and_files_are_private_and_a_file_is_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let disk: &dyn Disk = &Machine;
        let folder = home.path().join("a/b/c");
        disk.make_folders(&folder).unwrap();
        disk.make_folders(&folder).unwrap();
        let (file, draft) = (folder.join("file"), folder.join("draft"));
        fs::write(&draft, "what an earlier attempt left").unwrap();
        for content in ["first", "second"] {
            disk.replace(&file, &draft, content.as_bytes(), ["report_written", "report_renamed"]).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        assert!(!draft.exists());
        let long: Vec<u8> = (0..3_000_000_u32).map(|at| at as u8).collect();
        disk.replace(&file, &draft, &long, ["report_written", "report_renamed"]).unwrap();
        disk.write_again(&file).unwrap();
        assert!(fs::read(&file).unwrap() == long);
        disk.replace(&file, &draft, b"second", ["report_written", "report_renamed"]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&folder), mode(&home.path().join("a"))), (0o600, 0o700, 0o700));
        assert_eq!(disk.write_new(&file, b"").unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::create_dir(&draft).unwrap();
        let (step, _) = disk.replace(&file, &draft, b"third", ["report_written", "report_renamed"]).unwrap_err();
        assert_eq!((step, fs::read_to_string(&file).unwrap().as_str()), ("remove the draft of", "second"));
        assert_eq!(folder_of(Path::new("file")), Path::new("."));
    }
}
