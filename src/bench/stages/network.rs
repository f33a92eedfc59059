//! The network: asking FaR, and posting requests over mutual TLS, by the connections that a send uses.

use super::super::clock::{Whose, median};
use super::super::interrupt::Interrupt;
use super::{Known, ROUNDS};
use crate::config::{Config, Rate};
use crate::domain::{Identity, Windows};
use crate::error::{Error, Exit, Result};
use crate::gateway::{Address, Gateway, GatewaySettings, REST, Tls, Worth};
use crate::lookup::{Far, Found, Heard};
use crate::prepare::keys::Credential;
use futures::StreamExt;
use hyper::body::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Recipients of one call: the contract's limit.
const CALL: usize = 1000;
/// Requests under way at once, as an operator's `concurrency` has it where nothing is said.
const UNDER_WAY: usize = 16;
/// What a request is made larger by, to tell the cost of its bytes from its own.
const PADDING: usize = 400_000;
/// Larger requests that are posted in a round.
const LARGE: usize = 40;

/// What the network costs us.
pub struct Network {
    /// Asking FaR, per recipient of a full call.
    pub lookup_s: f64,
    /// A request and its answer, without its bytes.
    pub submit_s_per_request: f64,
    /// Each byte of a request.
    pub submit_s_per_byte: f64,
}

type Post = (usize, Address, Vec<u8>);

/// Measures; the settings name gateways that answer.
pub fn measure(
    config: &Config,
    known: &[Known],
    requests: &[(Identity, Vec<u8>)],
    interrupt: &Interrupt,
) -> Result<Network> {
    let settings = |error| Error::because(Exit::Settings, "a key of the sandbox", error);
    let key = Credential::load(&config.keys.tls).and_then(|credential| credential.certified_key()).map_err(settings)?;
    let tls =
        Tls::new(key, &config.keys.trusted_roots).map_err(|error| Error::because(Exit::Settings, "TLS", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    let far = far(config, &tls)?;
    let gateways: Vec<Gateway> =
        config.operators.iter().map(|operator| gateway(&operator.name, operator.timeout, &tls)).collect();
    let (lookup_s, found) = runtime.block_on(look_up(config, &far, known, requests, interrupt))?;
    let posts: Vec<Post> = requests
        .iter()
        .filter_map(|(recipient, body)| match found.get(recipient)? {
            Found::Mailbox { operator, address } => Some((*operator, address.clone(), body.clone())),
            Found::Unreachable(_) | Found::Refused(..) => None,
        })
        .collect();
    let large: Vec<Post> = posts
        .iter()
        .take(LARGE)
        .map(|(operator, address, body)| {
            // White space after the last element: longer, and nothing else.
            (*operator, address.clone(), [body.as_slice(), &vec![b'\n'; PADDING]].concat())
        })
        .collect();
    // Connections are made before anything counts.
    runtime.block_on(post(&gateways, &posts))?;
    let (mut small_took, mut large_took) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (posts, took) in [(&posts, &mut small_took), (&large, &mut large_took)] {
            interrupt.check()?;
            let (posted, time) = Whose::Process.time(|| runtime.block_on(post(&gateways, posts)));
            posted?;
            took.push(time.cpu_s / posts.len().max(1) as f64);
        }
    }
    let bytes =
        |posts: &[Post]| posts.iter().map(|(.., body)| body.len()).sum::<usize>() as f64 / posts.len().max(1) as f64;
    let (small_s, large_s) = (median(small_took), median(large_took));
    let per_byte = ((large_s - small_s) / (bytes(&large) - bytes(&posts)).max(1.0)).max(0.0);
    Ok(Network {
        lookup_s,
        submit_s_per_request: (small_s - per_byte * bytes(&posts)).max(0.0),
        submit_s_per_byte: per_byte,
    })
}

fn gateway(name: &str, timeout: Duration, tls: &Tls) -> Gateway {
    let settings = GatewaySettings {
        name: name.to_owned(),
        rate: Rate::Unlimited,
        waits: Default::default(),
        windows: Windows::default(),
        concurrency: UNDER_WAY,
        connect_timeout: timeout,
        timeout,
    };
    Gateway::new(settings, tls.clone())
}

fn far(config: &Config, tls: &Tls) -> Result<Far> {
    let address = Address::parse(&config.far.address)
        .ok_or_else(|| Error::new(Exit::Settings, "FaR's address in the sandbox's settings is none"))?;
    Ok(Far {
        gateway: gateway("FaR", config.far.timeout, tls),
        address,
        operators: config.operators.iter().map(|operator| operator.id).collect(),
        give_up_after: config.far.timeout,
        heard: Heard::default(),
    })
}

/// Asks about a full call's worth of recipients, and where the requests go.
async fn look_up(
    config: &Config,
    far: &Far,
    known: &[Known],
    requests: &[(Identity, Vec<u8>)],
    interrupt: &Interrupt,
) -> Result<(f64, BTreeMap<Identity, Found>)> {
    let silent = |error| Error::because(Exit::Storage, "the sandbox's FaR", error);
    let Some(first) = known.first() else { return Ok((0.0, BTreeMap::new())) };
    let sender = config.senders.id_of(&first.uppgiftslamnare);
    let asked: BTreeSet<Identity> = known.iter().map(|one| one.recipient).collect();
    let asked: Vec<Identity> = asked.into_iter().take(CALL).collect();
    let to: BTreeSet<Identity> = requests.iter().map(|(recipient, _)| *recipient).collect();
    let to: Vec<Identity> = to.into_iter().collect();
    // The first call makes the connection.
    let found = far.ask(&sender, &to).await.map_err(silent)?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        interrupt.check()?;
        let before = Whose::Process.now();
        far.ask(&sender, &asked).await.map_err(silent)?;
        took.push(Whose::Process.now().saturating_sub(before).as_secs_f64() / asked.len() as f64);
    }
    Ok((median(took), found))
}

/// Posts all, so many at once, and lets their connections rest together: in a send they rest while intents are synced.
async fn post(gateways: &[Gateway], posts: &[Post]) -> Result<()> {
    for together in posts.chunks(UNDER_WAY) {
        post_together(gateways, together).await?;
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

async fn post_together(gateways: &[Gateway], posts: &[Post]) -> Result<()> {
    let mut under_way = futures::stream::iter(posts)
        .map(|(operator, address, body)| async move {
            let silent = |error| Error::because(Exit::Storage, "the sandbox's operator", error);
            let gateway = gateways.get(*operator).ok_or_else(|| Error::new(Exit::Storage, "FaR names no operator"))?;
            let lease = gateway.lease(address).await.map_err(silent)?;
            gateway.post(lease, address, Bytes::from(body.clone()), |_| ((), Worth::Clear)).await.0.map_err(silent)
        })
        .buffer_unordered(UNDER_WAY);
    while let Some(posted) = under_way.next().await {
        posted?;
    }
    Ok(())
}
