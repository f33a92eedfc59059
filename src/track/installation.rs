//! The installation: its key, its state folder, its gateway locks.
//!
//! In: the settings' `[installation]`. Out: keyed digests, message ids, sealed columns, and locks that keep two runs
//! from doubling an agreed rate. Neither key nor register lies in a run's folder. It does not know what is digested.

use super::error::TrackError;
use super::register::Register;
use crate::config;
use crate::disk::{Disk, Machine, folder_of};
use crate::domain::{
    ContentDigest, Digester, MessageId, PersonDigest, Purpose, RecordDigest, StatementKey, mask_identities,
};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::{hkdf, hmac, rand};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What outlives a run, opened: a handle, cheap to clone.
///
/// All keys come by HKDF-SHA-256 from the 32 bytes of the key file, each under a label of its own, so that a digest
/// for one purpose says nothing about another. Debug shows the state folder only.
#[derive(Clone)]
pub struct Installation {
    keys: Arc<Keys>,
    state: PathBuf,
    disk: Arc<dyn Disk>,
    /// Tells beside the key that something was sent with it, should the state folder go.
    used: Option<PathBuf>,
}

struct Keys {
    person: hmac::Key,
    statement: hmac::Key,
    content: hmac::Key,
    message: hmac::Key,
    columns: RandomizedNonceKey,
    record: (EncryptingKey, DecryptingKey),
    /// Tells one key from another without telling the key.
    check: String,
}

/// Gateways that this process alone may use; released on drop.
#[derive(Debug)]
pub struct GatewayLocks {
    _files: Vec<File>,
}

/// Name of the audit log in the state folder.
const AUDIT_LOG: &str = "audit.ndjson";

/// Bytes before a sealed text: the nonce. After it: the tag.
const NONCE_BYTES: usize = 12;

impl Installation {
    /// Opens the state folder and reads the key, making both at first use (folder 0700, key file 0600), and the register
    /// with them.
    ///
    /// *Errors*: a key file or folder open to others, a malformed key, a missing key where a register shows that there
    /// was one, a missing register where the state folder has been used, storage.
    pub fn open(settings: &config::Installation) -> Result<Self, TrackError> {
        Self::open_on(Arc::new(Machine), settings)
    }

    /// As [`Installation::open`], on another disk: all that is durable about the installation, its register and its
    /// journals goes through it.
    pub fn open_on(disk: Arc<dyn Disk>, settings: &config::Installation) -> Result<Self, TrackError> {
        private_folder(&settings.state, &*disk)?;
        let register = super::register::file(&settings.state);
        let key = read_key(&settings.key_file)?;
        let had_key = key.is_some();
        let key = match key {
            Some(key) => {
                // Whoever made it may have ended before its name was durable.
                let folder = folder_of(&settings.key_file);
                disk.make_folders(folder).and_then(|()| disk.sync_folder(folder)).or_else(|error| {
                    match error.kind() {
                        // A key that was put there for us.
                        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Ok(()),
                        _ => Err(TrackError::storage(format!("sync {}", folder.display()), error)),
                    }
                })?;
                key
            }
            None => {
                if register.exists() {
                    return Err(TrackError::KeyLost { file: settings.key_file.clone(), state: register });
                }
                make_key(&settings.key_file, &*disk)?;
                read_key(&settings.key_file)?
                    .ok_or_else(|| TrackError::KeyMalformed { file: settings.key_file.clone() })?
            }
        };
        let used = used_mark(&settings.key_file);
        let missing = super::register::is_missing(&register);
        if missing && used.exists() {
            return Err(TrackError::RegisterLost { file: register });
        }
        let installation = Self { disk, used: Some(used), ..Self::with_key(&key, settings.state.clone())? };
        // Also where whoever made it ended before it was whole.
        if missing || super::register::is_unused(&settings.state) {
            Register::open(&installation)?;
            if had_key && missing {
                tracing::warn!(register = %register.display(), "a new register is made for a key that was there: it knows of nothing that was sent");
            }
        }
        Ok(installation)
    }

