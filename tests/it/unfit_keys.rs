//! A key or certificate that cannot carry the run is named before anything is sent, with what to do about it.

use crate::referee;
use crate::renewal::{issue, put_certificate, put_key};
use crate::run::utskick;
use crate::world::World;
use std::path::Path;
use utskick::sandbox::pki::{MEDIATOR, Pki, Validity};

/// What is wrong, how it is made so, and what must be said of it.
struct Case {
    what: &'static str,
    make: fn(&World) -> bool,
    words: &'static [&'static str],
}

const EXPIRED: Validity = Validity { from_days: -800, to_days: -2 };
const NOT_YET: Validity = Validity { from_days: 2, to_days: 800 };

const CASES: &[Case] = &[
    Case {
        what: "a wrong password",
        make: |world| write(world, "pki/sender.password", b"another\n"),
        words: &["sender.p12", "wrong password", "password_file"],
    },
    Case {
        what: "a password file that is missing",
        make: |world| std::fs::remove_file(world.path("sandbox/pki/sender.password")).is_ok(),
        words: &["sender.password", "cannot read the password file"],
    },
    Case {
        what: "a certificate that has ended",
        make: |world| mediator(world, EXPIRED),
        words: &["mediator.pem", "ended", "renew it"],
    },
    Case {
        what: "a certificate that is not valid yet",
        make: |world| mediator(world, NOT_YET),
        words: &["mediator.pem", "valid only from", "use the one in force until then"],
    },
    Case {
        what: "a certificate that ends before the run can",
        make: |world| {
            let deadline = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 800);
            world.configure(|settings| {
                settings.replace("\n[far]\n", &format!("\n[run]\ndeadline = \"{deadline}\"\n\n[far]\n"))
            });
            true
        },
        words: &["sender.p12", "before the run can end", "renew it first"],
    },
    Case {
        what: "a pair that does not belong together",
        make: |world| {
            put_key(world, "mediator", &issue(world, MEDIATOR, Validity::ORDINARY));
            true
        },
        words: &["mediator.pem", "does not belong to the private key", "mediator.key.pem", "issued together"],
    },
    Case {
        what: "two keys in PKCS#12",
        make: |world| {
            let pki = Pki::open(&world.path("sandbox"), &[]).unwrap();
            let mut store = p12_keystore::KeyStore::new();
            for name in ["sender", "mediator"] {
                let identity = pki.identity(name).unwrap();
                let chain = p12_keystore::PrivateKeyChain::new(
                    name.as_bytes(),
                    p12_keystore::PrivateKey::from_der(identity.key.secret_der()).unwrap(),
                    [p12_keystore::Certificate::from_der(&identity.certificate).unwrap()],
                );
                store.add_entry(name, p12_keystore::KeyStoreEntry::PrivateKeyChain(chain));
            }
            let password = std::fs::read_to_string(world.path("sandbox/pki/sender.password")).unwrap();
            write(world, "pki/sender.p12", &store.writer(password.trim_end()).write().unwrap())
        },
        words: &["sender.p12", "2 private keys", "keep one"],
    },
    Case {
        what: "no key in PKCS#12",
        make: |world| {
            let mut store = p12_keystore::KeyStore::new();
            let identity = Pki::open(&world.path("sandbox"), &[]).unwrap().identity("sender").unwrap();
            let certificate = p12_keystore::Certificate::from_der(&identity.certificate).unwrap();
            store.add_entry("sender", p12_keystore::KeyStoreEntry::Certificate(certificate));
            let password = std::fs::read_to_string(world.path("sandbox/pki/sender.password")).unwrap();
            write(world, "pki/sender.p12", &store.writer(password.trim_end()).write().unwrap())
        },
        words: &["sender.p12", "no private key", "together with its key"],
    },
    Case {
        what: "a weak key",
        make: |world| {
            openssl(
                world,
                "req -x509 -newkey rsa:1024 -nodes -keyout pki/mediator.key.pem -out pki/mediator.pem -subj /CN=weak",
            )
        },
        words: &["mediator", "1024 bits", "2048 is the least", "have another issued"],
    },
    Case {
        what: "an encrypted key without a password file",
        make: encrypted,
        words: &["mediator.key.pem", "is encrypted", "name its password_file"],
    },
    Case {
        what: "an encrypted key with a wrong password",
        make: |world| {
            encrypted(world) && write(world, "pki/mediator.password", b"another") && {
                with_password(world);
                true
            }
        },
        words: &["mediator.key.pem", "wrong password"],
    },
    Case {
        what: "a signing key that is not RSA",
        make: |world| {
            openssl(
                world,
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pki/mediator.key.pem -out pki/mediator.pem -subj /CN=curve",
            )
        },
        words: &["mediator.pem", "not an RSA key"],
    },
    Case {
        what: "half a certificate",
        make: |world| {
            let file = world.path("sandbox/pki/mediator.pem");
            let bytes = std::fs::read(file).unwrap();
            write(world, "pki/mediator.pem", &bytes[..bytes.len() / 2])
        },
        words: &["mediator.pem", "damaged"],
    },
    Case {
        what: "an operator's encryption certificate that has ended",
        make: |world| {
            put_certificate(world, "operator-c", &issue(world, MEDIATOR, EXPIRED));
            true
        },
        words: &["operator-c.pem", "ended", "renew it"],
    },
    Case {
        what: "a print supplier's certificate that is not valid yet",
        make: |world| {
            put_certificate(world, "print-supplier", &issue(world, MEDIATOR, NOT_YET));
            true
        },
        words: &["print-supplier.pem", "valid only from"],
    },
];

