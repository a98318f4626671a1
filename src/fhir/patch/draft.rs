//! A document that is being changed: each change replaces a stretch of its text.

use std::ops::Range;

use crate::json::{Document, Node, quote};

/// Most bytes that all changes of a patch write together: bounds its time, and what copying again
/// and again can make of a small document.
pub const WORK_BYTES_MAX: usize = 64 << 20;

/// A document, and how much was spent on changing it.
pub(super) struct Draft {
    document: Document,
    work_bytes: usize,
}

impl Draft {
    pub(super) fn new(document: Document) -> Self {
        Self { document, work_bytes: 0 }
    }

    pub(super) fn root(&self) -> Node<'_> {
        self.document.root()
    }

    /// The value of that number.
    pub(super) fn node(&self, index: usize) -> Node<'_> {
        self.document.node(index)
    }

    pub(super) fn finish(self) -> Document {
        self.document
    }

    /// Replaces a value by another; both are JSON.
    pub(super) fn replace(&mut self, value: usize, text: &str) -> Result<(), String> {
        let range = self.range(value);
        self.splice(range, text)
    }

    /// Removes the item or member at that place of an array or object.
    pub(super) fn remove(&mut self, parent: usize, place: usize) -> Result<(), String> {
        let children = self.children(parent);
        let Some(child) = children.get(place) else { return Ok(()) };
        // The comma before it is removed too; for the first one, the comma behind it.
        let before = place.checked_sub(1).and_then(|place| children.get(place));
        let range = match (before, children.get(place + 1)) {
            (Some(before), _) => before.end..child.end,
            (None, Some(behind)) => child.start..behind.start,
            (None, None) => child.clone(),
        };
        self.splice(range, "")
    }

    /// Puts an item into an array, before the one at that place.
    pub(super) fn insert_item(
        &mut self,
        array: usize,
        place: usize,
        text: &str,
    ) -> Result<(), String> {
        let children = self.children(array);
        match children.get(place) {
            Some(child) => self.splice(child.start..child.start, &format!("{text},")),
            None => self.append(array, &children, text),
        }
    }

    /// Adds a member, which must not exist yet, to an object.
    pub(super) fn insert_member(
        &mut self,
        object: usize,
        name: &str,
        text: &str,
    ) -> Result<(), String> {
        self.insert_row(object, &format!("{}:{text}", quote(name)))
    }

    /// Adds a member, given with its name as JSON, to an object.
    pub(super) fn insert_row(&mut self, object: usize, row: &str) -> Result<(), String> {
        let children = self.children(object);
        self.append(object, &children, row)
    }

    /// Removes the member of that name from an object, if it has one.
    pub(super) fn remove_member(&mut self, object: usize, name: &str) -> Result<(), String> {
        let place = self.node(object).members().position(|(known, _)| known == name);
        match place {
            Some(place) => self.remove(object, place),
            None => Ok(()),
        }
    }

    fn append(
        &mut self,
        parent: usize,
        children: &[Range<usize>],
        text: &str,
    ) -> Result<(), String> {
        match children.last() {
            Some(last) => self.splice(last.end..last.end, &format!(",{text}")),
            None => {
                let inside = self.range(parent).start + 1;
                self.splice(inside..inside, text)
            }
        }
    }

    /// Where the items, or the members with their names, stand in the text.
    fn children(&self, parent: usize) -> Vec<Range<usize>> {
        let parent = self.document.node(parent);
        let member = |(_, value): (_, Node<'_>)| {
            // A member's name is the node before its value.
            self.document.node(value.index().saturating_sub(1)).start()..value.end()
        };
        let members = parent.members().map(member);
        members.chain(parent.items().map(|item| item.start()..item.end())).collect()
    }

    fn range(&self, value: usize) -> Range<usize> {
        let node = self.document.node(value);
        node.start()..node.end()
    }

    fn splice(&mut self, range: Range<usize>, text: &str) -> Result<(), String> {
        let before = self.document.text();
        let head = before.get(..range.start).unwrap_or_default();
        let tail = before.get(range.end..).unwrap_or_default();
        let length = head.len() + text.len() + tail.len();
        self.work_bytes += length;
        if self.work_bytes > WORK_BYTES_MAX {
            let bound = WORK_BYTES_MAX >> 20;
            return Err(format!(
                "the patch writes more than {bound} MiB on its way; send less at once"
            ));
        }
        let mut whole = String::with_capacity(length);
        whole.extend([head, text, tail]);
        self.document = Document::parse(whole).map_err(|error| error.problem)?;
        Ok(())
    }
}
