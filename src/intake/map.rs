//! The export as memory: the only `unsafe` of the crate.
//!
//! A file is mapped read-only. Of a staged copy nobody else knows the name, and its mode is 0400; of an export that is
//! read in place size, times and inode are compared before and after. Should the file be truncated while it is mapped,
//! the kernel raises SIGBUS: the handler here says so with the file's name and ends the process with code 74.

#![allow(unsafe_code)]

use crate::domain::mask_people;
use memmap2::Mmap;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What identifies a file and shows that it was not touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime_ns: i128,
    inode: u64,
    device: u64,
}

impl Stamp {
    /// That of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&file.metadata()?))
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }
}

/// A mapped file.
#[derive(Debug)]
pub struct Map {
    map: Mmap,
    slot: Option<usize>,
}

impl Map {
    /// Maps an open file.
    ///
    /// *Errors*: those of `mmap`. An empty file cannot be mapped.
    pub fn open(file: &File, path: &Path) -> io::Result<Self> {
        install_handler();
        // SAFETY: the bytes must not change while they are borrowed. A staged copy is ours alone: written under a
        // temporary name into the run's folder (0700), then mode 0400. An export read in place is somebody else's; we
        // only read it, results are given out only after its stamp was found unchanged, no decision about memory
        // safety rests on its contents being stable (all reads are bounds-checked, and text is validated from the very
        // slice that is used), and truncation ends in the SIGBUS handler below.
        let map = unsafe { Mmap::map(file)? };
        let slot = watch(&map, path);
        // Read once from the beginning to the end; only speed depends on it.
        let _ = map.advise(memmap2::Advice::Sequential);
        Ok(Self { map, slot })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Some(watched) = self.slot.and_then(|slot| WATCHED.get(slot)) {
            watched.length.store(0, Ordering::Release);
            // The name stays allocated: a handler could be reading it. An entry is taken again only by a later map.
            watched.start.store(0, Ordering::Release);
        }
    }
}

/// A mapping that the signal handler knows.
struct Watched {
    start: AtomicUsize,
    length: AtomicUsize,
    /// A message that ends with a newline and a NUL.
    message: AtomicPtr<libc::c_char>,
}

impl Watched {
    const fn new() -> Self {
        Self { start: AtomicUsize::new(0), length: AtomicUsize::new(0), message: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

/// Room for the exports of one run; a map beyond it is read without a name in the message.
static WATCHED: [Watched; 64] = [const { Watched::new() }; 64];

fn watch(map: &Mmap, path: &Path) -> Option<usize> {
    let start = map.as_ptr() as usize;
    let (slot, watched) = WATCHED
        .iter()
        .enumerate()
        .find(|(_, watched)| watched.start.compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed).is_ok())?;
    let text = [
        b"utskick: the file ".as_slice(),
        mask_people(&path.display().to_string()).as_bytes(),
        b" was truncated or could not be read while it was mapped; nothing was decided on it. Start again when it is whole\n",
    ]
    .concat();
    let message = CString::new(text).ok()?;
    let old = watched.message.swap(message.into_raw(), Ordering::AcqRel);
    if !old.is_null() {
        // SAFETY: it came from `into_raw` above, and the entry's length is 0, so that the handler does not read it.
        drop(unsafe { CString::from_raw(old) });
    }
    watched.length.store(map.len(), Ordering::Release);
    Some(slot)
}

fn install_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `action` is zeroed, a valid value of the C struct, then its handler, mask and flags are set; the
        // handler has the signature that SA_SIGINFO asks for and calls only async-signal-safe functions.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_bus_error as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    });
}

/// Ends the process with a message and code 74 where the fault lies in one of our maps; otherwise lets it take its
/// ordinary course.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands over a valid siginfo for SA_SIGINFO; si_addr is set for SIGBUS.
    let fault = unsafe { (*info).si_addr() } as usize;
    for watched in &WATCHED {
        let (start, length) = (watched.start.load(Ordering::Acquire), watched.length.load(Ordering::Acquire));
        if start != 0 && fault.wrapping_sub(start) < length.next_multiple_of(4096) {
            let message = watched.message.load(Ordering::Acquire);
            // SAFETY: `message` is a NUL-terminated string that stays allocated while `length` is not 0; strlen, write
            // and _exit are async-signal-safe.
            unsafe {
                if !message.is_null() {
                    libc::write(2, message.cast(), libc::strlen(message));
                }
                libc::_exit(74);
            }
        }
    }
    // SAFETY: resetting the disposition and returning makes the instruction fault again, and the default ends us.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_map_has_the_bytes_and_lets_its_entry_go() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"<a/>").expect("written");
        for _ in 0..200 {
            let map = Map::open(file.as_file(), file.path()).expect("a map");
            assert_eq!(map.bytes(), b"<a/>");
            assert!(map.slot.is_some());
        }
    }
}