    /// Opens an installation that is there, and makes nothing: for commands that only read.
    ///
    /// *Errors*: as [`Installation::open`]; a missing key file is told as lost.
    pub fn existing(settings: &config::Installation) -> Result<Self, TrackError> {
        let key = read_key(&settings.key_file)?
            .ok_or_else(|| TrackError::KeyLost { file: settings.key_file.clone(), state: settings.state.clone() })?;
        Self::with_key(&key, settings.state.clone())
    }

    /// Whether key and register are there, for who makes and opens neither.
    ///
    /// *Errors*: those for which [`Installation::open`], or a run after it, would refuse either. *Cost*: reads the register
    /// through, a tenth of a second for a million statements that were sent.
    pub fn is_made(settings: &config::Installation) -> Result<bool, TrackError> {
        let register = super::register::file(&settings.state);
        let key = read_key(&settings.key_file)?;
        if key.is_none() && register.exists() {
            return Err(TrackError::KeyLost { file: settings.key_file.clone(), state: register });
        }
        let is_missing = super::register::is_missing(&register);
        if is_missing && (used_mark(&settings.key_file).exists() || !super::register::is_unused(&settings.state)) {
            return Err(TrackError::RegisterLost { file: register });
        }
        match key {
            Some(key) if !is_missing => {
                let installation = Self::with_key(&key, settings.state.clone())?;
                super::register::examine(&register, installation.key_check()).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// The files that an installation keeps for itself, beside its key: the register with what SQLite has beside it, the
    /// audit log, and what tells that the key has been used.
    pub fn files(settings: &config::Installation) -> Vec<PathBuf> {
        let register = super::register::file(&settings.state);
        let beside = ["", "-wal", "-shm", "-journal"].map(|ending| {
            let mut name = register.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        });
        beside.into_iter().chain([settings.state.join(AUDIT_LOG), used_mark(&settings.key_file)]).collect()
    }

    fn with_key(key: &[u8; 32], state: PathBuf) -> Result<Self, TrackError> {
        let keys = Keys::derive(key)
            .map_err(|_| TrackError::storage("derive the installation's keys", "the cryptographic library refused"))?;
        Ok(Self { keys: Arc::new(keys), state, disk: Arc::new(Machine), used: None })
    }

    /// The disk that its files and those of its runs lie on.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Folder of the register and the locks.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A name for the key that tells nothing about it; runs and register note it, so that a swapped key is refused.
    pub fn key_check(&self) -> &str {
        &self.keys.check
    }

    /// The id of the message that carries this content of this statement: the same in every run, not guessable.
    ///
    /// *Shape*: a UUID of version 8 (RFC 9562 §5.8), HMAC-SHA-256 of key and content.
    pub fn message_id(&self, key: &StatementKey, content: &ContentDigest) -> MessageId {
        let mut both = [0; 32];
        let (first, second) = both.split_at_mut(16);
        first.copy_from_slice(&key.0);
        second.copy_from_slice(&content.0);
        let mut id = truncated(&self.keys.message, &both);
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
        *version = *version & 0x0f | 0x80;
        *variant = *variant & 0x3f | 0x80;
        MessageId(id)
    }

    /// The digest by which `find` knows a person or organisation: twelve digits, or a födelsetid or annat id as the
    /// record has it.
    pub fn person_digest(&self, identity: &str) -> PersonDigest {
        PersonDigest(self.digest(Purpose::Person, identity.as_bytes()))
    }

    /// Seals a column: AES-256-GCM, random nonce before the text, tag after it, bound to its place by `context`.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        match self.keys.columns.seal_in_place_append_tag(Aad::from(context), &mut text) {
            Ok(nonce) => [nonce.as_ref().as_slice(), &text].concat(),
            // Only a text beyond 64 GiB or a broken generator; an empty column never opens.
            Err(_) => Vec::new(),
        }
    }

    /// Opens what [`Installation::seal`] made for the same context.
    pub fn open_sealed(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, TrackError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(TrackError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TrackError::Sealed)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .keys
            .columns
            .open_in_place(nonce, Aad::from(context), &mut text)
            .map_err(|_| TrackError::Sealed)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    /// A record digest as it may stand in a journal: one AES block, so that nobody without the key can try records
    /// against it when the export is gone.
    pub(super) fn cover(&self, record: &RecordDigest) -> [u8; 16] {
        let mut block = record.0;
        // A single whole block cannot fail; were it to, the digest would never match and its letter not be made.
        if self.keys.record.0.encrypt(&mut block).is_err() {
            block = [0; 16];
        }
        block
    }

    /// The record digest behind [`Installation::cover`].
    pub(super) fn uncover(&self, block: [u8; 16]) -> RecordDigest {
        let mut digest = block;
        if self.keys.record.1.decrypt(&mut digest, DecryptionContext::None).is_err() {
            digest = [0; 16];
        }
        RecordDigest(digest)
    }

    /// Adds a line to the installation's audit log, `audit.ndjson` in the state folder: time, user, what was done.
    /// Identities in the text are masked. *Errors*: storage; a command that only reads may go on without.
    pub fn audit(&self, what: &str) -> Result<(), TrackError> {
        let file = self.state.join(AUDIT_LOG);
        let line = serde_json::json!({
            "time": jiff::Timestamp::now().to_string(),
            "uid": rustix::process::getuid().as_raw(),
            "what": mask_identities(what),
        });
        let write = || {
            let mut out = OpenOptions::new().append(true).create(true).mode(0o600).open(&file)?;
            // One write, so that lines of two processes never mix.
            out.write_all(format!("{line}\n").as_bytes())?;
            out.sync_data()
        };
        write().map_err(|error| TrackError::storage(format!("write the audit log {}", file.display()), error))
    }

    /// Locks gateways (operator ids, and a name for FaR) for this process, all or none.
    ///
    /// The locks are `flock`s on files in the state folder: they end with the process, however it ends. A run takes
    /// them before it asks the register what earlier runs sent, so that nobody sends in between.
    ///
    /// *Errors*: [`TrackError::GatewayBusy`] with the first gateway that another run uses.
    pub fn lock_gateways(&self, ids: &[&str]) -> Result<GatewayLocks, TrackError> {
        let folder = self.state.join("gateways");
        private_folder(&folder, self.disk())?;
        let mut ids = ids.to_vec();
        // In one order, so that two runs with several gateways in common never each hold what the other wants.
        ids.sort_unstable();
        ids.dedup();
        let files = ids.into_iter().map(|id| {
            let name: String =
                id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
            let file = open_lock(&folder.join(format!("{name}.lock")))?;
            match try_lock(&file) {
                Ok(true) => Ok(file),
                Ok(false) => Err(TrackError::GatewayBusy { gateway: id.to_owned() }),
                Err(error) => Err(TrackError::storage(format!("lock gateway {id}"), error)),
            }
        });
        let locks = GatewayLocks { _files: files.collect::<Result<_, _>>()? };
        if let Some(used) = self.used.as_ref().filter(|used| !super::register::is_unused(&self.state) && !used.exists())
        {
            // Where the key's folder is not ours to write to, the traces in the state folder alone tell.
            let _ = self.disk.write_new(used, b"").and_then(|()| self.disk.sync_folder(folder_of(used)));
        }
        Ok(locks)
    }
}

/// Name of the file that tells that a key has been used.
fn used_mark(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(".used");
    name.into()
}

impl Digester for Installation {
    fn digest(&self, purpose: Purpose, bytes: &[u8]) -> [u8; 16] {
        truncated(
            match purpose {
                Purpose::Person => &self.keys.person,
                Purpose::Statement => &self.keys.statement,
                Purpose::Content => &self.keys.content,
            },
            bytes,
        )
    }
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Installation").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Keys {
    fn derive(key: &[u8; 32]) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"utskick installation v1").extract(key);
        let of = |label: &str| -> Result<Zeroizing<[u8; 32]>, aws_lc_rs::error::Unspecified> {
            let mut bytes = Zeroizing::new([0; 32]);
            root.expand(&[label.as_bytes()], hkdf::HKDF_SHA256)?.fill(bytes.as_mut_slice())?;
            Ok(bytes)
        };
        let mac = |label| of(label).map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()));
        let block = || UnboundCipherKey::new(&AES_256, of("record")?.as_slice());
        Ok(Self {
            person: mac("person")?,
            statement: mac("statement")?,
            content: mac("content")?,
            message: mac("message id")?,
            columns: RandomizedNonceKey::new(&AES_256_GCM, of("columns")?.as_slice())?,
            record: (EncryptingKey::ecb(block()?)?, DecryptingKey::ecb(block()?)?),
            check: of("check")?.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

fn truncated(key: &hmac::Key, bytes: &[u8]) -> [u8; 16] {
    let tag = hmac::sign(key, bytes);
    let mut half = [0; 16];
    half.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    half
}

/// `None` where there is no file.
fn read_key(file: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, TrackError> {
    let failed = |error| TrackError::storage(format!("read the installation's key {}", file.display()), error);
    let mode = match std::fs::metadata(file) {
        Ok(facts) => facts.mode() & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if mode & 0o077 != 0 {
        return Err(TrackError::Open { file: file.to_path_buf(), mode });
    }
    let text = Zeroizing::new(std::fs::read(file).map_err(failed)?);
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let malformed = || TrackError::KeyMalformed { file: file.to_path_buf() };
    if digits.len() != 64 {
        return Err(malformed());
    }
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |value, digit| {
            char::from(*digit).to_digit(16).map(|digit| value << 4 | digit as u8).ok_or_else(malformed)
        })?;
    }
    Ok(Some(key))
}

/// Makes a key file, whole or not at all; where another process was faster, its key stays.
fn make_key(file: &Path, disk: &dyn Disk) -> Result<(), TrackError> {
    let failed = |error| TrackError::storage(format!("make the installation's key {}", file.display()), error);
    let mut key = Zeroizing::new([0; 32]);
    rand::fill(key.as_mut_slice())
        .map_err(|_| TrackError::storage("make the installation's key", "no random numbers"))?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for digit in key.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.extend(char::from_digit(digit.into(), 16));
    }
    text.push('\n');
    let folder = folder_of(file);
    disk.make_folders(folder).map_err(failed)?;
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let write = || {
        // Left by a process of the same number.
        disk.remove_if_there(&draft)?;
        disk.write_new(&draft, text.as_bytes())?;
        // A link, since a rename would put our key over that of a faster process.
        let linked = disk.link(&draft, file);
        disk.remove(&draft)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => disk.sync_folder(folder),
        }
    };
    write().map_err(failed)
}

