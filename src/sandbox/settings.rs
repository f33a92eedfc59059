//! What the sandbox writes for its users: `utskick.toml`; and its own note of ports, so that a restart keeps them.

use super::{OPERATOR_IDS, OPERATOR_NAMES, SandboxError, World, operator, pki};
use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// `DIR/ports.toml`.
#[derive(Debug, Serialize, Deserialize)]
struct Ports {
    /// FaR's, then the operators'.
    ports: Vec<u16>,
}

/// Opens the four listeners: the ports asked for; else those of the last life where they are free; else any.
pub(crate) fn listeners(dir: &Path, listen: SocketAddr) -> Result<Vec<TcpListener>, SandboxError> {
    let note = dir.join("ports.toml");
    let count = OPERATOR_IDS.len() + 1;
    let wanted: Vec<u16> = match listen.port() {
        0 => std::fs::read_to_string(&note)
            .ok()
            .and_then(|text| toml::from_str(&text).ok())
            .map_or_else(|| vec![0; count], |Ports { ports }| ports),
        first => (0..count as u16).map(|step| first.saturating_add(step)).collect(),
    };
    let bind = |port: u16| {
        let address = SocketAddr::new(listen.ip(), port);
        let listener = TcpListener::bind(address).map_err(|source| SandboxError::Listen { address, source })?;
        listener.set_nonblocking(true).map_err(|source| SandboxError::Listen { address, source })?;
        Ok(listener)
    };
    let mut listeners = Vec::new();
    for place in 0..count {
        let port = wanted.get(place).copied().unwrap_or(0);
        listeners.push(match bind(port) {
            Err(SandboxError::Listen { .. }) if listen.port() == 0 && port != 0 => bind(0)?,
            bound => bound?,
        });
    }
    let ports =
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(|address| address.port()).collect();
    let text = toml::to_string(&Ports { ports }).unwrap_or_default();
    pki::write_private(&note, text.as_bytes())?;
    Ok(listeners)
}

/// How many files a folder holds; none where there is no folder.
pub(crate) fn files_in(folder: &Path) -> u64 {
    std::fs::read_dir(folder).map_or(0, |entries| entries.count() as u64)
}

/// Writes the settings that send to this sandbox.
pub(crate) fn write(dir: &Path, world: &World) -> Result<(), SandboxError> {
    use pki::file;
    let rate = |rate: Option<f64>| rate.map_or("\"unlimited\"".to_owned(), |rate| format!("{rate:?}"));
    let far = world.addresses.first().map_or("", String::as_str);
    let mut text = format!(
        r#"# Settings of utskick for the sandbox in this folder. Paths are relative to the file.

[installation]
# What outlives a run: the register of everything sent, and locks.
state = "state"
# 32 random bytes; made at first use.
key_file = "installation.key"

[keys]
# PEM bundle of the authorities that FaR and the operators are trusted by.
trusted_roots = "{authority}"

# The sender (avsändare) signs the inner SignedDelivery.
[keys.sender]
pkcs12 = "{sender}"
password_file = "{password}"

# The mediator (förmedlare) signs the outer SealedDelivery.
[keys.mediator]
certificate = "{mediator}"
private_key = "{mediator_key}"

# The TLS client is the mediator.
[keys.tls]
certificate = "{mediator}"
private_key = "{mediator_key}"

# Förmedlingsadressregistret: who has a mailbox, and where.
[far]
address = "{far}"
rate_per_s = {far_rate}
# When it may be asked, in Europe/Stockholm; without it always. An end before the start is on the next day.
# windows = ["mon-fri 18:00-06:00", "sat,sun 00:00-24:00"]
"#,
        authority = file::AUTHORITY,
        sender = file::SENDER_P12,
        password = file::SENDER_PASSWORD,
        mediator = file::MEDIATOR,
        mediator_key = file::MEDIATOR_KEY,
        far_rate = rate(world.options.far_rate),
    );
    for (number, (id, name)) in OPERATOR_IDS.iter().zip(OPERATOR_NAMES).enumerate() {
        text.push_str(&format!(
            "\n[[operators]]\nid = \"{id}\"\nname = \"{name}\"\nservice_address = \"{}\"\nrate_per_s = {}\n",
            world.operator_address(number),
            rate(world.options.rate)
        ));
        if number == 0 {
            text.push_str(
                "# When letters may leave to it, as in [far]; without it always.\n\
                 # windows = [\"mon-fri 18:00-06:00\", \"sat,sun 00:00-24:00\"]\n",
            );
        }
        if number == operator::ENCRYPTING {
            text.push_str(&format!(
                "# Attachments to this operator are encrypted.\nencryption_certificate = \"{}\"\n",
                file::ENCRYPTION
            ));
        }
    }
    text.push_str(&format!(
        r#"
# Who the letters are from: every uppgiftslämnare that is not listed by its number under [senders].
[senders.default]
id = "{sender_id}"
name = "Kommun A"
support_text = "Har du frågor om din kontrolluppgift? Kontakta löneavdelningen hos din arbetsgivare."
support_url = "https://www.kommun-a.test/kontrolluppgift"
support_phone = "010-000 00 00"
support_email = "lon@kommun-a.test"

[channels]
# To the mailbox, and on paper where there is none.
default = "digital-else-paper"

[paper]
# Print bundles are encrypted to the print supplier, who finds addresses by person id itself.
supplier_certificate = "{supplier}"
supplier_addresses = true
"#,
        sender_id = pki::SENDER,
        supplier = file::SUPPLIER,
    ));
    pki::write_private(&dir.join("utskick.toml"), text.as_bytes())
}
