//! Print bundles: what leaves on the paper channel, letters by the hundred in one encrypted file.
//!
//! In: rendered letters and the print supplier they are for. Out: a file in the paper folder, durable under its name,
//! which says `RUN-NNNNN.zip.p7m` and nothing about people. A statement is on paper only when its bundle is.
//!
//! # Layout
//! CMS AuthEnvelopedData (see [`super::encrypt`]) around a zip, whose files are stored as they are, since PDF is
//! compressed already, and dated 1980-01-01, so that the same letters give the same zip:
//!
//! - `manifest.csv`, first: UTF-8, lines ending in CR LF, no quoting since no value needs it, with the columns
//!
//!   | column | value |
//!   |---|---|
//!   | `bundle` | file name of the bundle without its endings: a supplier takes a bundle once |
//!   | `number` | place of the letter in the bundle, from 1 |
//!   | `file` | its file in the zip |
//!   | `ordinal` | ordinal of the statement in its run |
//!   | `form` | `KU10`, … |
//!   | `message_id` | id of the statement in UUID form, the same in every run: a supplier prints an id once |
//!   | `recipient_id` | twelve digits; the column is there only for a supplier that addresses by it |
//!   | `bytes` | size of the file |
//!   | `sha256` | of the file, in hexadecimal |
//!
//! - the letters, `NNNNNNNNN.pdf` by ordinal, in the order of the manifest.
//!
//! # After a failure
//! A bundle is written under a temporary name, synced, renamed, and its folder synced; only then does the journal name
//! it. A run that died before the journal did has left a temporary file, or a whole bundle that no statement is
//! recorded in: the next bundle of the same number replaces either. So the caller writes only numbers that the journal
//! does not name; a bundle that it names is never written again.

use super::encrypt::{CmsRecipient, EncryptError};
use super::sha256;
use crate::disk::Disk;
use crate::domain::{Form, MessageId};
use std::fmt::Write as _;
use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A letter to be printed.
pub struct PaperLetter<'a> {
    /// Ordinal of the statement in its run.
    pub ordinal: u64,
    /// Id of the statement, the same in every run.
    pub message_id: MessageId,
    /// Its form.
    pub form: Form,
    /// The recipient's twelve digits, for a supplier that finds addresses by them, and for no other.
    pub recipient_id: Option<&'a str>,
    /// The letter, with its address in the window where the supplier does not find it.
    pub pdf: &'a [u8],
}

/// A bundle that is durable on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Name in the paper folder.
    pub file_name: String,
    /// SHA-256 of the file as it is there, encrypted.
    pub sha256: [u8; 32],
    /// Letters in it.
    pub letters: u32,
    /// Size of the file.
    pub bytes: u64,
}

