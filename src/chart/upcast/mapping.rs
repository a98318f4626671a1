//! Mappings: from old codes, systems and urls to new ones by a table, and from an extension to an element.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::sheet::Sheet;
use crate::fhir::Patch;
use crate::fhir::path::{Expression, Item};
use crate::json::{Document, Node, quote};

/// What happens to the elements that a path leads to.
#[derive(Debug)]
pub(super) struct Mapping {
    path: Expression,
    text: String,
    action: Action,
}

#[derive(Debug)]
enum Action {
    /// Those that are as said get other values.
    Replace(Replace),
    /// The value of each goes to this member of what that path leads to, and the extension goes.
    Move { holder: String, member: String },
}

/// Values are JSON.
#[derive(Debug)]
struct Replace {
    from: Option<New>,
    to: Option<New>,
    remove: Vec<String>,
    /// By the old code.
    table: Option<BTreeMap<String, New>>,
}

#[derive(Debug, Clone)]
enum New {
    /// Of the element itself.
    Whole(String),
    /// Of members of it.
    Members(Vec<(String, String)>),
}

const KEYS: [&str; 6] = ["path", "from", "to", "remove", "table", "move"];

impl Mapping {
    /// Reads a mapping.
    pub(super) fn read(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: usize) -> Option<Self> {
        sheet.only(table, "[[mapping]]", &KEYS);
        let path = sheet.required(table, "path", at);
        let action = match table.get("move") {
            Some(_) => moving(sheet, table),
            None => Replace::read(sheet, table, at).map(Action::Replace),
        };
        let (text, at) = path?;
        match Expression::parse(text) {
            Ok(path) => Some(Self { path, text: text.to_owned(), action: action? }),
            Err(error) => {
                sheet.refuse(at, format!("path {}: {error}", quote(text)));
                None
            }
        }
    }

    /// Applies it to a resource.
    pub(super) fn apply(&self, resource: Document) -> Result<Document, String> {
        match &self.action {
            Action::Replace(replace) => self.replace(resource, replace),
            Action::Move { holder, member } => self.move_to(resource, holder, member),
        }
    }

    fn nodes<'a>(&self, root: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        let items = self.path.evaluate(root).into_iter().map(|item| match item {
            Item::Node(node) => Ok(node),
            Item::Boolean(_) => Err("the path leads to a condition, not to an element".to_owned()),
        });
        let mut nodes: Vec<Node<'a>> = items.collect::<Result<_, _>>()?;
        nodes.sort_by_key(Node::index);
        nodes.dedup_by_key(|node| node.index());
        Ok(nodes)
    }

    fn replace(&self, resource: Document, replace: &Replace) -> Result<Document, String> {
        let text = resource.text();
        let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
        for node in self.nodes(resource.root())? {
            let Some(new) = replace.of(node)? else { continue };
            let before = text.get(copied..node.start()).ok_or_else(|| {
                "the path leads to an element within another that it leads to".to_owned()
            })?;
            out.extend([before, &new]);
            copied = node.end();
        }
        if copied == 0 {
            return Ok(resource);
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Document::parse(out).map_err(|error| error.problem)
    }

    fn move_to(
        &self,
        mut resource: Document,
        holder: &str,
        member: &str,
    ) -> Result<Document, String> {
        for _ in 0..self.nodes(resource.root())?.len() {
            let nodes = self.nodes(resource.root())?;
            let Some(extension) = nodes.first() else { break };
            let values: Vec<String> = extension
                .members()
                .filter(|(name, _)| name.starts_with("value") || name.starts_with("_value"))
                .map(|(name, value)| format!("{}:{}", quote(&name), value.text()))
                .collect();
            if values.is_empty() {
                let problem = "what is moved must be an extension that has a value: move other elements with json-patch";
                return Err(problem.to_owned());
            }
            let first = quote(&format!("({})[0]", self.text));
            let (holder, member) = (quote(holder), quote(member));
            let patch = format!(
                r#"{{"resourceType":"Parameters","parameter":[
                {{"name":"operation","part":[{{"name":"type","valueCode":"add"}},{{"name":"path","valueString":{holder}}},
                {{"name":"name","valueString":{member}}},{{"name":"value",{}}}]}},
                {{"name":"operation","part":[{{"name":"type","valueCode":"delete"}},{{"name":"path","valueString":{first}}}]}}]}}"#,
                values.join(",")
            );
            let patch = Document::parse(patch).map_err(|error| error.problem)?;
            let patch = Patch::read(patch.root()).map_err(|problems| {
                problems.into_iter().map(|problem| problem.diagnostics).collect::<String>()
            })?;
            let text = resource.text().as_bytes().to_vec();
            resource = patch.apply(text).map_err(|problem| problem.diagnostics)?;
        }
        Ok(resource)
    }
}