fn write(world: &World, name: &str, bytes: &[u8]) -> bool {
    std::fs::write(world.path("sandbox").join(name), bytes).unwrap();
    true
}

fn mediator(world: &World, validity: Validity) -> bool {
    let identity = issue(world, MEDIATOR, validity);
    put_certificate(world, "mediator", &identity);
    put_key(world, "mediator", &identity);
    true
}

/// Runs openssl in the sandbox's folder; `false` where there is none.
fn openssl(world: &World, arguments: &str) -> bool {
    let Some(mut openssl) = referee::command("openssl") else { return false };
    let output = openssl.current_dir(world.path("sandbox")).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

fn encrypted(world: &World) -> bool {
    write(world, "pki/mediator.password", "lösen ord\n".as_bytes())
        && openssl(
            world,
            "pkcs8 -topk8 -in pki/mediator.key.pem -out pki/encrypted.pem -passout file:pki/mediator.password",
        )
        && std::fs::rename(world.path("sandbox/pki/encrypted.pem"), world.path("sandbox/pki/mediator.key.pem")).is_ok()
}

fn with_password(world: &World) {
    let key = "private_key = \"pki/mediator.key.pem\"";
    world.configure(|settings| settings.replace(key, &format!("{key}\npassword_file = \"pki/mediator.password\"")));
}

#[test]
fn what_cannot_carry_a_run_is_named_before_anything_is_sent() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 10, &[]);
    let pristine = [world.path("sandbox/pki"), world.config()].map(|path| keep(&path));
    for case in CASES {
        if !(case.make)(&world) {
            continue;
        }
        let sent = world.send_command(&export, "run").output().unwrap();
        let said = String::from_utf8(sent.stderr).unwrap();
        assert_eq!(sent.status.code(), Some(78), "{}: {said}", case.what);
        let check = utskick(["check", "--config"]).arg(world.config()).arg(&export).output().unwrap();
        let checked = String::from_utf8(check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(78), "{}: {checked}", case.what);
        let wrong: String = checked.lines().filter(|line| line.starts_with("WRONG")).collect();
        for words in case.words {
            assert!(said.contains(words), "{}: {words:?} in {said}", case.what);
            assert!(wrong.contains(words), "{}: {words:?} in {checked}", case.what);
        }
        assert!(world.ledger().is_empty() && !world.path("run/journal.sqlite").exists(), "{}", case.what);
        for kept in &pristine {
            kept.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        }
    }
    // As it was, and with an encrypted key and its password, it sends.
    if encrypted(&world) {
        with_password(&world);
    }
    world.send(&export, "run", 0);
    assert!(!world.ledger().is_empty());
}

/// The files at a path with what they hold.
fn keep(path: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(path.to_path_buf(), std::fs::read(path).unwrap())];
    }
    std::fs::read_dir(path).unwrap().flat_map(|entry| keep(&entry.unwrap().path())).collect()
}
