//! Functions and operators on whole collections: FHIRPath N1 §5.1 to §5.4 and §6.4.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::context::{Context, EvaluationError, error};
use super::function::OnCollection;
use super::relation;
use super::value::{Collection, Text, Value, one};

type Outcome<T> = Result<T, EvaluationError>;

pub(super) fn call<'a>(
    context: &Context<'a>,
    function: OnCollection,
    mut items: Collection<'a>,
    argument: Collection<'a>,
) -> Outcome<Collection<'a>> {
    let boolean = |truth| Ok(smallvec![Value::Boolean(truth)]);
    match function {
        OnCollection::Empty => boolean(items.is_empty()),
        OnCollection::Not => Ok(one(truth(&items)?.map(|truth| Value::Boolean(!truth)))),
        OnCollection::AllTrue => boolean(truths(&items)?.iter().all(|truth| *truth)),
        OnCollection::AnyTrue => boolean(truths(&items)?.iter().any(|truth| *truth)),
        OnCollection::AllFalse => boolean(truths(&items)?.iter().all(|truth| !*truth)),
        OnCollection::AnyFalse => boolean(truths(&items)?.iter().any(|truth| !*truth)),
        OnCollection::Count => {
            let count = i32::try_from(items.len()).unwrap_or(i32::MAX);
            Ok(smallvec![Value::Integer(count)])
        }
        OnCollection::Single => Ok(one(single(items, "single")?)),
        OnCollection::First => {
            items.truncate(1);
            Ok(items)
        }
        OnCollection::Last => Ok(one(items.pop())),
        OnCollection::Tail => Ok(items.into_iter().skip(1).collect()),
        OnCollection::Skip => {
            let count = number_of_items(&argument)?;
            Ok(items.into_iter().skip(count).collect())
        }
        OnCollection::Take => {
            items.truncate(number_of_items(&argument)?);
            Ok(items)
        }
        OnCollection::Distinct => distinct(context, items),
        OnCollection::IsDistinct => {
            let count = items.len();
            boolean(distinct(context, items)?.len() == count)
        }
        OnCollection::Union => union(context, items, argument),
        OnCollection::Combine => {
            items.extend(argument);
            Ok(items)
        }
        OnCollection::SubsetOf => boolean(is_subset(context, items, argument)?),
        OnCollection::SupersetOf => boolean(is_subset(context, argument, items)?),
        OnCollection::Intersect => {
            let known = Distinct::of(context, argument)?;
            let kept = keep(context, items, |item| known.has(context, item))?;
            distinct(context, kept)
        }
        OnCollection::Exclude => {
            let known = Distinct::of(context, argument)?;
            keep(context, items, |item| known.has(context, item).map(|has| !has))
        }
    }
}

/// The only item: FHIRPath N1 §4.5, singleton evaluation.
///
/// # Errors
///
/// There are several.
pub(super) fn single<'a>(mut items: Collection<'a>, what: &str) -> Outcome<Option<Value<'a>>> {
    if items.len() > 1 {
        let count = items.len();
        return Err(error(format!("{what} takes one item, and there are {count}")));
    }
    Ok(items.pop())
}

/// The collection as a condition: what is there and is no boolean is true.
///
/// # Errors
///
/// There are several items.
pub(super) fn truth(items: &[Value<'_>]) -> Outcome<Option<bool>> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item.boolean().unwrap_or(true))),
        several => {
            let count = several.len();
            Err(error(format!("a condition has one item, and there are {count}")))
        }
    }
}

fn truths(items: &[Value<'_>]) -> Outcome<Vec<bool>> {
    let truth = |item: &Value<'_>| {
        item.boolean().ok_or_else(|| {
            error(format!("the items must be true or false, and one is a {}", item.type_name()))
        })
    };
    items.iter().map(truth).collect()
}

/// The whole number that an argument is.
///
/// # Errors
///
/// It is something else.
pub(super) fn integer(items: &[Value<'_>], what: &str) -> Outcome<Option<i32>> {
    match items {
        [] => Ok(None),
        [item] => match item.integer() {
            Some(integer) => Ok(Some(integer)),
            None => Err(error(format!("{what} is a whole number, not a {}", item.type_name()))),
        },
        _ => Err(error(format!("{what} is one number, and there are {}", items.len()))),
    }
}

fn number_of_items(argument: &[Value<'_>]) -> Outcome<usize> {
    let count = integer(argument, "a number of items")?;
    let count = count.ok_or_else(|| error("the number of items is missing"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The text that an argument is.
///
/// # Errors
///
/// It is something else.
pub(super) fn text<'a>(items: &[Value<'a>], what: &str) -> Outcome<Option<Text<'a>>> {
    match items {
        [] => Ok(None),
        [item] => match item.text() {
            Some(text) => Ok(Some(text)),
            None => Err(error(format!("{what} is a text, not a {}", item.type_name()))),
        },
        _ => Err(error(format!("{what} is one text, and there are {}", items.len()))),
    }
}

/// `a | b`
pub(super) fn union<'a>(
    context: &Context<'a>,
    mut items: Collection<'a>,
    others: Collection<'a>,
) -> Outcome<Collection<'a>> {
    // Most alternatives of a search parameter are about other types.
    if items.len() + others.len() <= 1 {
        items.extend(others);
        return Ok(items);
    }
    items.extend(others);
    distinct(context, items)
}

