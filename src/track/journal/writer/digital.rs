//! Digital halves, from look-up to outcome.

use super::super::codes::reason_of;
use super::super::ends::{Ended, More};
use super::super::intents::Intended;
use super::super::pages;
use super::super::places::{At, Place};
use super::super::routes::Route;
use super::super::schema::{kind, queue};
use super::super::sealed::context;
use super::super::statements;
use super::super::{AttemptOver, DigitalEnd, End, Found, Intent, Phase, RouteRow, Settlement};
use super::{Flight, LastManner, Manner, Writer};
use crate::domain::Reason;
use crate::track::TrackError;
use crate::track::halves::Digital;
use crate::track::summed;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use std::borrow::Cow;
use std::collections::HashMap;

/// What is known of the earlier attempts of a statement that waits.
#[derive(Clone, Copy, Default)]
struct Tried {
    attempts: i64,
    not_before: Option<i64>,
    not_delivered: i64,
}

impl Writer<'_> {
    /// The words of the addresses that these name, in their order; 0 where a row names none.
    pub(super) fn addresses(&mut self, rows: &[RouteRow]) -> rusqlite::Result<Vec<i64>> {
        // One answer names few: mostly one of the last.
        let mut known: Vec<(&str, i64)> = Vec::new();
        let mut words = Vec::with_capacity(rows.len());
        for row in rows {
            words.push(match &row.found {
                Found::Unreachable(_) => 0,
                Found::Mailbox { address, .. } => match known.iter().rev().take(8).find(|of| of.0 == address) {
                    Some((_, word)) => *word,
                    None => {
                        let word = self.word(address.as_bytes())?;
                        known.push((address, word));
                        word
                    }
                },
            });
        }
        Ok(words)
    }

    /// Where these go, by the words of their addresses.
    pub(super) fn route(&mut self, rows: &[RouteRow], addresses: &[i64]) -> Result<(), TrackError> {
        // One answer gives many statements the same route.
        let mut numbers = HashMap::new();
        rows.iter().zip(addresses).try_for_each(|(row, address)| {
            self.route_row(row, *address, &mut numbers)
                .map_err(|error| TrackError::storage("record a look-up", error))?
                .ok_or(TrackError::NotWaiting { ordinal: row.ordinal })
        })
    }

    fn route_row(
        &mut self,
        row: &RouteRow,
        address: i64,
        numbers: &mut HashMap<Route, u32>,
    ) -> rusqlite::Result<Option<()>> {
        let Some(place) = self.leave(row.ordinal) else { return Ok(None) };
        match &row.found {
            Found::Mailbox { operator, .. } => {
                let operator = i64::from(*operator);
                let route = Route { operator, address, looked_up: row.looked_up.as_millisecond() };
                let number = match numbers.get(&route) {
                    Some(number) => *number,
                    None => {
                        let number = self.routes.add(self.conn, route)?;
                        numbers.insert(route, number);
                        number
                    }
                };
                self.places.set(row.ordinal, place.moved(At::Operator(number)));
                self.count(queue::QUEUED, operator, 0, 1);
            }
            Found::Unreachable(reason) => {
                self.away(row.ordinal, place)?;
                self.note_end(Ended::new(row.ordinal, kind::UNREACHABLE, *reason, row.looked_up), More::default())?;
                self.tempo.entry((row.looked_up.as_second(), -1)).or_default().1 += 1;
                self.digital_moves(
                    row.ordinal,
                    place.wish(),
                    (Digital::Waiting, -1),
                    (Digital::Unreachable(*reason), -1),
                )?;
            }
        }
        Ok(Some(()))
    }

    fn operator_of(&self, route: u32) -> i64 {
        self.routes.get(route).map_or(-1, |route| route.operator)
    }

    /// Counts a statement out of the queue where its digital half waits; `None` where it does not wait.
    fn leave(&mut self, ordinal: u64) -> Option<Place> {
        let place = self.places.get(ordinal);
        match place.at() {
            At::LookUp(_) => self.count(queue::LOOK_UP, -1, 0, -1),
            At::Operator(route) => self.count(queue::QUEUED, self.operator_of(route), 0, -1),
            At::Nowhere | At::UnderWay(_) => return None,
        }
        Some(place)
    }

    /// A digital half waits no more.
    fn away(&mut self, ordinal: u64, place: Place) -> rusqlite::Result<()> {
        if place.tried() {
            self.run_cached("DELETE FROM tried WHERE ordinal = ?1", [ordinal as i64])?;
        }
        self.places.set(ordinal, Place::NOWHERE);
        Ok(())
    }

    fn tried(&self, ordinal: u64, place: Place) -> rusqlite::Result<Tried> {
        if !place.tried() {
            return Ok(Tried::default());
        }
        self.conn
            .prepare_cached("SELECT attempts, not_before, not_delivered FROM tried WHERE ordinal = ?1")?
            .query_row([ordinal as i64], |row| {
                Ok(Tried { attempts: row.get(0)?, not_before: row.get(1)?, not_delivered: row.get(2)? })
            })
    }

    /// Puts a statement where it waits with attempts behind it.
    fn wait_again(&mut self, ordinal: u64, at: At, wish: i64, tried: Tried) -> rusqlite::Result<()> {
        self.run_cached(
            "INSERT OR REPLACE INTO tried(ordinal, attempts, not_before, not_delivered) VALUES (?1, ?2, ?3, ?4)",
            params![ordinal as i64, tried.attempts, tried.not_before, tried.not_delivered],
        )?;
        self.places.set(ordinal, Place::new(at, wish, true));
        Ok(())
    }

    pub(super) fn intend(&mut self, intent: &Intent) -> Result<(), TrackError> {
        let refused = Err(TrackError::NotWaiting { ordinal: intent.ordinal });
        let failed = |error| TrackError::storage("record an intent", error);
        let (operator, attempt) = (i64::from(intent.operator), i64::from(intent.attempt));
        if self.fly(intent).map_err(failed)? {
            return Ok(());
        }
        // A flight that this process started waits for its answer: it may not start again beside it.
        let earlier = match self.flights.get(&intent.ordinal).copied() {
            Some(flight) if !flight.left || attempt <= flight.attempt => return refused,
            Some(flight) => Some((flight, Reason::None)),
            None => self.doubt(intent.ordinal as i64).map_err(failed)?,
        };
        let Some((flight, reason)) = earlier else { return refused };
        let same = self.same_request(&flight, intent).map_err(failed)?;
        if !same {
            return Err(TrackError::BytesDiffer { ordinal: intent.ordinal });
        }
        if attempt <= flight.attempt || operator != self.operator_of(flight.route) {
            return refused;
        }
        self.send_again(intent, flight, reason).map_err(failed)
    }

    /// A first request of a statement that waits at this operator. `false`, and nothing written, where it does not.
    fn fly(&mut self, intent: &Intent) -> rusqlite::Result<bool> {
        let place = self.places.get(intent.ordinal);
        let (operator, attempt) = (i64::from(intent.operator), i64::from(intent.attempt));
        let At::Operator(route) = place.at() else { return Ok(false) };
        if self.operator_of(route) != operator || attempt <= self.tried(intent.ordinal, place)?.attempts {
            return Ok(false);
        }
        let number = self.write_intent(intent)?;
        self.places.set(intent.ordinal, place.moved(At::UnderWay(route)));
        self.count(queue::QUEUED, operator, 0, -1);
        self.count(queue::FLYING, operator, 0, 1);
        let flight = Flight { route, attempt, intent: number, wish: place.wish(), left: false };
        self.flights.insert(intent.ordinal, flight);
        Ok(true)
    }

    /// The resend of a request that may have arrived.
    fn send_again(&mut self, intent: &Intent, before: Flight, reason: Reason) -> rusqlite::Result<()> {
        let operator = self.operator_of(before.route);
        let number = self.write_intent(intent)?;
        let why = if reason == Reason::None { Reason::Interrupted } else { reason };
        let again = Ended::new(intent.ordinal, kind::AGAIN, why, intent.at).by(operator, before.attempt);
        self.note_end(again, More::default())?;
        if !before.left {
            self.out_of_doubt(intent.ordinal, At::UnderWay(before.route), before.wish)?;
            self.count(queue::FLYING, operator, 0, 1);
            self.digital_moves(
                intent.ordinal,
                before.wish,
                (Digital::InDoubt(reason), operator),
                (Digital::Waiting, -1),
            )?;
        }
        self.run_cached("DELETE FROM resend WHERE ordinal = ?1", [intent.ordinal as i64])?;
        let flight = Flight { attempt: i64::from(intent.attempt), intent: number, left: false, ..before };
        self.flights.insert(intent.ordinal, flight);
        Ok(())
    }

    /// Puts a statement in doubt where it waits again.
    fn out_of_doubt(&mut self, ordinal: u64, at: At, wish: i64) -> rusqlite::Result<()> {
        let tried = self
            .conn
            .prepare_cached("SELECT attempts, not_delivered FROM doubt WHERE ordinal = ?1")?
            .query_row([ordinal as i64], |row| {
                Ok(Tried { attempts: row.get(0)?, not_before: None, not_delivered: row.get(1)? })
            })?;
        self.wait_again(ordinal, at, wish, tried)?;
        self.run_cached("DELETE FROM doubt WHERE ordinal = ?1", [ordinal as i64]).map(|_| ())
    }

    /// A statement that ended in doubt.
    pub(super) fn doubt(&self, ordinal: i64) -> rusqlite::Result<Option<(Flight, Reason)>> {
        let found = self
            .conn
            .prepare_cached("SELECT route, attempts, intent, paper, reason FROM doubt WHERE ordinal = ?1")?
            .query_row([ordinal], |row| {
                let flight = Flight {
                    route: row.get(0)?,
                    attempt: row.get(1)?,
                    intent: row.get(2)?,
                    wish: row.get(3)?,
                    left: false,
                };
                Ok((flight, reason_of(row.get(4)?)))
            })
            .optional()?;
        match found {
            Some((flight, _)) => {
                let intent = self.intents.get(self.conn, flight.intent)?;
                pages::intent_of(ordinal as u64, flight.intent, intent)?;
                Ok(found)
            }
            None => Ok(None),
        }
    }

    fn same_request(&self, flight: &Flight, intent: &Intent) -> rusqlite::Result<bool> {
        let before = self.intents.get(self.conn, flight.intent)?;
        Ok(before.is_some_and(|of| (of.request_digest, of.message_id) == (intent.request_digest, intent.message_id)))
    }

    fn write_intent(&mut self, intent: &Intent) -> rusqlite::Result<i64> {
        let manner = self.manner(intent)?;
        let number = self.intents.note(&Intended {
            ordinal: intent.ordinal,
            attempt: intent.attempt,
            manner,
            at: intent.at.as_millisecond(),
            request_digest: intent.request_digest,
            message_id: intent.message_id,
        });
        if let Some(secrets) = &intent.content_secrets {
            let context = context(&self.run_id, "secrets", intent.ordinal as i64, intent.attempt.into());
            let sealed = self.installation.seal(secrets, &context);
            self.run_cached("INSERT INTO secret(intent, sealed) VALUES (?1, ?2)", params![number, sealed])?;
        }
        Ok(number)
    }

    /// Number of what this intent has in common with others, most likely with the last one to its operator.
    fn manner(&mut self, intent: &Intent) -> rusqlite::Result<u32> {
        if let Some(Some((last, number))) = self.last_manners.get(usize::from(intent.operator))
            && last.is_of(intent)
        {
            return Ok(*number);
        }
        let manner: Manner = [
            intent.operator.into(),
            self.word(intent.address.as_bytes())?,
            self.word(intent.seal_date.as_bytes())?,
            self.word(&intent.sender_cert)?,
            self.word(&intent.mediator_cert)?,
            intent.renderer.into(),
        ];
        let number = match self.manners.get(&manner) {
            Some(number) => *number,
            None => {
                let number = self.manners.len() as i64 + 1;
                let [operator, address, seal_date, sender_cert, mediator_cert, renderer] = manner;
                let sum = summed::of(&[number, operator, address, seal_date, sender_cert, mediator_cert, renderer]);
                self.run_cached(
                    "INSERT INTO manner(number, operator, address, seal_date, sender_cert, mediator_cert, renderer, sum)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    [number, operator, address, seal_date, sender_cert, mediator_cert, renderer, sum],
                )?;
                u32::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, number))?
            }
        };
        self.manners.insert(manner, number);
        let place = usize::from(intent.operator);
        if self.last_manners.len() <= place {
            self.last_manners.resize_with(place + 1, Default::default);
        }
        if let Some(last) = self.last_manners.get_mut(place) {
            *last = Some((LastManner::of(intent), number));
        }
        Ok(number)
    }

    pub(super) fn over(&mut self, over: &AttemptOver, look_up: bool) -> Result<(), TrackError> {
        let flight = match self.flights.get(&over.ordinal) {
            Some(flight) if !flight.left && flight.attempt == i64::from(over.attempt) => *flight,
            _ => return Err(TrackError::NotWaiting { ordinal: over.ordinal }),
        };
        let mut all = || -> rusqlite::Result<()> {
            let (operator, ordinal) = (self.operator_of(flight.route), over.ordinal as i64);
            let before = self.tried(over.ordinal, self.places.get(over.ordinal))?;
            let tried = Tried {
                attempts: flight.attempt,
                not_before: over.not_before.filter(|_| !look_up).map(|time| time.as_millisecond()),
                not_delivered: before.not_delivered + i64::from(look_up),
            };
            if look_up {
                self.wait_again(over.ordinal, At::LookUp(Reason::None), flight.wish, tried)?;
                self.count(queue::LOOK_UP, -1, 0, 1);
            } else {
                self.wait_again(over.ordinal, At::Operator(flight.route), flight.wish, tried)?;
                self.count(queue::QUEUED, operator, 0, 1);
            }
            self.count(queue::FLYING, operator, 0, -1);
            let context = context(&self.run_id, "detail", ordinal, over.attempt.into());
            let detail = self.installation.seal(over.cause.as_bytes(), &context);
            let ended =
                Ended::new(over.ordinal, kind::OVER, Reason::None, Timestamp::now()).by(operator, flight.attempt);
            let (fault_code, call_id) = (over.fault_code, over.call_id.as_deref().map(Cow::Borrowed));
            self.note_end(ended, More { trans_id: None, fault_code, call_id, detail: Some(detail) })?;
            self.flights.remove(&over.ordinal);
            Ok(())
        };
        all().map_err(|error| TrackError::storage("record an attempt", error))
    }

    pub(super) fn end(&mut self, end: &DigitalEnd) -> Result<(), TrackError> {
        let refused = Err(TrackError::NotWaiting { ordinal: end.ordinal });
        let failed = |error| TrackError::storage("record an outcome", error);
        let ordinal = end.ordinal as i64;
        let (place, operator) = match self.flights.get(&end.ordinal).copied() {
            Some(flight) if flight.attempt != i64::from(end.attempt) => return refused,
            Some(flight) => {
                if let End::InDoubt(reason) = &end.end {
                    self.note_doubt(end.ordinal, &flight, *reason).map_err(failed)?;
                }
                let operator = self.operator_of(flight.route);
                self.count(queue::FLYING, operator, 0, -1);
                self.flights.remove(&end.ordinal);
                (self.places.get(end.ordinal), operator)
            }
            // Nothing has left: it cannot be in doubt, nor delivered.
            None if matches!(end.end, End::InDoubt(_) | End::Delivered { .. }) => return refused,
            None => match self.leave(end.ordinal) {
                Some(place) => (place, -1),
                None => return refused,
            },
        };
        self.away(end.ordinal, place).map_err(failed)?;
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
            let ended = Ended::new(end.ordinal, kind, reason, end.at).by(operator, end.attempt.into());
            let (trans_id, call_id) = (trans_id.map(Cow::Borrowed), end.call_id.as_deref().map(Cow::Borrowed));
            self.note_end(ended, More { trans_id, fault_code: end.fault_code, call_id, detail })?;
            let tempo = self.tempo.entry((end.at.as_second(), operator)).or_default();
            if kind == kind::DELIVERED {
                tempo.0 += 1
            } else {
                tempo.1 += 1
            }
            if state == Digital::Held(Reason::Protected)
                && let Some(person) = statements::of(self.conn, end.ordinal)?.person
            {
                self.run_cached("INSERT OR IGNORE INTO protected(person) VALUES (?1)", [person.0])?;
            }
            let at = if matches!(state, Digital::Unreachable(_)) { -1 } else { operator };
            self.digital_moves(end.ordinal, place.wish(), (Digital::Waiting, -1), (state, at))
        };
        record().map_err(failed)
    }

    fn note_doubt(&self, ordinal: u64, flight: &Flight, reason: Reason) -> rusqlite::Result<()> {
        let tried = self.tried(ordinal, self.places.get(ordinal))?;
        self.run_cached(
            "INSERT INTO doubt(ordinal, intent, route, attempts, not_delivered, paper, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                ordinal as i64,
                flight.intent,
                flight.route,
                flight.attempt,
                tried.not_delivered,
                flight.wish,
                reason as u8
            ],
        )
        .map(|_| ())
    }

    pub(super) fn settle(&mut self, ordinal: u64, settlement: Settlement) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("settle a statement", error);
        let Some((flight, reason)) = self.doubt(ordinal as i64).map_err(failed)? else {
            return Err(TrackError::NotWaiting { ordinal });
        };
        let now = Timestamp::now();
        let mut all = || -> rusqlite::Result<()> {
            let operator = self.operator_of(flight.route);
            let (log, to) = match settlement {
                Settlement::Delivered => (kind::DELIVERED, (Digital::Delivered, operator)),
                // The operator's word: surely not accepted.
                Settlement::NotDelivered => (kind::OVER, (Digital::Waiting, -1)),
                Settlement::Resend => (kind::ORDERED, (Digital::Waiting, -1)),
            };
            self.run_cached("DELETE FROM resend WHERE ordinal = ?1", [ordinal as i64])?;
            match settlement {
                Settlement::Delivered => {
                    self.run_cached("DELETE FROM doubt WHERE ordinal = ?1", [ordinal as i64])?;
                }
                Settlement::NotDelivered => {
                    self.out_of_doubt(ordinal, At::LookUp(Reason::None), flight.wish)?;
                    self.count(queue::LOOK_UP, -1, 0, 1);
                }
                // As if the process had ended under way: what is sent next must be the same request.
                Settlement::Resend => {
                    self.out_of_doubt(ordinal, At::UnderWay(flight.route), flight.wish)?;
                    self.run_cached(
                        "INSERT INTO resend(ordinal, reason) VALUES (?1, ?2)",
                        params![ordinal as i64, reason as u8],
                    )?;
                    self.count(queue::FLYING, operator, 0, 1);
                    self.flights.insert(ordinal, Flight { left: true, ..flight });
                }
            }
            let why = if log == kind::DELIVERED { Reason::None } else { reason };
            self.note_end(Ended::new(ordinal, log, why, now).by(operator, flight.attempt), More::default())?;
            self.digital_moves(ordinal, flight.wish, (Digital::InDoubt(reason), operator), to)?;
            // Now it waits again, or its paper half does.
            if self.phase == Phase::Finished && self.waits()? {
                self.put_meta("phase", &Phase::Released.as_str())?;
                self.phase = Phase::Released;
            }
            Ok(())
        };
        all().map_err(failed)
    }

    pub(super) fn word(&mut self, value: &[u8]) -> rusqlite::Result<i64> {
        if let Some(number) = self.words.get(value) {
            return Ok(*number);
        }
        let number = self.words.len() as i64 + 1;
        let mut row = value.to_vec();
        summed::add(number, &mut row);
        self.run_cached("INSERT INTO word(number, value) VALUES (?1, ?2)", params![number, row])?;
        self.words.insert(value.to_vec(), number);
        Ok(number)
    }
}
