//! Connections to a server that plays what no well-behaved one does, over real TLS.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ConnectionTrafficSecrets, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};
use rustls::{StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::PrivateKeyDer;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Socket};

/// What the server does with a request, once it has read it.
#[derive(Clone)]
enum Play {
    /// Answers, and goes on with the next request.
    Answer(String),
    /// Answers twice with the number in the request: at once, or with so much time between; which were later than meant.
    Twice(Option<Duration>, Late),
    /// Sends a fatal alert, and closes.
    Alert(u8),
}

/// Requests whose second answer was held up.
type Late = Arc<Mutex<Vec<u64>>>;

/// What an operator says that has taken a message.
const DELIVERED: &str = r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><s3:deliverSecureResponse xmlns:s3="http://minameddelanden.gov.se/schema/Service/v3" xmlns:s1="http://minameddelanden.gov.se/schema/Service"><s3:return><s1:TransId>t</s1:TransId><s1:Status><s1:RecipientId>191212121212</s1:RecipientId><s1:Delivered>true</s1:Delivered></s1:Status></s3:return></s3:deliverSecureResponse></S:Body></S:Envelope>"#;

/// An answer over HTTP/1.1, with this further header.
fn answer(status: &str, more: &str, body: &str) -> Play {
    let length = body.len();
    Play::Answer(format!("HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n{more}\r\n{body}"))
}

/// A server that plays this on each connection in turn, and a gateway that trusts it.
fn served(version: &'static SupportedProtocolVersion, connections: Vec<Vec<Play>>) -> (Gateway, Address) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let issue = || {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    };
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // One whose alerts are made by hand below.
    provider.cipher_suites.retain(|suite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        )
    });
    let provider = Arc::new(provider);
    let mut roots = RootCertStore::empty();
    roots.add(ca_certificate.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let (chain, key) = issue();
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .unwrap();
    config.enable_secret_extraction = true;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("https://{}/service", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        for plays in connections {
            let (socket, _) = listener.accept().unwrap();
            socket.set_nodelay(true).unwrap();
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || serve(StreamOwned::new(connection, socket), plays));
        }
    });
    let (chain, key) = issue();
    let ours = Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap());
    let mut trusted = tempfile::NamedTempFile::new().unwrap();
    trusted.write_all(ca_certificate.pem().as_bytes()).unwrap();
    let settings = GatewaySettings {
        name: "the operator".into(),
        rate: Rate::Unlimited,
        windows: Windows::default(),
        waits: Arc::default(),
        concurrency: 1,
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
    };
    (Gateway::new(settings, Tls::new(ours, trusted.path()).unwrap()), address)
}

fn serve(mut stream: StreamOwned<ServerConnection, Socket>, plays: Vec<Play>) {
    for play in plays {
        let mut request = Vec::new();
        // Every request of these tests ends so.
        while !request.ends_with(b"</end>") {
            let mut block = [0; 4096];
            match stream.read(&mut block) {
                Ok(read @ 1..) => request.extend_from_slice(&block[..read]),
                _ => return,
            }
        }
        match play {
            Play::Answer(answer) => stream.write_all(answer.as_bytes()).unwrap(),
            Play::Twice(after, late) => {
                let text = String::from_utf8(request).unwrap();
                let number = text.split("<a>").nth(1).and_then(|text| text.split('<').next()).unwrap();
                let statuses = ["200 OK", "429 Too Many Requests", "503 Service Unavailable"];
                let status = statuses[number.parse::<usize>().unwrap() % statuses.len()];
                let Play::Answer(answer) = answer(status, "", number) else { unreachable!() };
                let began = Instant::now();
                let wrote = match after {
                    None => stream.write_all(answer.repeat(2).as_bytes()),
                    Some(after) => stream.write_all(answer.as_bytes()).and_then(|()| {
                        std::thread::sleep(after);
                        stream.write_all(answer.as_bytes())
                    }),
                };
                if began.elapsed() > REST / 2 {
                    late.lock().unwrap().push(number.parse().unwrap());
                }
                if wrote.is_err() {
                    return;
                }
            }
            Play::Alert(description) => {
                let StreamOwned { conn, mut sock } = stream;
                sock.write_all(&alert(conn, description)).unwrap();
                return;
            }
        }
    }
    // Until the client goes: an end would tell it something.
    let _ = stream.read(&mut [0; 1]);
}

