//! FaR: who has a mailbox, and where (isReachable of Recipient v3, protocol sheet §1.5 and §9).
//!
//! In: a request body. Out: the answer, a status for each id, or a fault. It does no I/O.

use super::World;
use super::answer::{Style, Writer};
use super::contract::{self, IDS_PER_CALL, ns};
use super::draw::draw;
use super::manners::Play;
use super::population::Mailbox;
use super::verify::Envelope;
use super::xml::Element;
use ns::{R1, R3};

/// A call as far as it could be read.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// senderOrgNr.
    pub sender: String,
    /// Ids asked for.
    pub ids: Vec<String>,
    /// Why it is refused.
    pub refusal: Option<(u32, String)>,
}

/// Reads and judges a call. `client` is the organisation in the TLS client's certificate.
pub(crate) fn read(world: &World, body: &[u8], client: Option<&str>) -> Call {
    let refused = |code: u32, text: String| Call { refusal: Some((code, text)), ..Call::default() };
    let envelope = match Envelope::read(body) {
        Ok(envelope) => envelope,
        Err(error) => return refused(5001, error.to_string()),
    };
    let Some(request) = envelope.payload().filter(|payload| payload.is(R3, "isReachable")) else {
        return refused(5001, "the body holds no isReachable".into());
    };
    let sender = request.child(R3, "senderOrgNr").map(Element::text).unwrap_or_default();
    let ids: Vec<String> = request.elements().filter(|e| e.is(R3, "recipientId")).map(Element::text).collect();
    let refusal = if ids.len() > IDS_PER_CALL {
        Some((5005, format!("{} ids in one call, at most {IDS_PER_CALL} are taken", ids.len())))
    } else if let Err(violation) = contract::check(request, &contract::IS_REACHABLE) {
        Some((5001, violation.to_string()))
    } else if !world.knows_sender(&sender) {
        Some((5014, "the sender is not registered".into()))
    } else if !client.is_some_and(|organisation| world.knows_mediator(organisation)) {
        Some((6005, "the TLS client is no approved mediator".into()))
    } else {
        None
    };
    Call { sender, ids, refusal }
}

/// Writes the answer, and says for how many ids it speaks.
pub(crate) fn answer(world: &World, call: &Call, style: Style, number: u64, play: Option<Play>) -> (Vec<u8>, usize) {
    let mut order: Vec<&str> = call.ids.iter().map(String::as_str).collect();
    match play {
        Some(Play::Omit) => order = order.iter().enumerate().filter(|(n, _)| n % 3 != 0).map(|(_, id)| *id).collect(),
        Some(Play::Repeat) => {
            order = order
                .iter()
                .enumerate()
                .flat_map(|(n, id)| std::iter::repeat_n(*id, if n % 3 == 0 { 2 } else { 1 }))
                .collect();
        }
        _ => {}
    }
    // The order is not specified: one answer in four has another.
    if play == Some(Play::Reorder) || draw(world.options.seed, &[b"order", &number.to_le_bytes()]).is_multiple_of(4) {
        order.sort_by_key(|id| draw(world.options.seed, &[b"place", id.as_bytes()]));
    }
    if play == Some(Play::OtherRecipient) {
        order = vec!["191212121212"];
    }
    let mut writer = Writer::new(style);
    writer.start(R3, "isReachableResponse");
    for id in &order {
        status(world, &mut writer, id);
    }
    (writer.finish(), order.len())
}

fn status(world: &World, writer: &mut Writer, id: &str) {
    let seed = world.options.seed;
    let mailbox = Mailbox::of(seed, &world.options.shares, id);
    let (kind, pending, supplier) = match mailbox {
        Mailbox::None => ("Not", false, None),
        Mailbox::Pending(at) => ("Secure", true, Some(at)),
        Mailbox::Anonymous(at) => ("Anonymous", false, Some(at)),
        Mailbox::UnknownOperator => ("Secure", false, None),
        Mailbox::OptedOut(at) | Mailbox::Protected(at) | Mailbox::At(at) | Mailbox::BlankAddress(at) => {
            ("Secure", false, Some(at))
        }
    };
    let accepted = !matches!(mailbox, Mailbox::None | Mailbox::OptedOut(_));
    writer.start(R3, "return").start(R1, "AccountStatus");
    writer.leaf(R1, "RecipientId", id).leaf(R1, "Type", kind).leaf(
        R1,
        "Pending",
        if pending { "true" } else { "false" },
    );
    let blank = matches!(mailbox, Mailbox::BlankAddress(_)).then(|| draw(seed, &[b"blank", id.as_bytes()]) % 3);
    let named = match (mailbox, supplier) {
        (Mailbox::UnknownOperator, _) => {
            Some((super::UNKNOWN_OPERATOR.0, super::UNKNOWN_OPERATOR.1, "https://127.0.0.1:9/service/v3"))
        }
        // No supplier at all is the third way of having no address.
        (_, Some(at)) if blank != Some(2) => {
            let address = match blank {
                Some(0) => "",
                Some(_) => "  ",
                None => world.operator_address(at),
            };
            super::OPERATOR_IDS.get(at).zip(super::OPERATOR_NAMES.get(at)).map(|(id, name)| (*id, *name, address))
        }
        _ => None,
    };
    if let Some((operator, name, address)) = named {
        writer.start(R1, "ServiceSupplier").leaf(R1, "Id", operator).leaf(R1, "Name", name);
        writer.leaf(R1, "ServiceAdress", address).leaf(R1, "UIAdress", "https://brevlada.test");
        writer.leaf(R1, "InternalServiceAdress", "").end();
    }
    let dated = draw(seed, &[b"dated", id.as_bytes()]);
    if kind != "Not" && dated.is_multiple_of(2) {
        writer.leaf(R1, "LastRegistration", "2016-10-30T15:38:49.517+01:00");
    }
    writer.end().leaf(R1, "SenderAccepted", if accepted { "true" } else { "false" });
    if dated.is_multiple_of(3) && kind != "Not" {
        writer.leaf(R1, "LastSenderAcceptChange", "2024-02-29T08:00:00Z");
    }
    writer.end();
}
