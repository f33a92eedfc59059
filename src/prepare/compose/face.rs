//! The prepared fonts: which characters they have, under which codes, how wide.
//!
//! Three subsets of one font, each holding the one before it: the characters of letters and of Swedish names, all of
//! WinAnsiEncoding, and Latin Extended-A beside it. A letter embeds the smallest that has all its characters.

use super::layout::Face;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

/// Fonts as they are embedded, smallest first; `font/README.md` says how they were made.
pub(super) static FILES: [&[u8]; 3] =
    [include_bytes!("font/base.ttf"), include_bytes!("font/winansi.ttf"), include_bytes!("font/full.ttf")];

/// A character of the prepared fonts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Glyph {
    /// Which of [`FILES`] has it first.
    pub tier: u8,
    /// Its code in WinAnsiEncoding; 0 where it has none.
    pub code: u8,
    /// Its place in the last of [`FILES`].
    pub id: u16,
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
        let fonts: Vec<FontRef<'_>> = FILES.iter().filter_map(|file| FontRef::new(file).ok()).collect();
        if let Some(last) = fonts.last() {
            let widths = last.glyph_metrics(Size::unscaled(), LocationRef::default());
            for (c, id) in last.charmap().mappings() {
                let Some(c) = char::from_u32(c) else { continue };
                let tier = fonts.iter().position(|font| font.charmap().map(c).is_some()).unwrap_or_default();
                let advance = widths.advance_width(id).unwrap_or_default();
                let glyph = Glyph {
                    tier: tier as u8,
                    code: win_ansi(c).unwrap_or_default(),
                    id: id.to_u32() as u16,
                    advance: advance as u16,
                };
                match prepared.low.get_mut(c as usize) {
                    Some(place) => *place = Some(glyph),
                    None => prepared.high.push((c, glyph)),
                }
            }
        }
        prepared.high.sort_unstable_by_key(|(c, _)| *c);
        prepared
    }

    /// The character's glyph; `None` where no prepared font has it.
    pub(super) fn glyph(&self, c: char) -> Option<Glyph> {
        if (c as u32) < LOW {
            return self.low.get(c as usize).copied().flatten();
        }
        self.high.binary_search_by_key(&c, |(known, _)| *known).ok().and_then(|at| Some(self.high.get(at)?.1))
    }

    /// The smallest font that has every character of a text; `None` where none has.
    pub(super) fn tier(&self, text: &str) -> Option<u8> {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Some(0);
        }
        text.chars().try_fold(0, |tier, c| if c == '\n' { Some(tier) } else { Some(self.glyph(c)?.tier.max(tier)) })
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
        for c in (' '..='~').chain("\u{a0}åäöÅÄÖéÉüÜ§–’”•…".chars()) {
            assert_eq!(prepared.glyph(c).map(|glyph| glyph.tier), Some(0), "{c}");
        }
        for c in ('\u{a1}'..='\u{ff}').filter(|c| *c != '\u{ad}') {
            assert!(prepared.glyph(c).is_some_and(|glyph| glyph.tier <= 1 && glyph.code != 0), "{c}");
        }
        for c in '\u{100}'..='\u{17f}' {
            assert!(prepared.glyph(c).is_some(), "{c}");
        }
        assert!(prepared.glyph('ł').is_some_and(|glyph| glyph.code == 0 && glyph.tier == 2));
        assert!(prepared.glyph('Ж').is_none());
        assert_eq!(prepared.tier("Åsa Öberg"), Some(0));
        assert_eq!(prepared.tier("José Muñoz"), Some(1));
        assert_eq!(prepared.tier("Łukasz"), Some(2));
        assert_eq!(prepared.tier("Анна"), None);
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