fn moving(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Option<Action> {
    let (target, at) = sheet.text(table, "move")?;
    for key in ["from", "to", "remove", "table"] {
        if table.get(key).is_some() {
            sheet.refuse(at, format!("move goes without {key}: write two mappings"));
        }
    }
    let parts = target.rsplit_once('.').filter(|(holder, _)| Expression::parse(holder).is_ok());
    let Some((holder, member)) = parts else {
        let problem = "move says the path of what is to hold the element, a dot, and its name there: Observation.method";
        sheet.refuse(at, problem);
        return None;
    };
    Some(Action::Move { holder: holder.to_owned(), member: member.to_owned() })
}

impl Replace {
    fn read(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: usize) -> Option<Self> {
        let mut value = |key: &str| match table.get(key) {
            Some(value) => New::read(sheet, value).map(Some),
            None => Some(None),
        };
        let (from, to) = (value("from"), value("to"));
        let rows = match table.get("table").map(|value| (value.get_ref().as_table(), value)) {
            None => Some(None),
            Some((None, value)) => {
                let problem = "table leads from each old code to the new one: { old = \"new\" }";
                sheet.refuse(value.span().start, problem);
                None
            }
            Some((Some(rows), _)) => {
                let mut table = BTreeMap::new();
                for (code, value) in rows {
                    table.insert(code.get_ref().to_string(), New::read(sheet, value)?);
                }
                Some(Some(table))
            }
        };
        let remove = sheet.texts(table, "remove").unwrap_or_default();
        let remove: Vec<String> = remove.iter().map(|(name, _)| (*name).to_owned()).collect();
        let read = Self { from: from?, to: to?, remove, table: rows? };
        if read.to.is_none() && read.table.is_none() && read.remove.is_empty() {
            sheet.refuse(
                at,
                "a mapping says what it makes of an element: to, table, remove or move",
            );
            return None;
        }
        Some(read)
    }

    /// What an element becomes; `None` if it stays.
    fn of(&self, node: Node<'_>) -> Result<Option<String>, String> {
        let is_meant = match &self.from {
            None => true,
            Some(New::Whole(old)) => equals(node, old),
            Some(New::Members(members)) => members
                .iter()
                .all(|(name, old)| node.get(name).is_some_and(|value| equals(value, old))),
        };
        if !is_meant {
            return Ok(None);
        }
        let row = match &self.table {
            None => None,
            Some(table) => {
                let code = if node.is_object() { node.get_str("code") } else { node.as_str() };
                match code.and_then(|code| table.get(&*code)) {
                    None => return Ok(None),
                    row => row,
                }
            }
        };
        if !node.is_object() {
            return match (row, &self.to) {
                (Some(New::Whole(new)), None) | (None, Some(New::Whole(new))) => {
                    Ok(Some(new.clone()))
                }
                _ => {
                    Err("the path leads to a simple value, of which members cannot be set"
                        .to_owned())
                }
            };
        }
        let mut new: Vec<(&str, &str)> = Vec::new();
        for values in [self.to.as_ref(), row].into_iter().flatten() {
            match values {
                New::Members(members) => {
                    new.extend(members.iter().map(|(name, value)| (&**name, &**value)))
                }
                New::Whole(code) if row.is_some_and(|row| std::ptr::eq(row, values)) => {
                    new.push(("code", code));
                }
                New::Whole(_) => {
                    return Err(
                        "the path leads to an element with members: say which get what".to_owned()
                    );
                }
            }
        }
        Ok(Some(self.object(node, &new)))
    }

    /// An object with new members; of two of the same name the last counts.
    fn object(&self, node: Node<'_>, new: &[(&str, &str)]) -> String {
        let last = |name: &str| new.iter().rev().find(|(known, _)| *known == name);
        let mut rows = Vec::new();
        for (name, value) in node.members() {
            let new = last(&name).map(|(_, value)| *value);
            let bare = name.strip_prefix('_').unwrap_or(&name);
            if new.is_none() && self.remove.iter().any(|removed| removed == bare) {
                continue;
            }
            let value = new.unwrap_or(value.text());
            rows.push(format!("{}:{value}", quote(&name)));
        }
        for (at, (name, value)) in new.iter().enumerate() {
            let is_last = !new.iter().skip(at + 1).any(|(later, _)| later == name);
            if is_last && node.get(name).is_none() {
                rows.push(format!("{}:{value}", quote(name)));
            }
        }
        format!("{{{}}}", rows.join(","))
    }
}

impl New {
    fn read(sheet: &mut Sheet<'_>, value: &toml::Spanned<DeValue<'_>>) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            return sheet.json(value).map(Self::Whole);
        };
        let mut members = Vec::new();
        for (name, value) in table {
            members.push((name.get_ref().to_string(), sheet.json(value)?));
        }
        Some(Self::Members(members))
    }
}

/// Whether a value is what that JSON says: texts by their letters, all else as it is written.
fn equals(node: Node<'_>, json: &str) -> bool {
    match node.as_str() {
        Some(text) => quote(&text) == json,
        None => node.text() == json,
    }
}
