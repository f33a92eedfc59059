//! Delivery windows: days of the week and hours in Europe/Stockholm during which something may leave.
//!
//! In: the settings' texts, `"mon-fri 18:00-06:00"`. Out: whether a moment lies inside, and when that changes. Pure: the
//! caller says what time it is.
//!
//! **Days** are `mon` to `sun`, in lists and ranges (`mon,wed`, `sat-mon`); a window belongs to the days on which it
//! opens, so `fri 18:00-06:00` ends on Saturday morning. **Hours** are wall time; an end at or before the start is on
//! the next day, and `24:00` is the end of the day.
//!
//! **Nights when the clocks change.** A window's edge is the first moment at which the clock shows its time or a later
//! one. In the autumn, when 02:30 comes twice, the first one counts: what closes at 02:30 closes at the first and stays
//! closed, what opens at 02:30 opens at the first and stays open. In the spring, when 02:30 never comes, an edge
//! there is at 03:00, and a window that lies in the missing hour does not open that night.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Sets of opening hours; the default is always open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// Days and hours of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Bit 0 is Monday.
    days: u8,
    /// Minutes after midnight, below 1440.
    opens_min: i16,
    /// Minutes after the midnight of the same day; above 1440 on the next.
    closes_min: i16,
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Not days and hours.
    #[error("a window is days and hours, as \"mon-fri 18:00-06:00\" or \"sat,sun 00:00-24:00\", not {0:?}")]
    Shape(String),
    /// Not a day.
    #[error("a day is mon, tue, wed, thu, fri, sat or sun, not {0:?}")]
    Day(String),
    /// Not a time of day.
    #[error("a time of day is 00:00 to 23:59, or 24:00 as an end, not {0:?}")]
    Hour(String),
    /// It would never be open.
    #[error("the window {0:?} opens and closes at the same time; the whole day is 00:00-24:00")]
    Empty(String),
    /// Nothing could ever leave.
    #[error("no window is given, so nothing could ever leave; leave the key out to be always open")]
    None,
}

const DAY_MIN: i16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// What opens or closes at all does so within these days: a week, and another where the clock change swallows a window.
const HORIZON_DAYS: i64 = 15;

/// The time zone of windows and of dates in messages, from the database that the program carries.
pub fn stockholm() -> TimeZone {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::get("Europe/Stockholm").unwrap_or(TimeZone::UTC));
    ZONE.clone()
}

impl Windows {
    /// Reads the settings' list. *Errors*: what is wrong with the first text that is no window; an empty list.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, WindowError> {
        if texts.is_empty() {
            return Err(WindowError::None);
        }
        texts.iter().map(|text| text.as_ref().parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are no windows, so that everything may leave at any time.
    pub const fn always(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something may leave at this moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.always() || self.around(at).any(|(opens, closes)| opens <= at && at < closes)
    }

    /// The first moment, from this one on, at which something may leave: this one if it may; `None` where the calendar
    /// ends.
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_open(at) {
            return Some(at);
        }
        let today = date(at);
        let days = (0..=HORIZON_DAYS).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        days.flat_map(|day| self.of(day)).filter(|(opens, _)| *opens > at).map(|(opens, _)| opens).min()
    }

    /// The first moment, from this one on, at which nothing may leave: this one if nothing may; `None`: never.
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        if self.always() {
            return None;
        }
        let horizon = at.checked_add(Span::new().hours(HORIZON_DAYS * 24)).ok()?;
        let mut end = at;
        while end < horizon {
            // Windows that touch or overlap are one opening.
            match self.around(end).filter(|(opens, closes)| *opens <= end && end < *closes).map(|of| of.1).max() {
                Some(later) => end = later,
                None => return Some(end),
            }
        }
        None
    }

    /// The moment by which there have been this many seconds of openings since `at`: when work that takes them is done.
    /// `None` where the calendar ends.
    pub fn after_open(&self, at: Timestamp, seconds: f64) -> Option<Timestamp> {
        let mut left = SignedDuration::try_from_secs_f64(seconds.max(0.0)).ok()?;
        let mut now = at;
        loop {
            now = self.next_open(now)?;
            let Some(closes) = self.closes(now) else { return now.checked_add(left).ok() };
            let open = closes.duration_since(now);
            if left <= open {
                return now.checked_add(left).ok();
            }
            left -= open;
            now = closes;
        }
    }

    /// Openings that may hold this moment: those of its day and of the day before.
    fn around(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let today = date(at);
        [today.yesterday().ok(), Some(today)].into_iter().flatten().flat_map(|day| self.of(day))
    }

    /// Openings that begin on a day; those that the clock change swallows are not among them.
    fn of(&self, day: Date) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let bit = 1 << day.weekday().to_monday_zero_offset();
        let opening = move |window: &Window| Some((moment(day, window.opens_min)?, moment(day, window.closes_min)?));
        self.0
            .iter()
            .filter(move |window| window.days & bit != 0)
            .filter_map(opening)
            .filter(|(opens, closes)| opens < closes)
    }
}

