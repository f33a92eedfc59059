//! The prepared fonts: which characters they have, under which codes, how wide.
//!
//! Three subsets of one font: the characters of letters and of Swedish names, all of WinAnsiEncoding, and Latin Extended-A
//! with what stands beside it. A letter embeds the first that has all its characters.

use super::layout::Face;
use skrifa::raw::ps::agl::name_to_char;
use skrifa::raw::ps::cff::CffFontRef;
use skrifa::raw::ps::cs::CommandSink;
use skrifa::raw::types::Fixed;

/// Fonts as they are embedded, smallest first; `font/README.md` says how they were made.
pub(super) static FILES: [&[u8]; 3] =
    [include_bytes!("font/base.cff"), include_bytes!("font/winansi.cff"), include_bytes!("font/full.cff")];

/// Some of [`FILES`], by place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fonts(u8);

impl Fonts {
    /// All of them.
    pub(super) const ALL: Self = Self((1 << FILES.len()) - 1);

    /// Those that are in both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether this one is among them.
    pub(super) fn has(self, font: usize) -> bool {
        self.0 >> font & 1 == 1
    }

    /// The smallest.
    pub(super) fn first(self) -> Option<usize> {
        (self.0 != 0).then_some(self.0.trailing_zeros() as usize)
    }
}

/// A character of the prepared fonts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Glyph {
    /// Which of [`FILES`] have it.
    pub fonts: Fonts,
    /// Its code: in WinAnsiEncoding, else in the encoding of the file itself.
    pub code: u8,
    /// Whether WinAnsiEncoding has it.
    pub win_ansi: bool,
    /// Advance in thousandths of the size.
    pub advance: u16,
}

/// Every character of the prepared fonts.
pub(super) struct Prepared {
    /// By character, for Latin.
    low: Vec<Option<Glyph>>,
    /// The others, ascending.
    high: Vec<(char, Glyph)>,
}

/// Characters below this are looked up by place.
const LOW: u32 = 0x250;

impl Prepared {
    /// Reads the committed fonts. *Cost*: about a millisecond, once.
    pub(super) fn new() -> Self {
        let mut prepared = Self { low: vec![None; LOW as usize], high: Vec::new() };
        for (place, file) in FILES.iter().enumerate() {
            prepared.read(place, file).unwrap_or_default();
        }
        prepared.high.sort_unstable_by_key(|(c, _)| *c);
        prepared
    }

    /// Takes in what a file has; `None` where it is no font.
    fn read(&mut self, place: usize, file: &[u8]) -> Option<()> {
        let font = CffFontRef::new_cff(file, 0, None).ok()?;
        let subfont = font.subfont(0, &[]).ok()?;
        let encoding = font.encoding()?;
        for (id, name) in font.charset()?.iter().skip(1) {
            let c = name_to_char(std::str::from_utf8(font.string(name)?).ok()?)?;
            let own = || (0x80..=u8::MAX).find(|code| encoding.map(*code) == Some(id));
            let glyph = Glyph {
                fonts: Fonts(1 << place),
                win_ansi: win_ansi(c).is_some(),
                code: win_ansi(c).or_else(own)?,
                advance: font.evaluate_charstring(&subfont, id, &[], &mut Unseen).ok()??.to_i32() as u16,
            };
            self.add(c, glyph);
            if c == ' ' {
                // WinAnsiEncoding draws the no-break space as a space.
                self.add('\u{a0}', Glyph { code: 0xa0, ..glyph });
            }
        }
        Some(())
    }

    fn add(&mut self, c: char, glyph: Glyph) {
        let known = match self.low.get_mut(c as usize) {
            Some(known) => known.get_or_insert(glyph),
            None => {
                let at = self.high.iter().position(|(known, _)| *known == c).unwrap_or(self.high.len());
                if at == self.high.len() {
                    self.high.push((c, glyph));
                }
                let Some((_, known)) = self.high.get_mut(at) else { return };
                known
            }
        };
        known.fonts.0 |= glyph.fonts.0;
    }

    /// The character's glyph; `None` where no prepared font has it.
    pub(super) fn glyph(&self, c: char) -> Option<Glyph> {
        if (c as u32) < LOW {
            return self.low.get(c as usize).copied().flatten();
        }
        self.high.binary_search_by_key(&c, |(known, _)| *known).ok().and_then(|at| Some(self.high.get(at)?.1))
    }

    /// The fonts that have every character of a text.
    pub(super) fn fonts(&self, text: &str) -> Fonts {
        // Unaccented letters and digits are in all of them.
        let others = text.chars().filter(|c| !c.is_ascii_alphanumeric() && !matches!(c, ' ' | '\n'));
        others.fold(Fonts::ALL, |fonts, c| fonts.and(self.glyph(c).map(|glyph| glyph.fonts).unwrap_or_default()))
    }

