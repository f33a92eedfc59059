//! A disk that loses power, and one that fails, in a folder of this machine's disk.
//!
//! The files in the folder are what programs see: the page cache. Beside them the model keeps what is durable, and what
//! is not yet: writes and cuts since a file's last sync, names since a folder's. When the power goes, chance decides for
//! each of these, in sectors, whether it has reached the disk, in any order; the folder is then set to what is left. A
//! sync that failed has written some, and the rest is never written again by a later one, as on Linux.
//!
//! SQLite's files come here through a VFS (`failing_vfs.rs`), all others through [`Disk`].

use crate::failing_vfs::Vfs;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use utskick::disk::{Disk, Machine, folder_of};

/// What a disk is sure to write whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What goes wrong. Changes are counted from 1: each write, cut, sync, new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Nothing,
    /// The power goes at this change; nothing changes after it.
    PowerOff(u64),
    /// Changes from this one up to that one fail with this error.
    Fail {
        from: u64,
        to: u64,
        errno: i32,
    },
}

/// The disk, as the product is given it.
#[derive(Debug)]
pub struct FailingDisk {
    pub model: Arc<Model>,
    vfs: Vfs,
}

/// What is on the disk, and what only seems to be.
#[derive(Debug)]
pub struct Model {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    changes: u64,
    dead: bool,
    /// What did not happen.
    failed: Vec<String>,
    random: fastrand::Rng,
    inodes: Vec<Inode>,
    /// Every name that programs see.
    names: BTreeMap<PathBuf, Entry>,
    /// Folders by path, the root included.
    folders: BTreeMap<PathBuf, Folder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File(usize),
    Folder,
}

/// Content of a file.
#[derive(Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

enum Pending {
    Write(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Debug, Default)]
struct Folder {
    durable: BTreeMap<PathBuf, Entry>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Put(PathBuf, Entry),
    Take(PathBuf),
    Move(PathBuf, PathBuf, Entry),
}

impl fmt::Debug for Inode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seen, {} durable, {} pending", self.seen.len(), self.durable.len(), self.pending.len())
    }
}

impl Inode {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.seen, at, bytes);
        self.pending.push(Pending::Write(at, bytes.to_vec()));
    }

    fn cut(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.pending.push(Pending::Cut(length));
    }

    fn sync(&mut self) {
        for pending in self.pending.drain(..) {
            match pending {
                Pending::Write(at, bytes) => put(&mut self.durable, at, &bytes),
                Pending::Cut(length) => self.durable.resize(length, 0),
            }
        }
    }

    /// Some of what is pending reaches the disk, in pieces and in any order; the rest never does.
    fn sync_by_chance(&mut self, random: &mut fastrand::Rng) {
        let mut pieces: Vec<Pending> = Vec::new();
        for pending in self.pending.drain(..) {
            match pending {
                Pending::Cut(length) => pieces.push(Pending::Cut(length)),
                Pending::Write(at, bytes) => {
                    let (mut from, end) = (at, at + bytes.len());
                    while from < end {
                        let to = ((from / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                        pieces.push(Pending::Write(from, bytes[from - at..to - at].to_vec()));
                        from = to;
                    }
                }
            }
        }
        match random.u8(0..4) {
            0 => pieces.clear(),
            1 => {}
            2 => pieces.truncate(random.usize(0..=pieces.len())),
            _ => {
                let share = random.f64();
                pieces.retain(|_| random.f64() < share);
                random.shuffle(&mut pieces);
            }
        }
        self.pending = pieces;
        self.sync();
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Folder {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(name, entry) => _ = self.durable.insert(name, entry),
            Change::Take(name) => _ = self.durable.remove(&name),
            Change::Move(from, to, entry) => {
                self.durable.remove(&from);
                self.durable.insert(to, entry);
            }
        }
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            self.apply(change);
        }
    }

    fn sync_by_chance(&mut self, random: &mut fastrand::Rng) {
        let mut pending = std::mem::take(&mut self.pending);
        match random.u8(0..4) {
            0 => pending.clear(),
            1 => {}
            2 => pending.truncate(random.usize(0..=pending.len())),
            _ => pending.retain(|_| random.bool()),
        }
        for change in pending {
            self.apply(change);
        }
    }
}

