//! Takes an export into the run's own folder, as UTF-8, so that nobody can change it under us.
//!
//! A copy shares blocks with the original where the file system can (reflink). Other encodings become UTF-8 on the
//! way, streaming; since every character has a known width in the original, an offset in the copy can be told as one
//! in the original ([`Places`]). The copy is written under a temporary name, synced, made read-only and renamed.

use super::map::Stamp;
use super::sniff::{Beginning, Encoding};
use super::{IntakeError, Result, hex};
use crate::disk::folder_of;
use crate::watch::crash;
use aws_lc_rs::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const CHUNK: usize = 1 << 20;

/// A copy that is ours.
#[derive(Debug)]
pub struct Copy {
    /// Open for reading.
    pub file: File,
    /// Where it lies; `None` where it has no name.
    pub path: Option<PathBuf>,
    /// Of its bytes.
    pub sha256: [u8; 32],
    /// Whether ISO-8859-1 holds bytes that are letters only in windows-1252.
    pub looks_windows_1252: bool,
}

/// Copies an export into a folder.
///
/// *Errors*: reading, writing, a source that changed meanwhile, bytes that are not of the declared encoding.
pub fn copy(source: &File, path: &Path, beginning: &Beginning, folder: &Path) -> Result<Copy> {
    copy_as(source, path, beginning, &folder.join(file_name(path)), None)
}

