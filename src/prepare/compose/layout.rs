//! Where every line of a letter stands: pages of A4, columns, page breaks.
//!
//! In: words and a face that knows how wide characters are. Out: pages of tagged items in reading order, each with its
//! lines. It knows nothing of PDF; the fast writer and the slow one draw the same pages.

use super::words::{Block, COLUMNS, Row, Words};
use std::borrow::Cow;

/// Tenths of a point.
pub(super) type Tenths = i32;

/// Width and height of A4.
pub(super) const PAGE: (Tenths, Tenths) = (5953, 8419);

// Whole points, where it does not matter: they are shorter to write.
const LEFT: Tenths = 600;
const RIGHT: Tenths = 5360;
const TOP: Tenths = 7850;
const BOTTOM: Tenths = 550;

/// Left edges of a table's columns: fältkod, label, value.
const COLUMN: [Tenths; 3] = [LEFT, LEFT + 360, LEFT + 2800];
/// Right edge of labels.
const LABEL_RIGHT: Tenths = COLUMN[2] - 120;
/// Right edge of numbers: twelve digits and kronor at text size.
const NUMBER_RIGHT: Tenths = COLUMN[2] + 960;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Size of the type.
    pub size: Tenths,
    /// Drawn heavier.
    pub bold: bool,
}

const TITLE: Style = Style { size: 170, bold: true };
const HEADING: Style = Style { size: 115, bold: true };
const TEXT: Style = Style { size: 100, bold: false };
const COLUMN_HEAD: Style = Style { size: 90, bold: true };
const SMALL: Style = Style { size: 80, bold: false };

/// What an item is to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Role {
    /// Title.
    H1,
    /// Heading.
    H2,
    /// Paragraph.
    P,
    /// Heading of the first column; the second's follows.
    FirstColumn,
    /// Heading of the second column.
    SecondColumn,
    /// A row's heading: fältkod and label.
    Label,
    /// A row's value.
    Value,
    /// Decoration, outside the structure.
    Artifact,
}

/// A piece of marked content.
pub(super) struct Item {
    /// What it is.
    pub role: Role,
    /// Its lines, places in [`Page::lines`].
    pub lines: std::ops::Range<usize>,
}

/// A line of text.
pub(super) struct Line<'w> {
    /// Left end.
    pub x: Tenths,
    /// Baseline, from the bottom of the page.
    pub y: Tenths,
    /// How.
    pub style: Style,
    /// What.
    pub text: Cow<'w, str>,
}

/// A page.
#[derive(Default)]
pub(super) struct Page<'w> {
    /// In reading order.
    pub items: Vec<Item>,
    /// Of all items.
    pub lines: Vec<Line<'w>>,
    /// Horizontal rules: height and whether it is a strong one.
    pub rules: Vec<(Tenths, bool)>,
}

/// Left and right end of rules.
pub(super) const RULE: (Tenths, Tenths) = (LEFT, RIGHT);

/// How wide characters are.
pub(super) trait Face {
    /// Advance in thousandths of the size.
    fn advance(&self, c: char) -> i32;

    /// Width of a text in tenths of a point.
    fn width(&self, text: &str, size: Tenths) -> Tenths {
        text.chars().map(|c| self.advance(c)).sum::<i32>() * size / 1000
    }
}

