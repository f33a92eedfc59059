//! Digital halves, from look-up to outcome.

use super::super::codes::reason_of;
use super::super::schema::{kind, queue};
use super::super::sealed::context;
use super::super::{AttemptOver, DigitalEnd, End, Found, Intent, Phase, RouteRow, Settlement};
use super::{Flight, Writer};
use crate::domain::Reason;
use crate::track::TrackError;
use crate::track::halves::Digital;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params};

struct Wait {
    paper: i64,
    attempts: i64,
    not_delivered: i64,
    not_before: Option<i64>,
}

impl Writer<'_> {
    pub(super) fn route(&mut self, row: &RouteRow) -> Result<(), TrackError> {
        self.route_row(row)
            .map_err(|error| TrackError::storage("record a look-up", error))?
            .ok_or(TrackError::NotWaiting { ordinal: row.ordinal })
    }

    fn route_row(&mut self, row: &RouteRow) -> rusqlite::Result<Option<()>> {
        let Some(wait) = self.take_waiting(row.ordinal)? else { return Ok(None) };
        match &row.found {
            Found::Mailbox { operator, address } => {
                let operator = i64::from(*operator);
                let address = self.word(address.as_bytes())?;
                self.hot.enqueue.execute(params![
                    operator,
                    row.ordinal as i64,
                    address,
                    row.looked_up.as_millisecond(),
                    wait.attempts,
                    wait.not_before,
                    wait.not_delivered,
                    wait.paper,
                ])?;
                self.count(queue::QUEUED, operator, 0, 1);
            }
            Found::Unreachable(reason) => {
                self.run_cached(
                    "INSERT INTO digital(ordinal, kind, reason, at) VALUES (?1, ?2, ?3, ?4)",
                    params![row.ordinal as i64, kind::UNREACHABLE, *reason as u8, row.looked_up.as_millisecond()],
                )?;
                self.tempo.entry((row.looked_up.as_second(), -1)).or_default().1 += 1;
                self.digital_moves(
                    row.ordinal,
                    wait.paper,
                    (Digital::Waiting, -1),
                    (Digital::Unreachable(*reason), -1),
                )?;
            }
        }
        Ok(Some(()))
    }

    /// Takes a statement out of the queue where its digital half waits; `None` where it does not wait.
    fn take_waiting(&mut self, ordinal: u64) -> rusqlite::Result<Option<Wait>> {
        if self.hot.take_usual.execute([ordinal as i64, self.usual])? == 1 {
            self.count(queue::LOOK_UP, -1, 0, -1);
            return Ok(Some(Wait { paper: self.usual, attempts: 0, not_delivered: 0, not_before: None }));
        }
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Wait { paper: row.get(0)?, attempts: row.get(1)?, not_delivered: row.get(2)?, not_before: row.get(3)? })
        };
        let found = self.hot.look_up.query_row([ordinal as i64], read).optional()?;
        if let Some(wait) = &found {
            self.usual = wait.paper;
            self.hot.take_look_up.execute([ordinal as i64])?;
            self.count(queue::LOOK_UP, -1, 0, -1);
            return Ok(found);
        }
        for operator in 0..self.operators {
            let found = self
                .conn
                .prepare_cached(
                    "DELETE FROM queue WHERE operator = ?1 AND ordinal = ?2 AND intent IS NULL
                     RETURNING paper, attempts, not_delivered, not_before",
                )?
                .query_row([operator, ordinal as i64], read)
                .optional()?;
            if found.is_some() {
                self.count(queue::QUEUED, operator, 0, -1);
                return Ok(found);
            }
        }
        Ok(None)
    }

    pub(super) fn intend(&mut self, intent: &Intent) -> Result<(), TrackError> {
        let refused = Err(TrackError::NotWaiting { ordinal: intent.ordinal });
        let failed = |error| TrackError::storage("record an intent", error);
        let (operator, ordinal, attempt) =
            (i64::from(intent.operator), intent.ordinal as i64, i64::from(intent.attempt));
        // A flight that this process started waits for its answer: it may not start again beside it.
        let earlier = match self.flights.get(&intent.ordinal).copied() {
            Some(flight) if !flight.left || attempt <= flight.attempt => return refused,
            Some(flight) => Some((flight, Reason::None)),
            None if self.fly(intent).map_err(failed)? => return Ok(()),
            None => self.doubt(ordinal).map_err(failed)?,
        };
        let Some((flight, reason)) = earlier else { return refused };
        let same = self.same_request(&flight, intent).map_err(failed)?;
        if !same {
            return Err(TrackError::BytesDiffer { ordinal: intent.ordinal });
        }
        if attempt <= flight.attempt || operator != flight.operator {
            return refused;
        }
        self.send_again(intent, flight, reason).map_err(failed)
    }

    /// A first request of a statement that waits at this operator. `false`, and nothing written, where it does not.
    fn fly(&mut self, intent: &Intent) -> rusqlite::Result<bool> {
        let (operator, ordinal, attempt) =
            (i64::from(intent.operator), intent.ordinal as i64, i64::from(intent.attempt));
        let number = self.intents + 1;
        if self.hot.fly.execute([operator, ordinal, number, attempt, self.usual])? == 0 {
            let paper = self.hot.waits.query_row([operator, ordinal, attempt], |row| row.get(0)).optional()?;
            let Some(paper) = paper else { return Ok(false) };
            self.usual = paper;
            self.hot.fly.execute([operator, ordinal, number, attempt, paper])?;
        }
        self.write_intent(intent)?;
        self.count(queue::QUEUED, operator, 0, -1);
        self.count(queue::FLYING, operator, 0, 1);
        let flight = Flight { operator, attempt, intent: number, paper: self.usual, left: false };
        self.flights.insert(intent.ordinal, flight);
        Ok(true)
    }

    /// The resend of a request that may have arrived.
    fn send_again(&mut self, intent: &Intent, before: Flight, reason: Reason) -> rusqlite::Result<()> {
        let (operator, ordinal, attempt) = (before.operator, intent.ordinal as i64, i64::from(intent.attempt));
        let number = self.write_intent(intent)?;
        self.run_cached(
            "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                ordinal,
                kind::AGAIN,
                if reason == Reason::None { Reason::Interrupted } else { reason } as u8,
                operator,
                intent.at.as_millisecond(),
                before.attempt,
                before.intent
            ],
        )?;
        if before.left {
            self.run_cached(
                "UPDATE queue SET intent = ?3, attempts = ?4 WHERE operator = ?1 AND ordinal = ?2",
                [operator, ordinal, number, attempt],
            )?;
        } else {
            self.run_cached(
                "INSERT INTO queue(operator, ordinal, address, looked_up, attempts, not_delivered, paper, intent)
                 SELECT operator, ordinal, address, looked_up, ?2, not_delivered, paper, ?3 FROM doubt WHERE ordinal = ?1",
                [ordinal, attempt, number],
            )?;
            self.run_cached("DELETE FROM doubt WHERE ordinal = ?1", [ordinal])?;
            self.count(queue::FLYING, operator, 0, 1);
            self.digital_moves(
                intent.ordinal,
                before.paper,
                (Digital::InDoubt(reason), operator),
                (Digital::Waiting, -1),
            )?;
        }
        self.run_cached("DELETE FROM resend WHERE ordinal = ?1", [ordinal])?;
        let flight = Flight { operator, attempt, intent: number, paper: before.paper, left: false };
        self.flights.insert(intent.ordinal, flight);
        Ok(())
    }

    /// A statement that ended in doubt.
    pub(super) fn doubt(&self, ordinal: i64) -> rusqlite::Result<Option<(Flight, Reason)>> {
        self.conn
            .prepare_cached("SELECT operator, attempts, intent, paper, reason FROM doubt WHERE ordinal = ?1")?
            .query_row([ordinal], |row| {
                let flight = Flight {
                    operator: row.get(0)?,
                    attempt: row.get(1)?,
                    intent: row.get(2)?,
                    paper: row.get(3)?,
                    left: false,
                };
                Ok((flight, reason_of(row.get(4)?)))
            })
            .optional()
    }

    fn same_request(&self, flight: &Flight, intent: &Intent) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached("SELECT request_digest = ?2 AND message_id = ?3 FROM intent WHERE number = ?1")?
            .query_row(params![flight.intent, intent.request_digest, intent.message_id.0], |row| row.get(0))
            .optional()
            .map(|same| same == Some(true))
    }

    fn write_intent(&mut self, intent: &Intent) -> rusqlite::Result<i64> {
        let address = self.word(intent.address.as_bytes())?;
        let sender = self.word(&intent.sender_cert)?;
        let mediator = self.word(&intent.mediator_cert)?;
        let secrets = intent.content_secrets.as_ref().map(|secrets| {
            let context = context(&self.run_id, "secrets", intent.ordinal as i64, intent.attempt.into());
            self.installation.seal(secrets, &context)
        });
        self.intents += 1;
        self.hot.write_intent.execute(params![
            intent.ordinal as i64,
            intent.attempt,
            intent.operator,
            address,
            intent.at.as_millisecond(),
            intent.seal_date,
            sender,
            mediator,
            intent.renderer,
            secrets,
            intent.request_digest,
            intent.message_id.0,
            self.intents,
        ])?;
        Ok(self.intents)
    }

    pub(super) fn over(&mut self, over: &AttemptOver, look_up: bool) -> Result<(), TrackError> {
        let flight = match self.flights.get(&over.ordinal) {
            Some(flight) if !flight.left && flight.attempt == i64::from(over.attempt) => *flight,
            _ => return Err(TrackError::NotWaiting { ordinal: over.ordinal }),
        };
        let mut all = || -> rusqlite::Result<()> {
            let (operator, ordinal) = (flight.operator, over.ordinal as i64);
            let not_before = over.not_before.map(|time| time.as_millisecond());
            if look_up {
                self.run_cached(
                    "INSERT INTO look_up(ordinal, paper, attempts, not_delivered, reason)
                     SELECT ordinal, paper, attempts, not_delivered + 1, 0 FROM queue WHERE operator = ?1 AND ordinal = ?2",
                    [operator, ordinal],
                )?;
                self.hot.land.execute([operator, ordinal])?;
                self.count(queue::LOOK_UP, -1, 0, 1);
            } else {
                self.run_cached(
                    "UPDATE queue SET intent = NULL, not_before = ?3 WHERE operator = ?1 AND ordinal = ?2",
                    params![operator, ordinal, not_before],
                )?;
                self.count(queue::QUEUED, operator, 0, 1);
            }
            self.count(queue::FLYING, operator, 0, -1);
            let context = context(&self.run_id, "detail", ordinal, over.attempt.into());
            let detail = self.installation.seal(over.cause.as_bytes(), &context);
            self.run_cached(
                "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent, fault_code, call_id, detail)
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    ordinal,
                    kind::OVER,
                    operator,
                    Timestamp::now().as_millisecond(),
                    over.attempt,
                    flight.intent,
                    over.fault_code,
                    over.call_id,
                    detail
                ],
            )?;
            self.flights.remove(&over.ordinal);
            Ok(())
        };
        all().map_err(|error| TrackError::storage("record an attempt", error))
    }

    pub(super) fn end(&mut self, end: &DigitalEnd) -> Result<(), TrackError> {
        let refused = Err(TrackError::NotWaiting { ordinal: end.ordinal });
        let failed = |error| TrackError::storage("record an outcome", error);
        let ordinal = end.ordinal as i64;
        let (paper, operator, intent) = match self.flights.get(&end.ordinal).copied() {
            Some(flight) if flight.attempt != i64::from(end.attempt) => return refused,
            Some(flight) => {
                let mut land = || -> rusqlite::Result<()> {
                    let place = [flight.operator, ordinal];
                    if let End::InDoubt(reason) = &end.end {
                        self.run_cached(
                            "INSERT INTO doubt(ordinal, intent, operator, address, looked_up, attempts, not_delivered,
                             paper, reason) SELECT ordinal, intent, operator, address, looked_up, attempts, not_delivered,
                             paper, ?3 FROM queue WHERE operator = ?1 AND ordinal = ?2",
                            params![flight.operator, ordinal, *reason as u8],
                        )?;
                    }
                    self.hot.land.execute(place)?;
                    self.count(queue::FLYING, flight.operator, 0, -1);
                    self.flights.remove(&end.ordinal);
                    Ok(())
                };
                land().map_err(failed)?;
                (flight.paper, flight.operator, Some(flight.intent))
            }
            // Nothing has left: it cannot be in doubt, nor delivered.
            None if matches!(end.end, End::InDoubt(_) | End::Delivered { .. }) => return refused,
            None => match self.take_waiting(end.ordinal).map_err(failed)? {
                Some(wait) => (wait.paper, -1, None),
                None => return refused,
            },
        };
        let mut record = || -> rusqlite::Result<()> {
            let (kind, reason, state, trans_id) = match &end.end {
                End::Delivered { trans_id } => {
                    (kind::DELIVERED, Reason::None, Digital::Delivered, Some(trans_id.as_str()))
                }
                End::Unreachable(reason) => (kind::UNREACHABLE, *reason, Digital::Unreachable(*reason), None),
                End::Failed(reason) => (kind::FAILED, *reason, Digital::Failed(*reason), None),
                End::InDoubt(reason) => (kind::IN_DOUBT, *reason, Digital::InDoubt(*reason), None),
                End::Held(reason) => (kind::HELD, *reason, Digital::Held(*reason), None),
            };
            let detail = end.detail.as_ref().map(|detail| {
                let context = context(&self.run_id, "detail", ordinal, end.attempt.into());
                self.installation.seal(detail.as_bytes(), &context)
            });
            let by = Some(operator).filter(|operator| *operator >= 0);
            self.hot.ended.execute(params![
                ordinal,
                kind,
                reason as u8,
                by,
                end.at.as_millisecond(),
                end.attempt,
                intent,
                trans_id,
                end.fault_code,
                end.call_id,
                detail
            ])?;
            let tempo = self.tempo.entry((end.at.as_second(), operator)).or_default();
            if kind == kind::DELIVERED {
                tempo.0 += 1
            } else {
                tempo.1 += 1
            }
            let place = if matches!(state, Digital::Unreachable(_)) { -1 } else { operator };
            self.digital_moves(end.ordinal, paper, (Digital::Waiting, -1), (state, place))
        };
        record().map_err(failed)
    }

    pub(super) fn settle(&mut self, ordinal: u64, settlement: Settlement) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("settle a statement", error);
        let Some((flight, reason)) = self.doubt(ordinal as i64).map_err(failed)? else {
            return Err(TrackError::NotWaiting { ordinal });
        };
        let now = Timestamp::now();
        let mut all = || -> rusqlite::Result<()> {
            let (log, to) = match settlement {
                Settlement::Delivered => (kind::DELIVERED, (Digital::Delivered, flight.operator)),
                // The operator's word: surely not accepted.
                Settlement::NotDelivered => (kind::OVER, (Digital::Waiting, -1)),
                Settlement::Resend => (kind::AGAIN, (Digital::Waiting, -1)),
            };
            if settlement == Settlement::NotDelivered {
                self.run_cached(
                    "INSERT INTO look_up(ordinal, paper, attempts, not_delivered, reason)
                     SELECT ordinal, paper, attempts, not_delivered, 0 FROM doubt WHERE ordinal = ?1",
                    [ordinal as i64],
                )?;
                self.count(queue::LOOK_UP, -1, 0, 1);
            }
            if settlement == Settlement::Resend {
                // As if the process had ended under way: what is sent next must be the same request.
                self.run_cached(
                    "INSERT INTO queue(operator, ordinal, address, looked_up, attempts, not_delivered, paper, intent)
                     SELECT operator, ordinal, address, looked_up, attempts, not_delivered, paper, intent
                     FROM doubt WHERE ordinal = ?1",
                    [ordinal as i64],
                )?;
                self.run_cached("INSERT OR IGNORE INTO resend(ordinal) VALUES (?1)", [ordinal as i64])?;
                self.count(queue::FLYING, flight.operator, 0, 1);
                self.flights.insert(ordinal, Flight { left: true, ..flight });
            } else {
                self.run_cached("DELETE FROM resend WHERE ordinal = ?1", [ordinal as i64])?;
            }
            if settlement != Settlement::Delivered && self.phase == Phase::Finished {
                self.put_meta("phase", &Phase::Released.as_str())?;
                self.phase = Phase::Released;
            }
            self.run_cached("DELETE FROM doubt WHERE ordinal = ?1", [ordinal as i64])?;
            self.run_cached(
                "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    ordinal as i64,
                    log,
                    if log == kind::DELIVERED { Reason::None } else { reason } as u8,
                    flight.operator,
                    now.as_millisecond(),
                    flight.attempt,
                    flight.intent
                ],
            )?;
            self.digital_moves(ordinal, flight.paper, (Digital::InDoubt(reason), flight.operator), to)
        };
        all().map_err(failed)
    }

    pub(super) fn word(&mut self, value: &[u8]) -> rusqlite::Result<i64> {
        if let Some(number) = self.words.get(value) {
            return Ok(*number);
        }
        self.run_cached("INSERT INTO word(value) VALUES (?1)", [Value::Blob(value.to_vec())])?;
        let number = self.conn.last_insert_rowid();
        self.words.insert(value.to_vec(), number);
        Ok(number)
    }
}