/// The same under a name that is given, and only where the copy comes out with this digest: otherwise
/// [`IntakeError::Changed`], and nothing of it is left.
pub fn copy_as(
    source: &File,
    path: &Path,
    beginning: &Beginning,
    staged: &Path,
    expected: Option<&str>,
) -> Result<Copy> {
    let (folder, temporary) = (folder_of(staged), staged.with_added_extension("partial"));
    let storage = |what: &'static str| move |source| IntakeError::Storage { what, path: folder.to_path_buf(), source };
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(storage("clear")(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(storage("write the private copy of an export into"))?;
    let (sha256, looks_windows_1252) = fill(source, path, beginning, &mut file, folder)?;
    if expected.is_some_and(|expected| hex(&sha256) != expected) {
        std::fs::remove_file(&temporary).map_err(storage("clear"))?;
        return Err(IntakeError::Changed { path: path.to_path_buf() });
    }
    file.set_permissions(std::fs::Permissions::from_mode(0o400)).map_err(storage("write"))?;
    file.sync_all().map_err(storage("sync the private copy of an export in"))?;
    std::fs::rename(&temporary, staged).map_err(storage("rename the private copy of an export in"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(storage("sync"))?;
    crash::point("staged");
    let file = File::open(staged).map_err(storage("open the private copy of an export in"))?;
    Ok(Copy { file, path: Some(staged.to_path_buf()), sha256, looks_windows_1252 })
}

/// Makes a UTF-8 copy without a name, for reading an export in place whose encoding is another.
pub fn nameless(source: &File, path: &Path, beginning: &Beginning) -> Result<Copy> {
    let folder = std::env::temp_dir();
    let storage =
        |source| IntakeError::Storage { what: "write a UTF-8 copy of an export into", path: folder.clone(), source };
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(&folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => File::from(file),
        // A file system without nameless files: take the name away at once.
        Err(_) => {
            let name = folder.join(format!(".utskick-{}-{}", std::process::id(), fastrand::u64(..)));
            let file =
                OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&name).map_err(storage)?;
            std::fs::remove_file(&name).map_err(storage)?;
            file
        }
    };
    let (sha256, looks_windows_1252) = fill(source, path, beginning, &mut file, &folder)?;
    Ok(Copy { file, path: None, sha256, looks_windows_1252 })
}

/// The copy's name: the same for the same path, free of what the original's name may tell.
fn file_name(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let digest = aws_lc_rs::digest::digest(&SHA256, path.as_os_str().as_bytes());
    let hex: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("export-{hex}.xml")
}

fn fill(
    source: &File,
    path: &Path,
    beginning: &Beginning,
    target: &mut File,
    folder: &Path,
) -> Result<([u8; 32], bool)> {
    let reading = |source| IntakeError::Read { path: path.to_path_buf(), source };
    let before = Stamp::of(source).map_err(reading)?;
    let mut looks_windows_1252 = false;
    let sha256 = if beginning.encoding == Encoding::Utf8 {
        if rustix::fs::ioctl_ficlone(&*target, source).is_err() {
            let mut from = source;
            io::copy(&mut from, target).map_err(|source| IntakeError::Storage {
                what: "copy an export into",
                path: folder.to_path_buf(),
                source,
            })?;
        }
        sha256(target).map_err(|source| IntakeError::Storage {
            what: "read back from",
            path: folder.to_path_buf(),
            source,
        })?
    } else {
        let mut hash = Context::new(&SHA256);
        looks_windows_1252 = transcode(source, path, beginning, &mut |text| {
            hash.update(text);
            target.write_all(text).map_err(|source| IntakeError::Storage {
                what: "write a UTF-8 copy of an export into",
                path: folder.to_path_buf(),
                source,
            })
        })?;
        finished(hash)
    };
    if Stamp::of(source).map_err(reading)? != before {
        return Err(IntakeError::Changed { path: path.to_path_buf() });
    }
    Ok((sha256, looks_windows_1252))
}

/// SHA-256 of a whole file.
pub fn sha256(file: &File) -> io::Result<[u8; 32]> {
    use std::os::unix::fs::FileExt;
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut buffer, at)?;
        if count == 0 {
            return Ok(finished(hash));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
        at += count as u64;
    }
}

fn finished(hash: Context) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

/// Decodes a file, a chunk at a time; tells whether ISO-8859-1 looked like windows-1252.
fn transcode(
    mut source: &File,
    path: &Path,
    beginning: &Beginning,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let reading = |source| IntakeError::Read { path: path.to_path_buf(), source };
    let wrong =
        |offset: usize, what: String| IntakeError::Encoding { path: path.to_path_buf(), offset: offset as u64, what };
    let mut mark = vec![0; beginning.mark];
    source.read_exact(&mut mark).map_err(reading)?;
    let encoding = match beginning.encoding {
        Encoding::Utf8 => encoding_rs::UTF_8,
        Encoding::Latin1 | Encoding::Windows1252 => encoding_rs::WINDOWS_1252,
        Encoding::Utf16Le => encoding_rs::UTF_16LE,
        Encoding::Utf16Be => encoding_rs::UTF_16BE,
    };
    let one_byte = matches!(beginning.encoding, Encoding::Latin1 | Encoding::Windows1252);
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut input = vec![0; CHUNK];
    let mut output = vec![0; CHUNK * 3 + 16];
    let mut consumed = beginning.mark;
    let (mut utf8, mut c1) = (Utf8Watch::default(), false);
    loop {
        let count = source.read(&mut input).map_err(reading)?;
        let chunk = input.get(..count).unwrap_or_default();
        if one_byte {
            utf8.see(chunk);
        }
        if beginning.encoding == Encoding::Latin1 {
            // The decoder of that label is windows-1252, which differs from 0x80 to 0x9f.
            c1 |= chunk.iter().any(|byte| (0x80..0xa0).contains(byte));
            let written = encoding_rs::mem::convert_latin1_to_utf8(chunk, &mut output);
            write(output.get(..written).unwrap_or_default())?;
        } else {
            let mut rest = chunk;
            loop {
                let (result, read, written) = decoder.decode_to_utf8_without_replacement(rest, &mut output, count == 0);
                write(output.get(..written).unwrap_or_default())?;
                consumed += read;
                rest = rest.get(read..).unwrap_or_default();
                match result {
                    encoding_rs::DecoderResult::InputEmpty => break,
                    encoding_rs::DecoderResult::OutputFull => {}
                    encoding_rs::DecoderResult::Malformed(length, after) => {
                        let at = consumed.saturating_sub(usize::from(length) + usize::from(after));
                        return Err(wrong(at, format!("bytes that are not {}", beginning.encoding.name())));
                    }
                }
            }
        }
        if count == 0 {
            break;
        }
    }
    if one_byte && utf8.is_utf8() {
        let what = format!(
            "it declares {}, but its bytes are UTF-8: every å, ä and ö would come out wrong; declare UTF-8",
            beginning.encoding.name()
        );
        return Err(wrong(utf8.first, what));
    }
    Ok(c1)
}

/// Whether a stream of bytes is UTF-8 with characters outside ASCII.
#[derive(Debug, Default)]
struct Utf8Watch {
    other: bool,
    carry: Vec<u8>,
    seen: usize,
    first: usize,
    outside_ascii: bool,
}

impl Utf8Watch {
    fn see(&mut self, chunk: &[u8]) {
        if self.other {
            return;
        }
        if !self.outside_ascii
            && let Some(at) = chunk.iter().position(|byte| !byte.is_ascii())
        {
            self.outside_ascii = true;
            self.first = self.seen + at;
        }
        self.seen += chunk.len();
        let joined = [self.carry.as_slice(), chunk].concat();
        self.carry.clear();
        if let Err(error) = std::str::from_utf8(&joined) {
            match error.error_len() {
                None => self.carry.extend_from_slice(joined.get(error.valid_up_to()..).unwrap_or_default()),
                Some(_) => self.other = true,
            }
        }
    }

    fn is_utf8(&self) -> bool {
        !self.other && self.carry.is_empty() && self.outside_ascii
    }
}

/// Tells offsets in the UTF-8 copy as offsets in the original.
///
/// *Cost*: nothing for UTF-8. Otherwise the copy is scanned once, at the first question, for a table of one entry in
/// 64 KiB; then at most 64 KiB a question.
#[derive(Debug)]
pub struct Places {
    encoding: Encoding,
    mark: usize,
    table: OnceLock<Vec<u64>>,
}

impl Places {
    const STEP: usize = 64 * 1024;

    /// For a copy of an original that begins like this.
    pub fn new(beginning: &Beginning) -> Self {
        Self { encoding: beginning.encoding, mark: beginning.mark, table: OnceLock::new() }
    }

    /// The offset in the original.
    pub fn original(&self, copy: &[u8], offset: u64) -> u64 {
        if self.encoding == Encoding::Utf8 {
            return offset;
        }
        let table = self.table.get_or_init(|| {
            let mut sum = self.mark as u64;
            let starts = copy.chunks(Self::STEP).map(|chunk| {
                let start = sum;
                sum += self.width(chunk);
                start
            });
            starts.collect()
        });
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(copy.len());
        let step = (offset / Self::STEP).min(table.len().saturating_sub(1));
        let start = table.get(step).copied().unwrap_or(self.mark as u64);
        start + self.width(copy.get(step * Self::STEP..offset).unwrap_or_default())
    }

    /// How many bytes of the original the characters take that begin in these bytes of the copy.
    fn width(&self, bytes: &[u8]) -> u64 {
        let begins = |byte: &u8| byte & 0xc0 != 0x80;
        let characters = bytes.iter().filter(|byte| begins(byte)).count() as u64;
        match self.encoding {
            Encoding::Utf8 => bytes.len() as u64,
            Encoding::Latin1 | Encoding::Windows1252 => characters,
            // Four bytes of UTF-8 are a pair of surrogates.
            Encoding::Utf16Le | Encoding::Utf16Be => {
                2 * (characters + bytes.iter().filter(|byte| **byte >= 0xf0).count() as u64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn staged(original: &[u8], beginning: &Beginning) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("original.xml");
        std::fs::write(&path, original).expect("written");
        let copy = copy(&File::open(&path).expect("there"), &path, beginning, folder.path())?;
        let staged = copy.path.expect("named");
        assert_eq!(std::fs::metadata(&staged).expect("there").permissions().mode() & 0o777, 0o400);
        let bytes = std::fs::read(&staged).expect("read");
        assert_eq!(copy.sha256, sha256(&copy.file).expect("read"));
        Ok(bytes)
    }

    #[test]
    fn latin_1_is_not_windows_1252() {
        let latin = staged(b"\xe5\x80", &Beginning { encoding: Encoding::Latin1, mark: 0 }).expect("staged");
        assert_eq!(latin, "å\u{80}".as_bytes());
        let windows = staged(b"\xe5\x80", &Beginning { encoding: Encoding::Windows1252, mark: 0 }).expect("staged");
        assert_eq!(windows, "å€".as_bytes());
    }

    #[test]
    fn wrong_encodings_are_refused_with_the_place() {
        let error = staged("Åsa".as_bytes(), &Beginning { encoding: Encoding::Latin1, mark: 0 }).expect_err("UTF-8");
        assert!(matches!(&error, IntakeError::Encoding { offset: 0, what, .. } if what.contains("UTF-8")), "{error}");
        let lone = [0xff, 0xfe, b'<', 0, 0x00, 0xd8, b'a', 0];
        let error = staged(&lone, &Beginning { encoding: Encoding::Utf16Le, mark: 2 }).expect_err("a lone surrogate");
        assert!(matches!(error, IntakeError::Encoding { offset: 4, .. }), "{error:?}");
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_original(text in "\\PC{0,200}", wide: bool) {
            let (encoding, original): (_, Vec<u8>) = if wide {
                (Encoding::Utf16Be, text.encode_utf16().flat_map(u16::to_be_bytes).collect())
            } else {
                (Encoding::Utf16Le, text.encode_utf16().flat_map(u16::to_le_bytes).collect())
            };
            let copy = staged(&original, &Beginning { encoding, mark: 0 }).expect("staged");
            prop_assert_eq!(&copy, text.as_bytes());
            let places = Places::new(&Beginning { encoding, mark: 0 });
            for (at, _) in text.char_indices() {
                let expected = 2 * text[..at].encode_utf16().count() as u64;
                prop_assert_eq!(places.original(&copy, at as u64), expected);
            }
        }
    }
}