/// Makes a folder that only its owner may enter, or sees that it is one.
pub(super) fn private_folder(folder: &Path, disk: &dyn Disk) -> Result<(), TrackError> {
    let failed = |error| TrackError::storage(format!("make the folder {}", folder.display()), error);
    match std::fs::metadata(folder) {
        Ok(facts) if !facts.is_dir() => Err(failed(ErrorKind::NotADirectory.into())),
        Ok(facts) if facts.mode() & 0o077 != 0 => {
            // Ours to close; where it is not, it is refused.
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700))
                .map_err(|_| TrackError::Open { file: folder.to_path_buf(), mode: facts.mode() & 0o777 })
        }
        Ok(_) => disk.make_folders(folder).map_err(failed),
        Err(error) if error.kind() == ErrorKind::NotFound => disk.make_folders(folder).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

pub(super) fn open_lock(path: &Path) -> Result<File, TrackError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| TrackError::storage(format!("open the lock {}", path.display()), error))
}

/// Whether the exclusive lock was free, and is now ours.
///
/// A reading command tests a run's lock by taking it shared for a moment, so one that seems taken is tried again.
pub(super) fn try_lock(file: &File) -> std::io::Result<bool> {
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path) -> config::Installation {
        config::Installation { state: folder.join("state"), key_file: folder.join("installation.key") }
    }

    #[test]
    fn key_is_made_once_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let first = Installation::open(&settings).unwrap();
        let facts = std::fs::metadata(&settings.key_file).unwrap();
        assert_eq!(facts.mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&settings.state).unwrap().mode() & 0o777, 0o700);
        let text = std::fs::read_to_string(&settings.key_file).unwrap();
        assert_eq!(text.trim_end().len(), 64);
        let again = Installation::open(&settings).unwrap();
        assert_eq!(first.person_digest("195111232079"), again.person_digest("195111232079"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn open_malformed_and_lost_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        Installation::open(&settings).unwrap();
        std::fs::set_permissions(&settings.key_file, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(Installation::open(&settings), Err(TrackError::Open { mode: 0o640, .. })));
        std::fs::set_permissions(&settings.key_file, PermissionsExt::from_mode(0o600)).unwrap();
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66), &format!("{}\n\n", "0".repeat(64))] {
            std::fs::write(&settings.key_file, bad).unwrap();
            assert!(matches!(Installation::open(&settings), Err(TrackError::KeyMalformed { .. })), "{bad:?}");
        }
        std::fs::remove_file(&settings.key_file).unwrap();
        std::fs::write(super::super::register::file(&settings.state), "").unwrap();
        assert!(matches!(Installation::open(&settings), Err(TrackError::KeyLost { .. })));
    }

    #[test]
    fn purposes_and_keys_never_meet() {
        let one = Installation::with_key(&[1; 32], PathBuf::new()).unwrap();
        let two = Installation::with_key(&[2; 32], PathBuf::new()).unwrap();
        let digests: std::collections::BTreeSet<_> = [&one, &two]
            .into_iter()
            .flat_map(|of| {
                [Purpose::Person, Purpose::Statement, Purpose::Content].map(|purpose| of.digest(purpose, b"x"))
            })
            .collect();
        assert_eq!(digests.len(), 6);
        assert_ne!(one.key_check(), two.key_check());
    }

    #[test]
    fn message_ids_are_stable_uuids_of_version_8() {
        let one = Installation::with_key(&[1; 32], PathBuf::new()).unwrap();
        let id = |key: u8, content: u8| one.message_id(&StatementKey([key; 16]), &ContentDigest([content; 16]));
        assert_eq!(id(1, 2), id(1, 2));
        assert_ne!(id(1, 2), id(2, 1));
        let text = id(1, 2).to_string();
        assert_eq!(text.as_bytes()[14], b'8');
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
    }

    #[test]
    fn sealed_columns_open_only_whole_and_in_place() {
        let one = Installation::with_key(&[1; 32], PathBuf::new()).unwrap();
        let sealed = one.seal(b"secret", b"here");
        assert_ne!(sealed, one.seal(b"secret", b"here"), "the nonce is random");
        assert_eq!(one.open_sealed(&sealed, b"here").unwrap().as_slice(), b"secret");
        assert!(one.open_sealed(&sealed, b"there").is_err());
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(one.open_sealed(&altered, b"here").is_err());
            assert!(one.open_sealed(&sealed[..place], b"here").is_err());
        }
    }

    #[test]
    fn record_digests_are_covered_and_come_back() {
        let one = Installation::with_key(&[1; 32], PathBuf::new()).unwrap();
        let digest = RecordDigest([7; 16]);
        assert_ne!(one.cover(&digest), digest.0);
        assert_eq!(one.uncover(one.cover(&digest)), digest);
    }

    #[test]
    fn a_gateway_is_locked_once_and_freed_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let one = Installation::with_key(&[1; 32], folder.path().join("state")).unwrap();
        private_folder(one.state(), one.disk()).unwrap();
        let held = one.lock_gateways(&["165021680250", "far"]).unwrap();
        let refused = one.lock_gateways(&["162021003898", "far"]).unwrap_err();
        assert!(matches!(&refused, TrackError::GatewayBusy { gateway } if gateway == "far"), "{refused}");
        one.lock_gateways(&["162021003898"]).expect("none was kept of a refused set");
        drop(held);
        one.lock_gateways(&["far"]).unwrap();
    }
}