fn date(at: Timestamp) -> Date {
    stockholm().to_datetime(at).date()
}

/// The first moment at which clocks show this many minutes after the midnight of a day, or a later time.
fn moment(day: Date, minutes: i16) -> Option<Timestamp> {
    let day = if minutes < DAY_MIN { day } else { day.tomorrow().ok()? };
    let minutes = minutes % DAY_MIN;
    let time = Time::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).ok()?;
    let zone = stockholm();
    let shown = zone.to_ambiguous_timestamp(day.to_datetime(time));
    let gap = matches!(shown.offset(), AmbiguousOffset::Gap { .. });
    let first = shown.earlier().ok()?;
    if gap {
        // In a gap the earlier reading lies before the change, and the change is the first moment that shows more.
        return zone.following(first).next().map(|change| change.timestamp());
    }
    Some(first)
}

impl FromStr for Windows {
    type Err = WindowError;

    /// Reads what is written by [`fmt::Display`].
    fn from_str(text: &str) -> Result<Self, WindowError> {
        match text {
            "always" => Ok(Self::default()),
            text => Self::parse(&text.split("; ").collect::<Vec<_>>()),
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let shape = || WindowError::Shape(text.to_owned());
        let mut words = text.split_ascii_whitespace();
        let (Some(days), Some(hours), None) = (words.next(), words.next(), words.next()) else { return Err(shape()) };
        let (opens, closes) = hours.split_once('-').ok_or_else(shape)?;
        let (opens_min, closes_min) = (minutes(opens)?, minutes(closes)?);
        if opens_min == DAY_MIN {
            return Err(WindowError::Hour(opens.to_owned()));
        }
        if opens_min == closes_min {
            return Err(WindowError::Empty(text.to_owned()));
        }
        let closes_min = if closes_min < opens_min { closes_min + DAY_MIN } else { closes_min };
        Ok(Self { days: days_set(days)?, opens_min, closes_min })
    }
}

fn days_set(text: &str) -> Result<u8, WindowError> {
    let number = |day: &str| {
        DAYS.iter().position(|name| name.eq_ignore_ascii_case(day)).ok_or_else(|| WindowError::Day(day.to_owned()))
    };
    let mut set = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        // A range may go over the end of the week: sat-mon.
        let length = (last + 7 - first) % 7;
        (0..=length).for_each(|ahead| set |= 1 << ((first + ahead) % 7));
    }
    Ok(set)
}

