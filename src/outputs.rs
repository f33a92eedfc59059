//! Files that a command is told to write: never one that it reads, that the settings name or that a run is made of, nor one
//! twice, and for nobody's eyes but their owner's.

use crate::config::Config;
use crate::disk::folder_of;
use crate::error::{Error, Exit, Result};
use crate::pipeline::{FINDINGS, REJECTS};
use crate::track::{Installation, Journal};
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The files that are spoken for.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    taken: Vec<(u64, u64)>,
    /// Those that are not there yet, by their places.
    to_come: Vec<PathBuf>,
}

impl Outputs {
    /// None of these is written over, under whatever name.
    pub(crate) fn beside<'a>(inputs: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let mut outputs = Self::default();
        inputs.into_iter().for_each(|path| outputs.take(path));
        outputs
    }

    /// Nor what these settings name: keys, certificates, the installation's files, print bundles.
    #[must_use]
    pub(crate) fn and(mut self, config: Option<&Config>) -> Self {
        let Some(config) = config else { return self };
        let bundles =
            config.paper.iter().filter_map(|paper| paper.folder.as_ref()?.read_dir().ok()).flatten().flatten();
        let bundles =
            bundles.map(|file| file.path()).filter(|path| path.extension().is_some_and(|ending| ending == "p7m"));
        for path in config.files().into_iter().chain(Installation::files(&config.installation)).chain(bundles) {
            self.take(&path);
        }
        self
    }

    fn take(&mut self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(facts) => self.taken.push((facts.dev(), facts.ino())),
            Err(_) => self.to_come.push(place(path)),
        }
    }

    /// Makes a file, or empties the one that is there; then it is readable by its owner alone.
    ///
    /// *Errors*: one that is spoken for, which stays as it is; storage.
    pub(crate) fn create(&mut self, path: &Path) -> Result<File> {
        let failed = |error| Error::because(Exit::Storage, format!("cannot write {}", path.display()), error);
        let refused = |what: &str| {
            let message = format!("{} would be written over what {what}", path.display());
            Err(Error::new(Exit::Usage, message).remedy("name another file"))
        };
        let place = place(path);
        if is_of_a_run(&place) {
            return refused("a run is made of");
        }
        let others = "this command reads or writes too, or its settings name";
        if self.to_come.contains(&place) {
            return refused(others);
        }
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        // A terminal or a pipe has no content to lose.
        if facts.is_file() {
            let which = (facts.dev(), facts.ino());
            if self.taken.contains(&which) {
                return refused(others);
            }
            self.taken.push(which);
            file.set_permissions(Permissions::from_mode(0o600)).and_then(|()| file.set_len(0)).map_err(failed)?;
        }
        Ok(file)
    }
}

/// Where a file lies, or would lie.
fn place(path: &Path) -> PathBuf {
    let in_folder = || Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_path_buf())
}

/// Whether a run has this for itself: journal, orders, findings, copies of exports, print bundles.
fn is_of_a_run(place: &Path) -> bool {
    let is_run = |folder: &Path| Journal::exists(folder).unwrap_or(false);
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own =
        |name: &str| name.starts_with("journal.") || ["run.lock", "control.ndjson", FINDINGS, REJECTS].contains(&name);
    let folder = folder_of(place);
    is_run(folder) && own(&name(place)) || ["exports", "paper"].contains(&&*name(folder)) && is_run(folder_of(folder))
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
        // What will be there is spoken for as well, and what is refused is not made.
        let none = folder.path().join("./none");
        assert_eq!(outputs.create(&none).expect_err("an input").exit(), Exit::Usage);
        assert!(!none.exists());
        outputs.create(Path::new("/dev/null")).and_then(|_| outputs.create(Path::new("/dev/null"))).expect("no file");
    }
}
