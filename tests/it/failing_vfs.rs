//! SQLite's way to a disk that fails: a VFS around the one that SQLite has by itself, which asks the model before each
//! change. Reading, locks and shared memory pass through.

// A VFS is a table of C functions.
#![allow(unsafe_code)]

use crate::failing_disk::Model;
use rusqlite::ffi;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use utskick::disk::folder_of;

/// A registered VFS; it stays for as long as the process does.
#[derive(Debug)]
pub struct Vfs {
    name: String,
}

/// What the functions are given: the VFS underneath, and the disk.
struct App {
    real: *mut ffi::sqlite3_vfs,
    model: Arc<Model>,
}

/// An open file; that of the VFS underneath lies behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    app: *const App,
    /// `None`: not on the disk.
    inode: Option<usize>,
    /// A new journal or WAL, whose name is synced with its first sync. As SQLite does it (`unixOpen`).
    new_in: Option<Box<Path>>,
}

impl Vfs {
    /// Registers a VFS for a disk, under a name of its own.
    pub fn register(model: &Arc<Model>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("failing-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let c_name = CString::new(name.clone()).unwrap();
        // SAFETY: `sqlite3_initialize` may be called at any time; the table and its parts are leaked, so they outlive
        // every connection; the functions of the VFS underneath do not look at its name or application data, but for
        // `xOpen`, which gets its own.
        unsafe {
            assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
            let real = ffi::sqlite3_vfs_find(ptr::null());
            let app = Box::leak(Box::new(App { real, model: Arc::clone(model) }));
            let vfs = Box::leak(Box::new(ptr::read(real)));
            vfs.szOsFile = size_of::<File>() as c_int + (*real).szOsFile;
            vfs.pNext = ptr::null_mut();
            vfs.zName = c_name.into_raw();
            vfs.pAppData = ptr::from_mut(app).cast();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            assert_eq!(ffi::sqlite3_vfs_register(vfs, 0), ffi::SQLITE_OK);
        }
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The code by which SQLite's own VFS tells an error of a write.
fn code(errno: i32, otherwise: c_int) -> c_int {
    if errno == libc::ENOSPC { ffi::SQLITE_FULL } else { otherwise }
}

unsafe fn app<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a App {
    // SAFETY: our table, whose data is leaked.
    unsafe { &*(*vfs).pAppData.cast::<App>() }
}

unsafe fn path<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: SQLite gives a string that lives as long as the file is open.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()))
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes, of which ours come first; they are written before anything reads them.
    unsafe {
        let app = app(vfs);
        let ours = file.cast::<File>();
        ptr::write(ours, File { base: ffi::sqlite3_file { pMethods: ptr::null() }, app, inode: None, new_in: None });
        if !name.is_null() && app.model.keeps(path(name)) {
            let path = path(name);
            (*ours).inode = app.model.file(path);
            if (*ours).inode.is_none() && flags & ffi::SQLITE_OPEN_CREATE != 0 {
                match app.model.create(path) {
                    Ok(inode) => (*ours).inode = Some(inode),
                    Err(_) => return ffi::SQLITE_CANTOPEN,
                }
            }
            let journals = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
            if flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journals != 0 {
                (*ours).new_in = Some(folder_of(path).into());
            }
        }
        ptr::write_bytes(real(file).cast::<u8>(), 0, (*app.real).szOsFile as usize);
        let result = ((*app.real).xOpen.unwrap())(app.real, name, real(file), flags, out);
        if result == ffi::SQLITE_OK {
            (*ours).base.pMethods = &METHODS;
        } else {
            ptr::drop_in_place(ours);
            (*file).pMethods = ptr::null();
        }
        result
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let app = app(vfs);
        let path = path(name);
        if app.model.file(path).is_none() {
            return ((*app.real).xDelete.unwrap())(app.real, name, 0);
        }
        if app.model.take(path).is_err() {
            return ffi::SQLITE_IOERR_DELETE;
        }
        let result = ((*app.real).xDelete.unwrap())(app.real, name, 0);
        if result == ffi::SQLITE_OK && sync != 0 && app.model.sync_names(folder_of(path)).is_err() {
            return ffi::SQLITE_IOERR_DIR_FSYNC;
        }
        result
    }
}

unsafe fn ours<'a>(file: *mut ffi::sqlite3_file) -> (&'a mut File, &'a Model) {
    // SAFETY: opened by `open`, and used by one thread at a time.
    unsafe {
        let ours = &mut *file.cast::<File>();
        let model = &(*ours.app).model;
        (ours, model)
    }
}

/// The file of the VFS underneath.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` has room for both.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: opened by `open`; not used again.
    unsafe {
        let result = ((*(*real(file)).pMethods).xClose.unwrap())(real(file));
        ptr::drop_in_place(file.cast::<File>());
        result
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, bytes: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `count` bytes.
    unsafe {
        let (ours, model) = ours(file);
        let mut length = count;
        let mut told = ffi::SQLITE_OK;
        if let Some(inode) = ours.inode {
            let slice = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize);
            if let Err((written, errno)) = model.write(inode, at as usize, slice) {
                (length, told) = (written as c_int, code(errno, ffi::SQLITE_IOERR_WRITE));
            }
        }
        if length > 0 {
            let result = ((*(*real(file)).pMethods).xWrite.unwrap())(real(file), bytes, length, at);
            assert_eq!(result, ffi::SQLITE_OK, "this machine's own disk fails");
        }
        told
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: opened by `open`.
    unsafe {
        let (ours, model) = ours(file);
        if let Some(Err(errno)) = ours.inode.map(|inode| model.cut(inode, length as usize)) {
            return code(errno, ffi::SQLITE_IOERR_TRUNCATE);
        }
        ((*(*real(file)).pMethods).xTruncate.unwrap())(real(file), length)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: opened by `open`.
    unsafe {
        let (ours, model) = ours(file);
        let Some(inode) = ours.inode else { return ffi::SQLITE_OK };
        if model.sync(inode).is_err() {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        match ours.new_in.take() {
            Some(folder) if model.sync_names(&folder).is_err() => ffi::SQLITE_IOERR_DIR_FSYNC,
            _ => ffi::SQLITE_OK,
        }
    }
}

/// A method that passes through.
macro_rules! through {
    ($name:ident, $method:ident, ($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $type),*) $(-> $result)? {
            // SAFETY: opened by `open`; the arguments are SQLite's.
            unsafe { ((*(*real(file)).pMethods).$method.unwrap())(real(file), $($argument),*) }
        }
    };
}

through!(read, xRead, (into: *mut c_void, count: c_int, at: i64) -> c_int);
through!(size, xFileSize, (size: *mut i64) -> c_int);
through!(lock, xLock, (level: c_int) -> c_int);
through!(unlock, xUnlock, (level: c_int) -> c_int);
through!(reserved, xCheckReservedLock, (out: *mut c_int) -> c_int);
through!(control, xFileControl, (what: c_int, argument: *mut c_void) -> c_int);
through!(sector, xSectorSize, () -> c_int);
through!(traits, xDeviceCharacteristics, () -> c_int);
through!(shm_map, xShmMap, (page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int);
through!(shm_lock, xShmLock, (offset: c_int, count: c_int, flags: c_int) -> c_int);
through!(shm_barrier, xShmBarrier, ());
through!(shm_unmap, xShmUnmap, (delete: c_int) -> c_int);

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without memory mapping, which would change files behind the disk's back.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(traits),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