/// Lays the letter out. `address`: who it goes to, for a window envelope; the text then begins below the fold's window.
pub(super) fn pages<'w>(words: &'w Words<'_>, paper: Option<&'w Envelope<'_>>, face: &impl Face) -> Vec<Page<'w>> {
    let mut layout = Layout { face, pages: Vec::with_capacity(2), page: Page::default(), y: TOP, wrapped: Vec::new() };
    layout.page.lines.reserve(96);
    layout.page.items.reserve(96);
    layout.page.rules.reserve(48);
    if let Some(envelope) = paper {
        layout.envelope(envelope);
    }
    layout.text(Role::H1, &words.title, TITLE, 210, 0);
    layout.y -= 60;
    let mut blocks = words.blocks.iter().peekable();
    while let Some(block) = blocks.next() {
        match block {
            Block::Heading(heading) => {
                // A heading stays with what follows it: a paragraph, or the first row of a table.
                let next = match blocks.peek() {
                    Some(Block::Table(rows)) => rows.first().map_or(0, |row| layout.row_height(row)) + 200,
                    Some(Block::Paragraph(text)) => layout.height(text, TEXT, 140),
                    _ => 0,
                };
                layout.y -= 90;
                layout.room(next + 190);
                layout.text(Role::H2, heading, HEADING, 150, 0);
                layout.y -= 10;
            }
            Block::Paragraph(text) => {
                layout.text(Role::P, text, TEXT, 140, 0);
                layout.y -= 40;
            }
            Block::Link(before, url) => {
                layout.owned(Role::P, format!("{before}{url}"));
                layout.y -= 40;
            }
            Block::Table(rows) => layout.table(rows),
        }
    }
    layout.finish()
}

/// What a paper letter carries above its text.
pub(super) struct Envelope<'a> {
    /// Who sends it.
    pub sender: Cow<'a, str>,
    /// Name and address; empty where the print supplier finds the address.
    pub address: Vec<Cow<'a, str>>,
}

struct Layout<'w, 'f, F> {
    face: &'f F,
    pages: Vec<Page<'w>>,
    page: Page<'w>,
    y: Tenths,
    /// Lines on their way to the page, kept from text to text.
    wrapped: Vec<&'w str>,
}

