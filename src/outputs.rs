//! Files that a command is told to write: never one that it reads, nor one twice, and for nobody's eyes but their owner's.

use crate::error::{Error, Exit, Result};
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The files that are spoken for.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    taken: Vec<(u64, u64)>,
}

impl Outputs {
    /// None of these is written over, under whatever name.
    pub(crate) fn beside<'a>(inputs: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let facts = inputs.into_iter().filter_map(|path| std::fs::metadata(path).ok());
        Self { taken: facts.map(|facts| (facts.dev(), facts.ino())).collect() }
    }

    /// Makes a file, or empties the one that is there; then it is readable by its owner alone.
    ///
    /// *Errors*: one that is spoken for, which stays as it is; storage.
    pub(crate) fn create(&mut self, path: &Path) -> Result<File> {
        let failed = |error| Error::because(Exit::Storage, format!("cannot write {}", path.display()), error);
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        // A terminal or a pipe has no content to lose.
        if facts.is_file() {
            let which = (facts.dev(), facts.ino());
            if self.taken.contains(&which) {
                let message = format!("{} would be written over what this command reads or writes too", path.display());
                return Err(Error::new(Exit::Usage, message).remedy("name another file"));
            }
            self.taken.push(which);
            file.set_permissions(Permissions::from_mode(0o600)).and_then(|()| file.set_len(0)).map_err(failed)?;
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_or_written_already_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let [export, link, other] = ["export.xml", "link.xml", "other.tsv"].map(|name| folder.path().join(name));
        for file in [&export, &other] {
            std::fs::write(file, "content").expect("written");
            std::fs::set_permissions(file, Permissions::from_mode(0o644)).expect("shared");
        }
        std::os::unix::fs::symlink(&export, &link).expect("linked");
        let mut outputs = Outputs::beside([&export, &folder.path().join("none")]);
        for spoken_for in [&export, &link] {
            assert_eq!(outputs.create(spoken_for).expect_err("an input").exit(), Exit::Usage);
        }
        assert_eq!(std::fs::read(&export).expect("there"), b"content");
        outputs.create(&other).expect("free");
        assert_eq!(std::fs::metadata(&other).expect("there").mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&other).expect("there").len(), 0);
        assert_eq!(outputs.create(&other).expect_err("written already").exit(), Exit::Usage);
        outputs.create(Path::new("/dev/null")).and_then(|_| outputs.create(Path::new("/dev/null"))).expect("no file");
    }
}
