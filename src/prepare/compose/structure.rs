//! What a letter's items are to a reader: the tree of a tagged document.
//!
//! In: pages. Out: elements, every parent before its kids. Both writers take it; neither decides it.

use super::layout::{Page, Role};

/// Structure types of ISO 32000-1, 14.8.4, as far as letters have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// The whole.
    Document,
    /// Title.
    H1,
    /// Heading.
    H2,
    /// Paragraph.
    P,
    /// Table.
    Table,
    /// Row of a table.
    Row,
    /// Heading of a column.
    ColumnHead,
    /// Heading of a row.
    RowHead,
    /// Value.
    Cell,
}

/// An element of the structure.
pub(super) struct Element {
    /// What it is.
    pub tag: Tag,
    /// Place of its parent; the document has none.
    pub parent: Option<usize>,
    /// Page, and place among that page's items that are not decoration; of a leaf.
    pub content: Option<(usize, usize)>,
    /// Places of its kids.
    pub kids: Vec<usize>,
}

/// The elements of the pages' items, the document first. A table that goes on over a page is one table.
pub(super) fn structure(pages: &[Page<'_>]) -> Vec<Element> {
    let mut elements = vec![Element { tag: Tag::Document, parent: None, content: None, kids: Vec::new() }];
    let mut add = |tag, parent: usize, content| {
        let place = elements.len();
        elements.push(Element { tag, parent: Some(parent), content, kids: Vec::new() });
        if let Some(parent) = elements.get_mut(parent) {
            parent.kids.push(place);
        }
        place
    };
    let mut table = None;
    let mut row = 0;
    for (on, page) in pages.iter().enumerate() {
        for (id, item) in page.items.iter().filter(|item| item.role != Role::Artifact).enumerate() {
            if matches!(item.role, Role::FirstColumn | Role::Label) {
                let table = *table.get_or_insert_with(|| add(Tag::Table, 0, None));
                row = add(Tag::Row, table, None);
            }
            let (tag, parent) = match item.role {
                Role::H1 => (Tag::H1, 0),
                Role::H2 => (Tag::H2, 0),
                Role::P | Role::Artifact => (Tag::P, 0),
                Role::FirstColumn | Role::SecondColumn => (Tag::ColumnHead, row),
                Role::Label => (Tag::RowHead, row),
                Role::Value => (Tag::Cell, row),
            };
            if parent == 0 {
                table = None;
            }
            add(tag, parent, Some((on, id)));
        }
    }
    elements
}