impl State {
    /// Counts a change; what becomes of it is in `Err` where it does not happen: whether the power went with it, and the
    /// error that is told.
    fn step(&mut self, what: &str, path: &Path) -> Result<(), (bool, i32)> {
        if self.dead {
            return Err((false, libc::EIO));
        }
        self.changes += 1;
        match self.plan {
            Plan::PowerOff(at) if self.changes >= at => {
                self.dead = true;
                self.failed.push(format!("{at}: {what} {}", path.display()));
                Err((true, libc::EIO))
            }
            Plan::Fail { from, to, errno } if (from..=to).contains(&self.changes) => {
                self.failed.push(format!("{}: {what} {}", self.changes, path.display()));
                Err((false, errno))
            }
            _ => Ok(()),
        }
    }

    fn step_at(&mut self, what: &str, inode: usize) -> Result<(), (bool, i32)> {
        let name = self.names.iter().find(|(_, entry)| **entry == Entry::File(inode)).map(|(name, _)| name.clone());
        self.step(what, &name.unwrap_or_default())
    }

    fn name_change(&mut self, folder: &Path, change: Change) -> Result<(), i32> {
        let told = self.step(&format!("{change:?}"), folder);
        if let Ok(()) | Err((true, _)) = told {
            let folder = self.folders.get_mut(folder).unwrap_or_else(|| panic!("{} is no folder", folder.display()));
            folder.pending.push(change.clone());
        }
        told.map_err(|(_, errno)| errno)?;
        match change {
            Change::Put(name, entry) => _ = self.names.insert(name, entry),
            Change::Take(name) => _ = self.names.remove(&name),
            Change::Move(from, to, entry) => {
                self.names.remove(&from);
                self.names.insert(to, entry);
            }
        }
        Ok(())
    }
}

impl Model {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The number of a file that is on this disk.
    pub fn file(&self, path: &Path) -> Option<usize> {
        match self.state().names.get(path) {
            Some(Entry::File(inode)) => Some(*inode),
            _ => None,
        }
    }

    /// Whether a path belongs to this disk: SQLite's shared memory does not, since no power failure leaves it.
    pub fn keeps(&self, path: &Path) -> bool {
        path.starts_with(&self.root) && !path.as_os_str().as_encoded_bytes().ends_with(b"-shm")
    }

    /// A new, empty file.
    pub fn create(&self, path: &Path) -> Result<usize, i32> {
        let mut state = self.state();
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.name_change(folder_of(path), Change::Put(path.into(), Entry::File(inode)))?;
        Ok(inode)
    }

    /// How many of the bytes are to be written, and the error that is told then.
    pub fn write(&self, inode: usize, at: usize, bytes: &[u8]) -> Result<(), (usize, i32)> {
        let mut state = self.state();
        let told = state.step_at("write", inode);
        let count = match told {
            Ok(()) => bytes.len(),
            // A full disk takes what still fits.
            Err((false, libc::ENOSPC)) => state.random.usize(0..=bytes.len()),
            Err((false, _)) => 0,
            Err((true, errno)) => {
                // It was on its way: programs never see it, and it may have reached the disk.
                state.inodes[inode].pending.push(Pending::Write(at, bytes.to_vec()));
                return Err((0, errno));
            }
        };
        if count > 0 {
            state.inodes[inode].write(at, &bytes[..count]);
        }
        told.map_err(|(_, errno)| (count, errno))
    }

    pub fn cut(&self, inode: usize, length: usize) -> Result<(), i32> {
        let mut state = self.state();
        match state.step_at("cut", inode) {
            Ok(()) => state.inodes[inode].cut(length),
            Err((true, errno)) => {
                state.inodes[inode].pending.push(Pending::Cut(length));
                return Err(errno);
            }
            Err((false, errno)) => return Err(errno),
        }
        Ok(())
    }