/// Why a bundle could not be written. Nothing stands under its name then but what stood there before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The name of the run cannot be part of a file name.
    #[error("the run's name is no part of a file name: letters, digits, `-`, `_` and `.` are")]
    RunName,
    /// A bundle has letters, each ordinal once.
    #[error("a bundle holds at least one letter, and each statement once")]
    Letters,
    /// The zip could not be made.
    #[error("cannot pack the letters")]
    Pack(#[from] zip::result::ZipError),
    /// It could not be encrypted to the supplier.
    #[error("cannot encrypt the bundle to the print supplier")]
    Encrypt(#[from] EncryptError),
    /// The disk refused; after a failed sync nothing is known about the file.
    #[error("cannot {step} {}", path.display())]
    Disk {
        /// What was attempted.
        step: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes a bundle and makes it durable; what stood under its name is replaced (see [the module](self) for when).
///
/// *Shape*: `number` from 1, within the run. The folder is made, readable to its owner alone, where it is not there; the
/// file is readable to its owner alone. *Cost*: blocks on the disk; twice the size of the letters in memory.
pub fn write_bundle(
    disk: &dyn Disk,
    folder: &Path,
    number: u32,
    run: &str,
    letters: &[PaperLetter<'_>],
    supplier: &CmsRecipient,
) -> Result<Bundle, BundleError> {
    let plain_name = run.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if run.is_empty() || run.starts_with('.') || !plain_name {
        return Err(BundleError::RunName);
    }
    let name = format!("{run}-{number:05}");
    let zip = pack(&name, letters)?;
    let bytes = supplier.encrypt(&zip, &supplier.fresh()?)?;
    let file_name = format!("{name}.zip.p7m");
    store(disk, folder, &file_name, &bytes)?;
    let sha256 = sha256(&bytes);
    Ok(Bundle { file_name, sha256, letters: letters.len() as u32, bytes: bytes.len() as u64 })
}

/// The zip: the same letters give the same bytes.
fn pack(bundle: &str, letters: &[PaperLetter<'_>]) -> Result<Vec<u8>, BundleError> {
    let mut ordinals: Vec<u64> = letters.iter().map(|letter| letter.ordinal).collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    if letters.is_empty() || ordinals.len() != letters.len() {
        return Err(BundleError::Letters);
    }
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o600);
    // Per file its header, twice its name, and its entry in the directory.
    let size = letters.iter().map(|letter| letter.pdf.len() + 512).sum();
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(size)));
    let failed = |error: io::Error| BundleError::Pack(error.into());
    zip.start_file("manifest.csv", options)?;
    zip.write_all(manifest(bundle, letters).as_bytes()).map_err(failed)?;
    for letter in letters {
        zip.start_file(file_in_zip(letter), options)?;
        zip.write_all(letter.pdf).map_err(failed)?;
    }
    Ok(zip.finish()?.into_inner())
}

fn file_in_zip(letter: &PaperLetter<'_>) -> String {
    format!("{:09}.pdf", letter.ordinal)
}

fn manifest(bundle: &str, letters: &[PaperLetter<'_>]) -> String {
    let addressed = letters.iter().any(|letter| letter.recipient_id.is_some());
    let recipient_id = if addressed { "recipient_id," } else { "" };
    let mut text = format!("bundle,number,file,ordinal,form,message_id,{recipient_id}bytes,sha256\r\n");
    for (place, letter) in letters.iter().enumerate() {
        let (file, number) = (file_in_zip(letter), place + 1);
        let PaperLetter { ordinal, message_id, form, recipient_id, pdf } = letter;
        // Writing to a String does not fail.
        let _ = write!(text, "{bundle},{number},{file},{ordinal},{form},{message_id},");
        if addressed {
            let _ = write!(text, "{},", recipient_id.unwrap_or_default());
        }
        let _ = write!(text, "{},", pdf.len());
        for byte in sha256(pdf) {
            let _ = write!(text, "{byte:02x}");
        }
        text.push_str("\r\n");
    }
    text
}

/// Temporary name, sync, rename, sync of the folder.
fn store(disk: &dyn Disk, folder: &Path, file_name: &str, bytes: &[u8]) -> Result<(), BundleError> {
    let failed = |step, path: &Path, source| BundleError::Disk { step, path: path.to_owned(), source };
    disk.make_folders(folder).map_err(|source| failed("make", folder, source))?;
    let path = folder.join(file_name);
    let temporary = folder.join(format!(".{file_name}.tmp"));
    disk.replace(&path, &temporary, bytes, ["bundle_written", "bundle_renamed"])
        .map_err(|(step, source)| failed(step, &path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Machine;
    use crate::prepare::keys::Certificate;
    use crate::prepare::testing::vector;
    use proptest::prelude::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use zip::ZipArchive;

    fn supplier() -> CmsRecipient {
        CmsRecipient::new(&Certificate::read_pem(&vector("mediator.crt.pem")).unwrap()).unwrap()
    }

    fn letter<'a>(ordinal: u64, recipient_id: Option<&'static str>, pdf: &'a [u8]) -> PaperLetter<'a> {
        let message_id = MessageId([ordinal as u8; 16]);
        PaperLetter { ordinal, message_id, form: Form::KU10, recipient_id, pdf }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            pdfs in proptest::collection::btree_map(1_u64..5_000_000, proptest::collection::vec(any::<u8>(), 0..300), 1..40),
        ) {
            let letters: Vec<_> = pdfs.iter().map(|(ordinal, pdf)| letter(*ordinal, None, pdf)).collect();
            let zip = pack("run-00001", &letters).unwrap();
            prop_assert_eq!(&zip, &pack("run-00001", &letters).unwrap(), "the same letters give the same zip");
            let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
            prop_assert_eq!(archive.len(), letters.len() + 1);
            let mut manifest = String::new();
            archive.by_index(0).unwrap().read_to_string(&mut manifest).unwrap();
            let mut lines = manifest.split_terminator("\r\n");
            prop_assert_eq!(lines.next(), Some("bundle,number,file,ordinal,form,message_id,bytes,sha256"));
            for (place, (line, letter)) in lines.zip(&letters).enumerate() {
                let mut pdf = Vec::new();
                let columns: Vec<&str> = line.split(',').collect();
                archive.by_name(columns[2]).unwrap().read_to_end(&mut pdf).unwrap();
                prop_assert_eq!(pdf.as_slice(), letter.pdf);
                prop_assert_eq!(columns[1], (place + 1).to_string());
                prop_assert_eq!(columns[3], letter.ordinal.to_string());
                prop_assert_eq!(columns[5], letter.message_id.to_string());
                prop_assert_eq!(columns[6], letter.pdf.len().to_string());
                let digest: String = sha256(&pdf).iter().map(|byte| format!("{byte:02x}")).collect();
                prop_assert_eq!(columns[7], digest);
            }
        }
    }

    #[test]
    fn only_a_supplier_that_addresses_learns_who() {
        let id = "195111232079";
        let without = manifest("run-00001", &[letter(1, None, b"%PDF")]);
        let with = manifest("run-00001", &[letter(1, Some(id), b"%PDF")]);
        assert!(!without.contains(id) && !without.contains("recipient_id"));
        assert!(with.lines().nth(1).unwrap().contains(&format!(",{id},4,")));
        assert!(with.starts_with("bundle,number,file,ordinal,form,message_id,recipient_id,bytes,sha256\r\n"));
    }

    #[test]
    fn a_bundle_is_for_its_owner_alone_and_replaces_what_a_killed_run_left() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run/paper");
        let bundle =
            write_bundle(&Machine, &folder, 7, "2023-night", &[letter(1, None, b"%PDF")], &supplier()).unwrap();
        assert_eq!((bundle.file_name.as_str(), bundle.letters), ("2023-night-00007.zip.p7m", 1));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(&bundle.file_name)), 0o600);

        fs::write(folder.join(".2023-night-00007.zip.p7m.tmp"), "half a bun").unwrap();
        let letters = [letter(1, None, b"%PDF"), letter(2, None, b"%PDF")];
        let again = write_bundle(&Machine, &folder, 7, "2023-night", &letters, &supplier()).unwrap();
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [again.file_name.as_str()]);
        let bytes = fs::read(folder.join(&again.file_name)).unwrap();
        assert_eq!((again.sha256, again.bytes), (sha256(&bytes), bytes.len() as u64));
        assert_ne!(again.sha256, bundle.sha256);
        let plain: &[u8] = b"manifest.csv";
        assert!(!bytes.windows(plain.len()).any(|window| window == plain), "a bundle is encrypted");
    }

    #[test]
    fn a_bundle_that_cannot_be_written_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("run-00001.zip.p7m")).unwrap();
        let failed = write_bundle(&Machine, home.path(), 1, "run", &[letter(1, None, b"%PDF")], &supplier());
        assert!(matches!(failed, Err(BundleError::Disk { step: "rename a draft to", .. })), "{failed:?}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let failed = write_bundle(&Machine, &file.join("paper"), 1, "run", &[letter(1, None, b"%PDF")], &supplier());
        assert!(matches!(failed, Err(BundleError::Disk { step: "make", .. })), "{failed:?}");
    }

    #[test]
    fn wrong_names_and_wrong_letters_are_refused() {
        let home = tempfile::tempdir().unwrap();
        for run in ["", ".", "../away", "a b", "å", "a/b"] {
            let refused = write_bundle(&Machine, home.path(), 1, run, &[letter(1, None, b"%PDF")], &supplier());
            assert!(matches!(refused, Err(BundleError::RunName)), "{run}");
        }
        let twice = [letter(1, None, b"a"), letter(1, None, b"b")];
        for letters in [&[][..], &twice] {
            assert!(matches!(pack("run-00001", letters), Err(BundleError::Letters)));
        }
    }
}