impl<'w, F: Face> Layout<'w, '_, F> {
    /// Begins a new page where so much does not fit.
    fn room(&mut self, height: Tenths) {
        if self.y - height < BOTTOM && self.y < TOP {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.y = TOP;
    }

    /// A text over the whole width, kept on one page.
    fn text(&mut self, role: Role, text: &'w str, style: Style, leading: Tenths, indent: Tenths) {
        let mut lines = std::mem::take(&mut self.wrapped);
        wrap(text, style, RIGHT - LEFT - indent, self.face, &mut lines);
        self.room(leading * lines.len() as Tenths);
        let from = self.page.lines.len();
        for line in lines.drain(..) {
            self.y -= leading;
            self.page.lines.push(Line { x: LEFT + indent, y: self.y + 30, style, text: Cow::Borrowed(line) });
        }
        self.wrapped = lines;
        self.item(role, from);
    }

    /// The same for a text that is made here.
    fn owned(&mut self, role: Role, text: String) {
        let mut lines = Vec::new();
        wrap(&text, TEXT, RIGHT - LEFT, self.face, &mut lines);
        self.room(140 * lines.len() as Tenths);
        let from = self.page.lines.len();
        for line in lines {
            self.y -= 140;
            self.page.lines.push(Line { x: LEFT, y: self.y + 30, style: TEXT, text: Cow::Owned(line.to_owned()) });
        }
        self.item(role, from);
    }

    fn item(&mut self, role: Role, from: usize) {
        self.page.items.push(Item { role, lines: from..self.page.lines.len() });
    }

    fn height(&self, text: &str, style: Style, leading: Tenths) -> Tenths {
        let mut lines = Vec::new();
        wrap(text, style, RIGHT - LEFT, self.face, &mut lines);
        leading * lines.len() as Tenths
    }

    /// Sender and address where a right-hand window shows them, and the text below.
    ///
    /// The address stands 113 mm from the left and from 52 to 80 mm from the top: inside the window of C5 and C6/5
    /// envelopes with the window to the right (H2).
    fn envelope(&mut self, envelope: &'w Envelope<'_>) {
        let from = self.page.lines.len();
        let mut y = TOP - 100;
        let mut lines = Vec::new();
        wrap(&envelope.sender, TEXT, 2300, self.face, &mut lines);
        for line in lines {
            self.page.lines.push(Line { x: LEFT, y, style: TEXT, text: Cow::Borrowed(line) });
            y -= 130;
        }
        self.item(Role::P, from);
        if !envelope.address.is_empty() {
            const WINDOW: (Tenths, Tenths) = (3203, PAGE.1 - 1500);
            let width = RIGHT - WINDOW.0;
            let wrapped = |style: Style| -> Vec<&'w str> {
                let mut lines = Vec::new();
                envelope.address.iter().for_each(|line| wrap(line, style, width, self.face, &mut lines));
                lines
            };
            let (mut lines, mut style, mut leading) = (wrapped(TEXT), TEXT, 125);
            if lines.len() > 6 {
                (lines, style, leading) = (wrapped(SMALL), SMALL, 95);
            }
            let from = self.page.lines.len();
            y = WINDOW.1;
            for line in lines {
                self.page.lines.push(Line { x: WINDOW.0, y, style, text: Cow::Borrowed(line) });
                y -= leading;
            }
            self.item(Role::P, from);
        }
        // 100 mm: the upper third and what the fold takes. An address too long for any window pushes the text down.
        self.y = y.min(PAGE.1 - 2830);
    }

    fn table(&mut self, rows: &'w [Row<'_>]) {
        self.column_heads(false);
        let (mut label, mut value) = (std::mem::take(&mut self.wrapped), Vec::new());
        for row in rows {
            wrap(row.label, TEXT, LABEL_RIGHT - COLUMN[1], self.face, &mut label);
            value_lines(row, self.face, &mut value);
            let height = row_height(label.len(), value.len());
            if self.y - height < BOTTOM && self.y < TOP {
                self.turn();
                self.column_heads(true);
            }
            let first = self.y - 145;
            self.y -= height;
            let code = std::iter::once((COLUMN[0], first, Cow::Borrowed(row.code.as_str())));
            self.cell(Role::Label, code.chain(below(&mut label, COLUMN[1], first)));
            let x = match row.number {
                true => NUMBER_RIGHT - self.face.width(&row.value, TEXT.size),
                false => COLUMN[2],
            };
            self.cell(Role::Value, below(&mut value, x, first));
            self.page.rules.push((self.y, false));
        }
        self.wrapped = label;
        self.y -= 30;
    }

    /// `again`: on the next page of a table, where they are decoration.
    fn column_heads(&mut self, again: bool) {
        self.room(200);
        self.y -= 150;
        let y = self.y + 40;
        let [code, label, value] = COLUMNS;
        let cells: [(Role, &[(Tenths, &'static str)]); 2] = [
            (Role::FirstColumn, &[(COLUMN[0], code), (COLUMN[1], label)]),
            (Role::SecondColumn, &[(COLUMN[2], value)]),
        ];
        for (role, texts) in cells {
            let from = self.page.lines.len();
            let lines = texts.iter().map(|(x, text)| Line { x: *x, y, style: COLUMN_HEAD, text: Cow::Borrowed(text) });
            self.page.lines.extend(lines);
            self.item(if again { Role::Artifact } else { role }, from);
        }
        self.page.rules.push((self.y, true));
    }

    fn cell(&mut self, role: Role, lines: impl Iterator<Item = (Tenths, Tenths, Cow<'w, str>)>) {
        let from = self.page.lines.len();
        self.page.lines.extend(lines.map(|(x, y, text)| Line { x, y: y + 25, style: TEXT, text }));
        self.item(role, from);
    }

    fn row_height(&self, row: &Row<'_>) -> Tenths {
        let (mut label, mut value) = (Vec::new(), Vec::new());
        wrap(row.label, TEXT, LABEL_RIGHT - COLUMN[1], self.face, &mut label);
        value_lines(row, self.face, &mut value);
        row_height(label.len(), value.len())
    }

    fn finish(mut self) -> Vec<Page<'w>> {
        self.turn();
        let count = self.pages.len();
        if count > 1 {
            for (place, page) in self.pages.iter_mut().enumerate() {
                let text = format!("Sida {} av {count}", place + 1);
                let x = RIGHT - self.face.width(&text, SMALL.size);
                let from = page.lines.len();
                page.lines.push(Line { x, y: 340, style: SMALL, text: Cow::Owned(text) });
                page.items.push(Item { role: Role::Artifact, lines: from..from + 1 });
            }
        }
        self.pages
    }
}

/// Leading inside cells.
const LINE: Tenths = 130;

/// Lines of a cell under each other; takes them.
fn below<'w>(
    lines: &mut Vec<&'w str>,
    x: Tenths,
    first: Tenths,
) -> impl Iterator<Item = (Tenths, Tenths, Cow<'w, str>)> {
    lines.drain(..).enumerate().map(move |(place, line)| (x, first - LINE * place as Tenths, Cow::Borrowed(line)))
}

fn row_height(label: usize, value: usize) -> Tenths {
    LINE * label.max(value).max(1) as Tenths + 40
}

fn value_lines<'w>(row: &'w Row<'_>, face: &impl Face, lines: &mut Vec<&'w str>) {
    if row.number {
        return lines.push(&row.value);
    }
    row.value.split('\n').for_each(|line| wrap(line, TEXT, RIGHT - COLUMN[2], face, lines));
}