    /// Every character with its glyph, ascending.
    pub(super) fn all(&self) -> impl Iterator<Item = (char, Glyph)> + '_ {
        let low = self.low.iter().enumerate();
        let low = low.filter_map(|(place, glyph)| Some((char::from_u32(place as u32)?, (*glyph)?)));
        low.chain(self.high.iter().copied())
    }
}

impl Face for Prepared {
    fn advance(&self, c: char) -> i32 {
        self.glyph(c).map_or(0, |glyph| i32::from(glyph.advance))
    }
}

/// Where an outline goes of which only the advance is asked.
struct Unseen;

impl CommandSink for Unseen {
    fn move_to(&mut self, _: Fixed, _: Fixed) {}
    fn line_to(&mut self, _: Fixed, _: Fixed) {}
    fn curve_to(&mut self, _: Fixed, _: Fixed, _: Fixed, _: Fixed, _: Fixed, _: Fixed) {}
    fn close(&mut self) {}
}

/// The code of a character in WinAnsiEncoding (ISO 32000-1, annex D).
pub(super) fn win_ansi(c: char) -> Option<u8> {
    match c {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(c as u32).ok(),
        _ => WIN_ANSI_80.iter().position(|known| *known == c && c != '\0').map(|place| 0x80 + place as u8),
    }
}

/// Codes 0x80 to 0x9f; NUL where there is none.
const WIN_ANSI_80: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_what_they_promise() {
        let prepared = Prepared::new();
        let first = |text: &str| prepared.fonts(text).first();
        for c in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(" -/.,:()+&%@?=_'\u{a0}åäöÅÄÖéÉüÜ§–’”•…".chars())
        {
            assert_eq!(prepared.glyph(c).map(|glyph| glyph.fonts), Some(Fonts::ALL), "{c}");
        }
        for c in (' '..='~').chain('\u{a1}'..='\u{ff}').filter(|c| *c != '\u{ad}') {
            assert!(prepared.glyph(c).is_some_and(|glyph| glyph.fonts.has(1) && glyph.win_ansi), "{c}");
        }
        for c in ('À'..='ÿ').filter(|c| !['×', '÷'].contains(c)).chain('\u{100}'..='\u{17f}') {
            assert!(prepared.glyph(c).is_some_and(|glyph| glyph.fonts.has(2)), "{c}");
        }
        assert!(prepared.glyph('ł').is_some_and(|glyph| !glyph.win_ansi && glyph.fonts.first() == Some(2)));
        assert!(prepared.glyph('Ж').is_none());
        assert_eq!(first("Åsa Öberg"), Some(0));
        assert_eq!(first("José Muñoz"), Some(1));
        assert_eq!(first("½ José"), Some(1));
        assert_eq!(first("Łukasz"), Some(2));
        assert_eq!(first("Анна"), None);
    }

    #[test]
    fn glyphs_have_the_names_that_win_ansi_goes_by() {
        for file in FILES {
            let font = CffFontRef::new_cff(file, 0, None).unwrap();
            for (_, name) in font.charset().unwrap().iter().skip(1) {
                let standard = name.resolve_standard().is_ok();
                let name = std::str::from_utf8(font.string(name).unwrap()).unwrap();
                let win_ansi = name_to_char(name).and_then(win_ansi).is_some();
                assert_eq!(win_ansi, standard || name == "Euro", "{name}");
            }
        }
    }

    #[test]
    fn codes_are_of_one_character() {
        let prepared = Prepared::new();
        let mut codes: Vec<_> = prepared.all().map(|(_, glyph)| (glyph.win_ansi, glyph.code)).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn advances_are_those_of_the_family() {
        use skrifa::instance::{LocationRef, Size};
        use skrifa::{FontRef, MetadataProvider};
        let prepared = Prepared::new();
        let family = FontRef::new(include_bytes!("font/wide.ttf")).unwrap();
        let widths = family.glyph_metrics(Size::unscaled(), LocationRef::default());
        for (c, glyph) in prepared.all() {
            let advance = family.charmap().map(c).and_then(|id| widths.advance_width(id));
            assert_eq!(advance, Some(f32::from(glyph.advance)), "{c}");
        }
    }

    #[test]
    fn digits_are_equally_wide() {
        let prepared = Prepared::new();
        let widths: Vec<i32> = ('0'..='9').map(|c| prepared.advance(c)).collect();
        assert!(widths.iter().all(|width| *width == widths[0] && *width > 0));
    }

    #[test]
    fn win_ansi_is_windows_1252() {
        for code in 0x20..=0xff_u8 {
            let (decoded, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&code));
            let c = decoded.chars().next().unwrap();
            if !c.is_control() {
                assert_eq!(win_ansi(c), Some(code), "{c}");
            }
        }
    }
}