/// The record of a fatal alert, which rustls sends in a handshake alone.
///
/// *Source*: RFC 8446 §5.2 and §6, RFC 5246 §6.2.3.3 and RFC 7905.
fn alert(connection: ServerConnection, description: u8) -> Vec<u8> {
    const ALERT: u8 = 21;
    const APPLICATION_DATA: u8 = 23;
    const FATAL: u8 = 2;
    let is_1_3 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let (sequence, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else { panic!("another cipher") };
    let mut nonce: [u8; 12] = iv.as_ref().try_into().unwrap();
    for (byte, of) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= of;
    }
    let mut text = vec![FATAL, description];
    let (kind, beside) = if is_1_3 {
        text.push(ALERT);
        (APPLICATION_DATA, vec![APPLICATION_DATA, 3, 3, 0, 19])
    } else {
        (ALERT, [&sequence.to_be_bytes()[..], &[ALERT, 3, 3, 0, 2]].concat())
    };
    use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).unwrap());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(beside), &mut text).unwrap();
    [&[kind, 3, 3, 0, text.len() as u8][..], &text].concat()
}

async fn post(gateway: &Gateway, address: &Address) -> Result<(), CallError> {
    judged(gateway, address, Worth::Clear).await
}

async fn judged(gateway: &Gateway, address: &Address, worth: Worth) -> Result<(), CallError> {
    let lease = gateway.lease(address).await.unwrap();
    gateway.post(lease, address, Bytes::from_static(b"<a></end>"), |_| ((), worth)).await.0
}

/// The alerts by which a server refuses a client's certificate in a handshake: bad certificate, unknown authority, access
/// denied, decrypt error.
const REFUSALS: [u8; 4] = [42, 48, 49, 51];

#[tokio::test]
async fn an_alert_says_that_nothing_was_read_only_while_our_certificate_is_judged() {
    let fine = || answer("200 OK", "", DELIVERED);
    for refusal in REFUSALS {
        let alert = || Play::Alert(refusal);
        let (gateway, address) = served(&rustls::version::TLS13, vec![vec![alert()]]);
        let first = post(&gateway, &address).await;
        assert!(matches!(first, Err(CallError::CertificateRefused(_))), "{refusal}: {first:?}");

        let closes = answer("200 OK", "Connection: close\r\n", DELIVERED);
        for (version, connections) in [
            // It has answered before.
            (&rustls::version::TLS13, vec![vec![fine(), alert()]]),
            // It knows the session, and is shown no certificate.
            (&rustls::version::TLS13, vec![vec![closes], vec![alert()]]),
            // The handshake was over for both.
            (&rustls::version::TLS12, vec![vec![fine(), alert()]]),
        ] {
            let (gateway, address) = served(version, connections);
            assert!(post(&gateway, &address).await.is_ok(), "{refusal} {version:?}");
            let second = post(&gateway, &address).await;
            let lost = matches!(second, Err(CallError::Unclear(Reason::ConnectionLost)));
            assert!(lost, "{refusal} {version:?}: {second:?}");
        }
        let (gateway, address) = served(&rustls::version::TLS12, vec![vec![alert()]]);
        let first = post(&gateway, &address).await;
        assert!(matches!(first, Err(CallError::Unclear(Reason::ConnectionLost))), "{refusal}: {first:?}");
    }
}

#[tokio::test]
async fn answers_that_nobody_understands_open_the_breaker_and_one_among_good_ones_does_not() {
    let connections = vec![vec![answer("200 OK", "", DELIVERED); 2]; 12];
    let (gateway, address) = served(&rustls::version::TLS13, connections);
    for worth in [Worth::Unclear, Worth::Clear].into_iter().cycle().take(12).chain([Worth::Unclear; 4]) {
        assert!(judged(&gateway, &address, worth).await.is_ok());
        assert!(!gateway.breaker().is_open());
    }
    assert!(judged(&gateway, &address, Worth::Unclear).await.is_ok());
    assert!(gateway.breaker().is_open());
    assert!(judged(&gateway, &address, Worth::Clear).await.is_ok(), "the probe");
    assert!(!gateway.breaker().is_open());
}

