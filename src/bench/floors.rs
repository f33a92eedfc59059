//! Floors: what the primitives of the job cost by themselves, so that each stage reads as a share of what it cannot do
//! without.

use super::clock::{Took, Whose, median};
use super::interrupt::Interrupt;
use crate::error::{Error, Exit, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::{KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;

/// Repetitions of a measurement; the middle one counts.
const REPETITIONS: usize = 5;
/// Bytes that digests, ciphers and scans go over: more than the inner caches hold, as an export is.
const BYTES: usize = 8 << 20;
/// Appends that are synced.
const SYNCS: usize = 40;

/// What no program can do without on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bare {
    /// One RSA-3072 signature.
    pub rsa3072_sign_s: f64,
    /// One RSAES-OAEP wrap of a content key at 2048 bits.
    pub rsa2048_wrap_s: f64,
    /// SHA-256.
    pub sha256_bytes_per_s: f64,
    /// AES-256-GCM, as TLS and CMS use it.
    pub aes256_gcm_bytes_per_s: f64,
    /// A memchr scan that finds nothing.
    pub memchr_bytes_per_s: f64,
    /// A small append and its fsync, time on the wall.
    pub fsync_s: f64,
}

/// A key that does nothing but sign: the floor of a signature.
pub struct BareKey {
    key: KeyPair,
    signature: Vec<u8>,
}

impl BareKey {
    /// A new key of 2048 or 3072 bits.
    pub fn new(size: KeySize) -> Result<Self> {
        let key = KeyPair::generate(size).map_err(|_| refused("make a key"))?;
        Ok(Self { signature: vec![0; key.public_modulus_len()], key })
    }

    /// One signature over a digest's worth of bytes.
    pub fn sign(&mut self) {
        // A key of our own making signs.
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), black_box(&[7; 32]), &mut self.signature);
        black_box(signed).ok();
    }

    /// So many signatures.
    pub fn sign_times(&mut self, times: usize) -> Took {
        Whose::Thread.time(|| (0..times).for_each(|_| self.sign())).1
    }
}

/// Measures the floors; `folder` is where the fsync is measured.
pub fn measure(folder: &Path, interrupt: &Interrupt) -> Result<Bare> {
    let mut large = BareKey::new(KeySize::Rsa3072)?;
    let signatures = 12;
    let rsa3072_sign_s = median((0..REPETITIONS).map(|_| large.sign_times(signatures).cpu_s)) / signatures as f64;
    interrupt.check()?;
    let rsa2048_wrap_s = wrap()?;
    let bytes = vec![0x5a_u8; BYTES];
    let per_s = |work: &mut dyn FnMut()| {
        BYTES as f64 / median((0..REPETITIONS).map(|_| Whose::Thread.time(&mut *work).1.cpu_s)).max(1e-9)
    };
    let sha256_bytes_per_s = per_s(&mut || _ = black_box(digest(&SHA256, black_box(&bytes))));
    let memchr_bytes_per_s = per_s(&mut || _ = black_box(memchr::memchr(b'<', black_box(&bytes))));
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[3; 32]).map_err(|_| refused("make a key"))?);
    let mut text = bytes.clone();
    let aes256_gcm_bytes_per_s = per_s(&mut || {
        let sealed = cipher.seal_in_place_separate_tag(Nonce::assume_unique_for_key([1; 12]), Aad::empty(), &mut text);
        _ = black_box(sealed);
    });
    interrupt.check()?;
    let fsync_s = fsync(folder)
        .map_err(|error| Error::because(Exit::Storage, format!("cannot write in {}", folder.display()), error))?;
    Ok(Bare { rsa3072_sign_s, rsa2048_wrap_s, sha256_bytes_per_s, aes256_gcm_bytes_per_s, memchr_bytes_per_s, fsync_s })
}

/// Signatures of all processors at once: the floor of a send, which keeps all of them at it. Where two share a core, or
/// the host has other guests, each takes longer then.
pub struct AllAtOnce {
    keys: Vec<BareKey>,
}

/// Signatures that each processor makes at a time.
const AT_A_TIME: usize = 400;

impl AllAtOnce {
    /// With a key for each processor.
    pub fn new(cores: usize) -> Result<Self> {
        let keys = (0..cores).map(|_| BareKey::new(KeySize::Rsa2048)).collect::<Result<Vec<_>>>()?;
        Ok(Self { keys })
    }

    /// Signs: processor time of one signature.
    pub fn sign(&mut self) -> f64 {
        let start = &Barrier::new(self.keys.len());
        let took = std::thread::scope(|scope| {
            let sign = |key: &mut BareKey| {
                start.wait();
                key.sign_times(AT_A_TIME).cpu_s
            };
            let signing: Vec<_> = self.keys.iter_mut().map(|key| scope.spawn(move || sign(key))).collect();
            // A thread that panicked tells nothing.
            signing.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<f64>>()
        });
        took.iter().sum::<f64>() / (took.len() * AT_A_TIME).max(1) as f64
    }
}

fn wrap() -> Result<f64> {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| refused("make a key"))?;
    let public = OaepPublicEncryptingKey::new(key.public_key()).map_err(|_| refused("encrypt to a key"))?;
    let (mut secret, mut wrapped) = ([0; 32], vec![0; public.ciphertext_size()]);
    SystemRandom::new().fill(&mut secret).map_err(|_| refused("draw a key"))?;
    let wraps = 50;
    Ok(median((0..REPETITIONS).map(|_| {
        let wrap = |_| _ = black_box(public.encrypt(&OAEP_SHA256_MGF1SHA256, &secret, &mut wrapped, None).is_ok());
        Whose::Thread.time(|| (0..wraps).for_each(wrap)).1.cpu_s
    })) / wraps as f64)
}

fn fsync(folder: &Path) -> std::io::Result<f64> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let (synced, time) = Whose::Thread.time(|| file.write_all(&[0; 200]).and_then(|()| file.sync_all()));
        synced?;
        took.push(time.wall_s);
    }
    std::fs::remove_file(path)?;
    Ok(median(took))
}

fn refused(what: &str) -> Error {
    Error::new(Exit::Storage, format!("cannot {what}: the cryptographic library refused"))
}
