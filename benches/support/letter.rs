//! The letter that benches sign.

use utskick::prepare::envelope::{Content, Delivery, Document, Message, Support};

/// A letter of a body of 2 kB and an attachment that makes up the rest of `bytes`, its content by its number.
pub fn with_letter<T>(bytes: usize, number: u64, run: impl FnOnce(&Delivery<'_>) -> T) -> T {
    let body = "<p>Kontrolluppgift för inkomståret: läs & spara.</p>".repeat(40);
    let mut random = fastrand::Rng::with_seed(number);
    let attachment: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(bytes - body.len()).collect();
    let attachments = [Document {
        content_type: "application/pdf",
        filename: "kontrolluppgift.pdf",
        bytes: &attachment,
        begun: None,
    }];
    let messages = [Message {
        id: &format!("5b0f0a7e-3d0b-4c55-9d7b-{number:012x}"),
        subject: "Kontrolluppgift 2026",
        support: Support {
            text: "Frågor besvaras av lönekontoret.",
            url: Some("https://www.kommun-a.test/lon"),
            phone: Some("08-12 12 12"),
            email: Some("lon@kommun-a.test"),
        },
        metadata: &[],
        language: "svSE",
        reply: None,
        receipt_request: None,
        body: Content { content_type: "text/html", bytes: body.as_bytes() },
        attachments: &attachments,
    }];
    run(&Delivery {
        sender_id: "162021004748",
        sender_name: "Kommun A",
        sender_attention: None,
        recipient: "191212121212",
        reference: None,
        correlation_id: None,
        attention: None,
        messages: &messages,
    })
}