#[tokio::test]
async fn a_connection_is_kept_only_after_an_answer_to_what_was_asked() {
    for (worth, handshakes) in [(Worth::Clear, 1), (Worth::Beside, 2), (Worth::Unclear, 2)] {
        let (gateway, address) = served(&rustls::version::TLS13, vec![vec![answer("200 OK", "", DELIVERED); 2]; 2]);
        assert!(judged(&gateway, &address, worth).await.is_ok());
        assert!(judged(&gateway, &address, Worth::Clear).await.is_ok());
        let Handshakes { full, resumed } = gateway.handshakes();
        assert_eq!(full + resumed, handshakes, "{worth:?}");
    }
}

#[tokio::test]
async fn what_went_wrong_last_is_told_in_words_with_the_server() {
    let plays = vec![answer("200 OK", "", DELIVERED), Play::Alert(80)];
    let (gateway, address) = served(&rustls::version::TLS13, vec![plays]);
    assert_eq!(gateway.last_failure(), None);
    assert!(judged(&gateway, &address, Worth::Unclear).await.is_ok());
    let server = address.server();
    let unclear = "HTTP 200, an answer that says nothing about what was asked";
    assert_eq!(gateway.last_failure(), Some(format!("{server}: {unclear}")));
    // The server takes no other connection.
    assert!(gateway.lease(&address).await.is_err());
    assert_eq!(gateway.last_failure(), Some(format!("{server}: no connection: Connection refused (os error 111)")));

    let plays = vec![answer("200 OK", "", DELIVERED), Play::Alert(80)];
    let (gateway, address) = served(&rustls::version::TLS13, vec![plays]);
    assert!(post(&gateway, &address).await.is_ok());
    assert!(post(&gateway, &address).await.is_err());
    let last = gateway.last_failure().unwrap_or_default();
    assert!(last.starts_with(&address.server()) && last.contains("InternalError"), "{last}");
    let person = Address::parse("https://191212121212.test/").expect("an address");
    assert_eq!(person.server(), "************.test:443");
    let person = Address::parse("https://operator.test/191212121212/v3?x=1").expect("an address");
    assert_eq!(person.place(), "https://operator.test:443/************/v3");
}

#[test]
fn addresses_are_https() {
    let address = Address::parse(" https://operator.test:8443/service/v3?x=1 ").expect("an address");
    assert_eq!(address.to_string(), "https://operator.test:8443/service/v3?x=1");
    assert_eq!(
        Address::parse("https://operator.test").map(|a| a.to_string()).as_deref(),
        Some("https://operator.test:443/")
    );
    for wrong in ["", "http://operator.test/", "operator.test", "https://", "ftp://a/b"] {
        assert_eq!(Address::parse(wrong), None, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_answer_to_a_request_is_not_read_as_the_one_to_the_next() {
    let between = [None, Some(0), Some(100), Some(1000)].map(|micros| micros.map(Duration::from_micros));
    for after in between {
        let late = Late::default();
        let connections = vec![vec![Play::Twice(after, Arc::clone(&late)); 2]; 60];
        let (gateway, address) = served(&rustls::version::TLS13, connections);
        let mut answered = 0;
        for number in 0..60 {
            let lease = gateway.lease(&address).await.unwrap();
            let body = Bytes::from(format!("<a>{number}</end>"));
            let judge = |reply: &Reply| (String::from_utf8(reply.body.clone().unwrap().to_vec()), Worth::Clear);
            match gateway.post(lease, &address, body, judge).await.0 {
                Ok(said) => {
                    let said = said.unwrap();
                    let is_late = said.parse().is_ok_and(|said| late.lock().unwrap().contains(&said));
                    assert!(said == number.to_string() || is_late, "{after:?}: {said} is said of {number}");
                    answered += 1;
                }
                // It had been closed; nothing has left.
                Err(CallError::NotSent(_)) => {}
                Err(error) => assert!(!late.lock().unwrap().is_empty(), "{after:?}: {error}"),
            }
        }
        assert!(answered >= 30, "{after:?}: {answered}");
    }
}