fn distinct<'a>(context: &Context<'a>, items: Collection<'a>) -> Outcome<Collection<'a>> {
    Ok(Distinct::of(context, items)?.into_items())
}

fn is_subset<'a>(
    context: &Context<'a>,
    items: Collection<'a>,
    of: Collection<'a>,
) -> Outcome<bool> {
    let known = Distinct::of(context, of)?;
    for item in &items {
        if !known.has(context, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn keep<'a>(
    context: &Context<'a>,
    items: Collection<'a>,
    is_kept: impl Fn(&Value<'a>) -> Outcome<bool>,
) -> Outcome<Collection<'a>> {
    context.charge(items.len())?;
    let mut kept = Collection::new();
    for item in items {
        if is_kept(&item)? {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// `a contains b`: whether an item is among them.
pub(super) fn contains<'a>(
    context: &Context<'a>,
    items: &[Value<'a>],
    item: &[Value<'a>],
) -> Outcome<Collection<'a>> {
    let found = match item {
        [] => return Ok(Collection::new()),
        [item] => {
            let mut found = false;
            for one in items {
                context.charge(1)?;
                found = found || relation::same(context, one, item)? == Some(true);
            }
            found
        }
        _ => return Err(error("what is looked for is one item")),
    };
    Ok(smallvec![Value::Boolean(found)])
}

/// Items of which no two are equal.
#[derive(Default)]
pub(super) struct Distinct<'a> {
    items: Collection<'a>,
    /// Where the items with a hash are; empty as long as they are few.
    places: FxHashMap<u64, SmallVec<[usize; 1]>>,
}

/// Up to so many items are compared one by one.
const FEW_ITEMS: usize = 8;

impl<'a> Distinct<'a> {
    fn of(context: &Context<'a>, items: Collection<'a>) -> Outcome<Self> {
        let mut distinct = Self::default();
        for item in items {
            distinct.add(context, item)?;
        }
        Ok(distinct)
    }

    pub(super) fn items(&self) -> &[Value<'a>] {
        &self.items
    }

    pub(super) fn into_items(self) -> Collection<'a> {
        self.items
    }

    pub(super) fn add(&mut self, context: &Context<'a>, item: Value<'a>) -> Outcome<()> {
        if self.has(context, &item)? {
            return Ok(());
        }
        self.items.push(item);
        if self.items.len() == FEW_ITEMS {
            for (at, item) in self.items.iter().enumerate() {
                self.places.entry(relation::hash_of(item)).or_default().push(at);
            }
        } else if self.items.len() > FEW_ITEMS
            && let Some(item) = self.items.last()
        {
            let places = self.places.entry(relation::hash_of(item)).or_default();
            places.push(self.items.len() - 1);
        }
        Ok(())
    }

    fn has(&self, context: &Context<'a>, item: &Value<'a>) -> Outcome<bool> {
        let is_same = |known: &Value<'a>| {
            context.charge(1)?;
            Ok(relation::same(context, known, item)? == Some(true))
        };
        if self.items.len() < FEW_ITEMS {
            for known in &self.items {
                if is_same(known)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let places = self.places.get(&relation::hash_of(item));
        for known in places.into_iter().flatten().filter_map(|at| self.items.get(*at)) {
            if is_same(known)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// By what an item is sorted: each key, and whether it is in reverse.
pub(super) type Keys<'a> = Vec<(Option<Value<'a>>, bool)>;

/// Items in the order of their keys, each of which may be in reverse; what has no key stands first in
/// both orders.
pub(super) fn sort<'a>(
    context: &Context<'a>,
    mut keyed: Vec<(Keys<'a>, Value<'a>)>,
) -> Outcome<Collection<'a>> {
    let mut problem = None;
    keyed.sort_by(|(keys, _), (others, _)| {
        let mut order = Ordering::Equal;
        for ((key, is_reverse), (other, _)) in keys.iter().zip(others) {
            let compared = match (key, other) {
                (Some(key), Some(other)) => {
                    context.charge(1).and_then(|()| relation::compare(key, other))
                }
                (one, other) => {
                    order = order.then(one.is_some().cmp(&other.is_some()));
                    continue;
                }
            };
            let compared = compared.unwrap_or_else(|error| {
                problem.get_or_insert(error);
                None
            });
            let compared = compared.unwrap_or(Ordering::Equal);
            order = order.then(if *is_reverse { compared.reverse() } else { compared });
        }
        order
    });
    match problem {
        Some(problem) => Err(problem),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}