/// Breaks a text into lines no wider than `width`, added to `lines`: after spaces, after hyphens and slashes, and inside a
/// word only where it is wider than a line by itself. At least one line, maybe an empty one.
///
/// The lines joined are the text: the space that a line breaks at stays at its end, beyond `width`, so that a reader who
/// hears the lines in a row hears words.
fn wrap<'w>(text: &'w str, style: Style, width: Tenths, face: &impl Face, lines: &mut Vec<&'w str>) {
    let limit = i64::from(width) * 1000 / i64::from(style.size);
    let mut line = 0; // where the line begins
    let mut good = 0; // where it may end, the next begins at `next`
    let mut next = 0;
    let mut wide = 0_i64; // from `line`
    let mut past = 0_i64; // from `next`
    for (at, c) in text.char_indices() {
        let advance = i64::from(face.advance(c));
        if c == ' ' {
            (good, next, past) = (at, at + 1, 0);
            wide += advance;
            continue;
        }
        if wide + advance > limit {
            if good > line {
                lines.push(text.get(line..next).unwrap_or_default());
                (line, wide) = (next, past);
            }
            if wide + advance > limit && at > line {
                lines.push(text.get(line..at).unwrap_or_default());
                (line, wide) = (at, 0);
            }
            (good, next, past) = (line, line, wide);
        }
        wide += advance;
        past += advance;
        if matches!(c, '-' | '/') && at > line {
            let after = at + c.len_utf8();
            (good, next, past) = (after, after, 0);
        }
    }
    lines.push(text.get(line..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Even;

    impl Face for Even {
        fn advance(&self, _: char) -> i32 {
            1000
        }
    }

    fn lines(text: &str, characters: i32) -> Vec<&str> {
        let mut lines = Vec::new();
        wrap(text, TEXT, 100 * characters, &Even, &mut lines);
        lines
    }

    #[test]
    fn lines_break_at_spaces_hyphens_and_inside_long_words() {
        assert_eq!(lines("", 5), [""]);
        assert_eq!(lines("ett två tre", 7), ["ett två ", "tre"]);
        assert_eq!(lines("ett två tre", 6), ["ett ", "två ", "tre"]);
        assert_eq!(lines("abcdefghij kl", 4), ["abcd", "efgh", "ij ", "kl"]);
        assert_eq!(lines("Ersättning/förmån", 12), ["Ersättning/", "förmån"]);
        assert_eq!(lines("a bcdefghij", 4), ["a ", "bcde", "fghi", "j"]);
        assert_eq!(lines("å", 0), ["å"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_too_wide_and_nothing_is_lost(text in "[a-zå /-]{0,80}", width in 1..30_i32) {
            let lines = lines(&text, width);
            proptest::prop_assert_eq!(&lines.concat(), &text);
            for line in &lines {
                proptest::prop_assert!(line.trim_end().chars().count() <= width as usize, "{:?}", line);
            }
        }
    }
}
