//! Where FaR has said that statements go: a row for all that one answer sends to one address, only ever added to.

use crate::track::summed;
use rusqlite::{Connection, params};

/// The most routes that a place can tell apart.
const MOST: usize = super::places::ROUTES as usize;

/// Where FaR has said that statements go, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub operator: i64,
    /// Number of the word.
    pub address: i64,
    /// Milliseconds since 1970.
    pub looked_up: i64,
}

/// The routes of a journal, by number, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Route>);

impl Routes {
    /// Reads on.
    pub(super) fn read(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut select = conn.prepare_cached(
            "SELECT number, operator, address, looked_up, sum FROM route WHERE number >= ?1 ORDER BY number",
        )?;
        let mut rows = select.query([self.0.len() as i64])?;
        while let Some(row) = rows.next()? {
            let [number, operator, address, looked_up] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            summed::check(&[number, operator, address, looked_up], row.get(4)?)?;
            if number != self.0.len() as i64 {
                return Err(summed::damaged(format!("route {} is missing", self.0.len())));
            }
            self.0.push(Route { operator, address, looked_up });
        }
        Ok(())
    }

    /// Writes a new one; its number.
    pub(super) fn add(&mut self, conn: &Connection, route: Route) -> rusqlite::Result<u32> {
        let number = self.0.len();
        if number > MOST {
            return Err(rusqlite::Error::IntegralValueOutOfRange(0, number as i64));
        }
        conn.prepare_cached(
            "INSERT INTO route(number, operator, address, looked_up, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            number as i64,
            route.operator,
            route.address,
            route.looked_up,
            summed::of(&[number as i64, route.operator, route.address, route.looked_up])
        ])?;
        self.0.push(route);
        Ok(number as u32)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Route> {
        self.0.get(number as usize)
    }

    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    /// Forgets those from this number on, which the database has taken back.
    pub(super) fn take_back(&mut self, count: usize) {
        self.0.truncate(count);
    }
}