fn minutes(text: &str) -> Result<i16, WindowError> {
    let wrong = || WindowError::Hour(text.to_owned());
    let two = |digits: &str| match digits.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(i16::from(tens - b'0') * 10 + i16::from(ones - b'0')),
        _ => Err(wrong()),
    };
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    match (two(hour)?, two(minute)?) {
        (hour @ 0..24, minute @ 0..60) => Ok(hour * 60 + minute),
        (24, 0) => Ok(DAY_MIN),
        _ => Err(wrong()),
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.always() {
            return f.write_str("always");
        }
        self.0.iter().enumerate().try_for_each(|(place, window)| {
            if place > 0 {
                f.write_str("; ")?;
            }
            window.fmt(f)
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = DAYS.iter().enumerate().filter(|(day, _)| self.days & 1 << day != 0).map(|(_, name)| *name);
        let closes_min = if self.closes_min > DAY_MIN { self.closes_min - DAY_MIN } else { self.closes_min };
        let (opens, closes) = (self.opens_min, closes_min);
        f.write_str(&days.collect::<Vec<_>>().join(","))?;
        write!(f, " {:02}:{:02}-{:02}:{:02}", opens / 60, opens % 60, closes / 60, closes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(texts: &[&str]) -> Windows {
        Windows::parse(texts).unwrap()
    }

    /// `2027-03-28T01:59+01`.
    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn texts_are_read_and_written() {
        for (text, written) in [
            ("mon-fri 18:00-06:00", "mon,tue,wed,thu,fri 18:00-06:00"),
            ("sat,sun 00:00-24:00", "sat,sun 00:00-24:00"),
            ("sat-mon 22:15-00:00", "mon,sat,sun 22:15-24:00"),
            ("  Wed   07:30-08:00 ", "wed 07:30-08:00"),
            ("sun-sat 00:00-24:00", "mon,tue,wed,thu,fri,sat,sun 00:00-24:00"),
        ] {
            assert_eq!(windows(&[text]).to_string(), written);
            assert_eq!(windows(&[written]), windows(&[text]));
        }
        assert_eq!(Windows::default().to_string(), "always");
        assert_eq!("always".parse(), Ok(Windows::default()));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        use WindowError::{Day, Empty, Hour, Shape};
        let owned = str::to_owned;
        for (text, error) in [
            ("", Shape(owned(""))),
            ("18:00-06:00", Shape(owned("18:00-06:00"))),
            ("mon 18:00", Shape(owned("mon 18:00"))),
            ("mon 18:00-06:00 tue", Shape(owned("mon 18:00-06:00 tue"))),
            ("mån 18:00-06:00", Day(owned("mån"))),
            ("mon, 18:00-06:00", Day(String::new())),
            ("mon 18:00-6:00", Hour(owned("6:00"))),
            ("mon 18:60-06:00", Hour(owned("18:60"))),
            ("mon 24:00-06:00", Hour(owned("24:00"))),
            ("mon 12:00-24:01", Hour(owned("24:01"))),
            ("mon 12:00-12:00", Empty(owned("mon 12:00-12:00"))),
        ] {
            assert_eq!(Windows::parse(&[text]), Err(error));
        }
        assert_eq!(Windows::parse::<&str>(&[]), Err(WindowError::None));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opens_on() {
        let friday = windows(&["fri 18:00-06:00"]);
        assert!(!friday.is_open(at("2027-01-15T17:59:59+01")), "2027-01-15 is a Friday");
        assert!(friday.is_open(at("2027-01-15T18:00+01")));
        assert!(friday.is_open(at("2027-01-16T05:59:59+01")));
        assert!(!friday.is_open(at("2027-01-16T06:00+01")));
        assert!(!friday.is_open(at("2027-01-15T03:00+01")), "Thursday's night");
        assert_eq!(friday.next_open(at("2027-01-16T06:00+01")), Some(at("2027-01-22T18:00+01")));
        assert_eq!(friday.closes(at("2027-01-15T20:00+01")), Some(at("2027-01-16T06:00+01")));
    }

    #[test]
    fn in_the_autumn_the_first_of_the_two_hours_counts() {
        // 2027-10-31: 03:00+02 is 02:00+01.
        let until = windows(&["sun 01:00-02:30"]);
        assert!(until.is_open(at("2027-10-31T02:29:59+02")));
        assert!(!until.is_open(at("2027-10-31T02:30+02")));
        assert!(!until.is_open(at("2027-10-31T02:15+01")), "closed stays closed");
        let from = windows(&["sun 02:30-04:00"]);
        assert!(!from.is_open(at("2027-10-31T02:29:59+02")));
        assert!(from.is_open(at("2027-10-31T02:30+02")));
        assert!(from.is_open(at("2027-10-31T02:00+01")), "open stays open");
        assert_eq!(from.closes(at("2027-10-31T02:45+02")), Some(at("2027-10-31T04:00+01")));
        let night = windows(&["sat 18:00-06:00"]);
        assert_eq!(night.closes(at("2027-10-30T18:00+02")), Some(at("2027-10-31T06:00+01")));
    }

    #[test]
    fn in_the_spring_an_edge_in_the_missing_hour_is_at_its_end() {
        // 2027-03-28: 02:00+01 is 03:00+02.
        let until = windows(&["sun 01:00-02:30"]);
        assert_eq!(until.closes(at("2027-03-28T01:10+01")), Some(at("2027-03-28T03:00+02")));
        let from = windows(&["sun 02:30-04:00"]);
        assert_eq!(from.next_open(at("2027-03-28T01:10+01")), Some(at("2027-03-28T03:00+02")));
        let within = windows(&["sun 02:15-02:45"]);
        assert_eq!(within.next_open(at("2027-03-28T01:10+01")), Some(at("2027-04-04T02:15+02")), "a week later");
    }

    #[test]
    fn the_whole_week_never_closes() {
        for texts in [&["mon-sun 00:00-24:00"][..], &["mon-sun 12:00-00:00", "mon-sun 00:00-12:00"]] {
            let whole = windows(texts);
            for moment in ["2027-01-15T17:59+01", "2027-03-28T01:59+01", "2027-10-31T02:30+02"] {
                assert!(whole.is_open(at(moment)));
                assert_eq!(whole.closes(at(moment)), None);
            }
        }
        assert_eq!(Windows::default().closes(at("2027-01-15T17:59+01")), None);
        assert_eq!(Windows::default().next_open(at("2027-01-15T17:59+01")), Some(at("2027-01-15T17:59+01")));
    }

    fn any_windows() -> impl Strategy<Value = Windows> {
        let window = (1u8..128, 0..DAY_MIN / 5, 1..=DAY_MIN / 5).prop_map(|(days, opens, length)| Window {
            days,
            opens_min: opens * 5,
            // Less than a day when it goes over midnight, as in the settings.
            closes_min: (opens + length.min(DAY_MIN / 5 - i16::from(opens > 0))) * 5,
        });
        proptest::collection::vec(window, 1..4).prop_map(Windows)
    }

    /// Near either change of the clocks of a year, or anywhere.
    fn any_moment() -> impl Strategy<Value = Timestamp> {
        let spring = at("2027-03-28T01:00Z").as_second();
        let autumn = at("2027-10-31T01:00Z").as_second();
        let somewhere = at("2026-11-25T00:00Z").as_second();
        prop_oneof![
            spring - 100_000..spring + 100_000,
            autumn - 100_000..autumn + 100_000,
            somewhere..somewhere + 400 * 86_400
        ]
        .prop_map(|second| Timestamp::from_second(second).unwrap())
    }

    /// The meaning, word for word: the clock's walk through a window's times, once a day and never backwards.
    fn shows(windows: &Windows, moment: Timestamp) -> bool {
        let zone = stockholm();
        // The latest time that the clock of that moment's day has shown so far.
        let local = zone.to_datetime(moment);
        let highest = (0..=120)
            .filter_map(|back| moment.checked_sub(Span::new().minutes(back)).ok())
            .map(|before| zone.to_datetime(before))
            .max()
            .unwrap_or(local)
            .max(local);
        let day = highest.date();
        let minute = i16::from(highest.hour()) * 60 + i16::from(highest.minute());
        windows.0.iter().any(|window| {
            let on = |day: Date| window.days & 1 << day.weekday().to_monday_zero_offset() != 0;
            on(day) && (window.opens_min..window.closes_min).contains(&minute)
                || on(day.yesterday().unwrap()) && (window.opens_min..window.closes_min).contains(&(minute + DAY_MIN))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Open is what the clock says, on every night of the year.
        #[test]
        fn open_is_what_the_clock_says(windows in any_windows(), moment in any_moment()) {
            prop_assert_eq!(windows.is_open(moment), shows(&windows, moment), "{} at {}", windows, moment);
        }

        /// Between a moment and `next_open` all is closed, between it and `closes` all is open, and at them it changes.
        #[test]
        fn edges_are_where_it_changes(windows in any_windows(), moment in any_moment()) {
            let between = |from: Timestamp, to: Timestamp| {
                (from.as_second()..to.as_second()).step_by(300).filter_map(|at| Timestamp::from_second(at).ok())
            };
            let opens = windows.next_open(moment).unwrap();
            prop_assert!(opens >= moment && windows.is_open(opens));
            prop_assert!(between(moment, opens).all(|at| !windows.is_open(at)));
            match windows.closes(opens) {
                Some(closes) => {
                    prop_assert!(closes > opens && !windows.is_open(closes));
                    prop_assert!(between(opens, closes).all(|at| windows.is_open(at)));
                    prop_assert_eq!(windows.closes(closes), Some(closes));
                }
                None => {
                    let week = opens.checked_add(Span::new().hours(8 * 24)).unwrap();
                    prop_assert!(between(opens, week).all(|at| windows.is_open(at)));
                }
            }
        }

        /// Work is done after as much opening as it takes, counted minute by minute.
        #[test]
        fn work_takes_its_time_of_openings(windows in any_windows(), moment in any_moment(), minutes in 0i64..3000) {
            let moment = Timestamp::from_second(moment.as_second() / 60 * 60).unwrap();
            let done = windows.after_open(moment, minutes as f64 * 60.0).unwrap();
            let open = (moment.as_second()..done.as_second())
                .step_by(60)
                .filter(|at| windows.is_open(Timestamp::from_second(*at).unwrap()));
            prop_assert_eq!(open.count() as i64, minutes);
        }

        /// What is written is read as the same.
        #[test]
        fn written_windows_are_read_again(windows in any_windows()) {
            prop_assert_eq!(windows.to_string().parse::<Windows>().unwrap(), windows);
        }
    }
}