    pub fn sync(&self, inode: usize) -> Result<(), i32> {
        let mut state = self.state();
        match state.step_at("sync", inode) {
            Ok(()) => state.inodes[inode].sync(),
            Err((power_went, errno)) => {
                if !power_went && !state.dead {
                    let State { inodes, random, .. } = &mut *state;
                    inodes[inode].sync_by_chance(random);
                }
                return Err(errno);
            }
        }
        Ok(())
    }

    pub fn take(&self, path: &Path) -> Result<(), i32> {
        self.state().name_change(folder_of(path), Change::Take(path.into()))
    }

    pub fn sync_names(&self, folder: &Path) -> Result<(), i32> {
        let mut state = self.state();
        if state.folders.contains_key(folder) {
            state.step("sync names", folder).map_err(|(_, errno)| errno)?;
        }
        // Folders above this disk are durable.
        state.folders.get_mut(folder).map(Folder::sync);
        Ok(())
    }
}

fn os(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

impl FailingDisk {
    /// A disk in this folder, which is empty.
    pub fn new(root: &Path, seed: u64) -> Arc<Self> {
        let model = Arc::new(Model {
            root: root.into(),
            state: Mutex::new(State {
                plan: Plan::Nothing,
                changes: 0,
                dead: false,
                failed: Vec::new(),
                random: fastrand::Rng::with_seed(seed),
                inodes: Vec::new(),
                names: BTreeMap::from([(root.into(), Entry::Folder)]),
                folders: BTreeMap::from([(root.into(), Folder::default())]),
            }),
        });
        Arc::new(Self { vfs: Vfs::register(&model), model })
    }

    /// What goes wrong from now on; changes are counted anew. Gives what was to go wrong before.
    pub fn plan(&self, plan: Plan) -> Plan {
        let mut state = self.model.state();
        state.changes = 0;
        std::mem::replace(&mut state.plan, plan)
    }

    /// What went wrong since this was asked last: change, what, where.
    pub fn failures(&self) -> String {
        let failed = std::mem::take(&mut self.model.state().failed);
        format!("{} failures, first {:?}", failed.len(), failed.first())
    }

    /// Changes since the plan was made.
    pub fn changes(&self) -> u64 {
        self.model.state().changes
    }

    /// Pulls the plug, if it is not out: nothing changes any more.
    pub fn power_off(&self) {
        self.model.state().dead = true;
    }

    /// Sets the folder to what a power failure has left, and goes on with it. Nobody may have a file open.
    pub fn power_on(&self) {
        let mut state = self.model.state();
        let State { random, inodes, folders, names, .. } = &mut *state;
        for (name, entry) in &*names {
            if let Entry::File(inode) = entry {
                let seen = fs::read(name).unwrap_or_else(|error| panic!("{}: {error}", name.display()));
                assert!(seen == inodes[*inode].seen, "{} was changed behind the disk's back", name.display());
            }
        }
        // What is found from the root down is there; all else is gone.
        let mut kept: BTreeMap<PathBuf, Entry> = BTreeMap::from([(self.model.root.clone(), Entry::Folder)]);
        let mut left = vec![self.model.root.clone()];
        while let Some(at) = left.pop() {
            let folder = folders.entry(at).or_default();
            folder.sync_by_chance(random);
            for (name, entry) in &folder.durable {
                kept.insert(name.clone(), *entry);
                if *entry == Entry::Folder {
                    left.push(name.clone());
                }
            }
        }
        folders.retain(|path, _| kept.get(path) == Some(&Entry::Folder));
        for (name, entry) in &*names {
            match entry {
                // Gone with its folder, perhaps.
                Entry::File(_) => _ = fs::remove_file(name),
                Entry::Folder if !kept.contains_key(name) => _ = fs::remove_dir_all(name),
                Entry::Folder => {}
            }
            let mut memory = name.as_os_str().to_owned();
            memory.push("-shm");
            let _ = fs::remove_file(memory);
        }
        for (name, entry) in &kept {
            match entry {
                Entry::Folder if !name.is_dir() => Machine.make_folder(name).expect("made"),
                Entry::Folder => {}
                Entry::File(inode) => {
                    let inode = &mut inodes[*inode];
                    inode.sync_by_chance(random);
                    inode.seen.clone_from(&inode.durable);
                    fs::write(name, &inode.durable).expect("written");
                    fs::set_permissions(name, fs::Permissions::from_mode(0o600)).expect("private");
                }
            }
        }
        *names = kept;
        (state.dead, state.plan, state.changes) = (false, Plan::Nothing, 0);
    }

    /// Files in a folder, of those that this disk keeps.
    pub fn files_in(&self, folder: &Path) -> Vec<PathBuf> {
        let state = self.model.state();
        let files =
            state.names.iter().filter(|(name, entry)| matches!(entry, Entry::File(_)) && folder_of(name) == folder);
        files.map(|(name, _)| name.clone()).collect()
    }
}

impl Disk for FailingDisk {
    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        if file.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.model.create(file).map_err(os)?;
        fs::write(file, "")?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        let (first, second) = content.split_at(content.len() / 2);
        for (at, part) in [(0, first), (first.len(), second)] {
            let told = self.model.write(inode, at, part);
            let written = told.map_or_else(|(count, _)| count, |()| part.len());
            fs::write(file, &content[..at + written])?;
            told.map_err(|(_, errno)| os(errno))?;
        }
        self.model.sync(inode).map_err(os)
    }

    fn write_again(&self, file: &Path) -> io::Result<()> {
        let inode = self.model.file(file).ok_or(io::ErrorKind::NotFound)?;
        let content = fs::read(file)?;
        // Nothing changes for those who read it.
        self.model.write(inode, 0, &content).map_err(|(_, errno)| os(errno))?;
        self.model.sync(inode).map_err(os)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.model.file(from).ok_or(io::ErrorKind::NotFound)?;
        assert_eq!(folder_of(from), folder_of(to));
        let change = Change::Move(from.into(), to.into(), Entry::File(inode));
        self.model.state().name_change(folder_of(from), change).map_err(os)?;
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.model.file(from).ok_or(io::ErrorKind::NotFound)?;
        let change = Change::Put(to.into(), Entry::File(inode));
        self.model.state().name_change(folder_of(to), change).map_err(os)?;
        fs::hard_link(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.model.file(file).ok_or(io::ErrorKind::NotFound)?;
        self.model.take(file).map_err(os)?;
        fs::remove_file(file)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut state = self.model.state();
        state.name_change(folder_of(folder), Change::Put(folder.into(), Entry::Folder)).map_err(os)?;
        state.folders.insert(folder.into(), Folder::default());
        Machine.make_folder(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.model.sync_names(folder).map_err(os)
    }

    fn vfs(&self) -> Option<&str> {
        Some(self.vfs.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model itself: what is synced stays, what is not may go, and a name needs its folder's sync.
    #[test]
    fn what_was_synced_stays_and_what_was_not_may_go() {
        let mut fates = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let home = tempfile::tempdir().unwrap();
            let disk = FailingDisk::new(home.path(), seed);
            let path = |name: &str| home.path().join(name);
            disk.write_new(&path("durable"), b"kept").unwrap();
            disk.sync_folder(home.path()).unwrap();
            let inode = disk.model.file(&path("durable")).unwrap();
            disk.model.write(inode, 0, &[b'x'; 2000]).unwrap();
            fs::write(path("durable"), [b'x'; 2000]).unwrap();
            disk.write_new(&path("nameless"), b"content").unwrap();
            disk.power_on();
            let kept = fs::read(path("durable")).unwrap();
            let nameless = fs::read(path("nameless")).ok();
            assert!(nameless.is_none() || nameless.as_deref() == Some(b"content"), "content was synced");
            let old = kept.starts_with(b"kept");
            let torn = kept.len() > 4 && kept.contains(&0);
            fates.insert((old, torn, nameless.is_some()));
        }
        let seen = |of: fn(&(bool, bool, bool)) -> bool| fates.iter().any(of);
        assert!(seen(|of| of.0) && seen(|of| !of.0 && !of.1) && seen(|of| of.1), "{fates:?}");
        assert!(seen(|of| of.2) && seen(|of| !of.2), "{fates:?}");
    }
}
