//! Long lists in an order that was asked for: page by page, while others write, they are what a plain
//! sort of everything says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use chartlog::records::{Action, Change, Records, Target, Write};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::clinic::{block_on, grant, key, open, options, put, search};
use crate::history::{runner, seed};

/// Resources of each type, far more than are sorted at once.
const COUNT: usize = 1_300;
/// Changes in one commit.
const TOGETHER: usize = 150;
/// Minutes that stand for an end that is open.
const OPEN: i64 = 1 << 40;

/// When an Observation was made, in minutes.
#[derive(Debug, Clone, PartialEq)]
enum When {
    Never,
    At(i64),
    Between(Option<i64>, Option<i64>),
}

/// A content.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Observation(When),
    Patient(Vec<String>),
    Removed,
}

/// What was written.
#[derive(Debug, Default)]
struct Model {
    commits: usize,
    /// By number, the last change of each resource: of which commit it is part, and the content.
    last: BTreeMap<usize, (usize, Step)>,
    /// Resources in the order in which they were first there.
    order: Vec<usize>,
}

fn when() -> impl Strategy<Value = When> {
    // So few minutes that many are the same.
    let minute = 0i64..200;
    prop_oneof![
        1 => Just(When::Never),
        6 => minute.clone().prop_map(When::At),
        3 => (minute.clone(), 0i64..300).prop_map(|(from, length)| {
            When::Between(Some(from), Some(from + length))
        }),
        // Longer than periods that the index keeps as one.
        2 => (minute.clone(), 2_000i64..9_000).prop_map(|(from, length)| {
            When::Between(Some(from), Some(from + length))
        }),
        1 => minute.clone().prop_map(|from| When::Between(Some(from), None)),
        1 => minute.prop_map(|to| When::Between(None, Some(to))),
    ]
}

fn patient() -> impl Strategy<Value = Step> {
    // The index keeps the first 24 bytes of a text.
    let name = prop_oneof![
        "[a-d]{1,2}",
        "[a-d]{1,2}",
        "abcdefghijklmnopqrstuvwx[a-d]{0,2}",
        "[áß]{1,2}[a-c]"
    ];
    prop::collection::vec(name, 0..3).prop_map(Step::Patient)
}

fn steps<S: Strategy<Value = Step>>(strategy: S, count: usize, seed: u64) -> Vec<Step> {
    let strategy = prop::collection::vec(strategy, count..=count);
    strategy.new_tree(&mut runner(seed, 1)).unwrap().current()
}

fn time(minute: i64) -> String {
    let (day, rest) = (minute / 1_440, minute % 1_440);
    format!("2024-02-{:02}T{:02}:{:02}:00.000Z", 1 + day, rest / 60, rest % 60)
}

impl Step {
    fn change(&self, number: usize) -> Change {
        let (name, text) = match self {
            Self::Removed => {
                let target = Target::Key(key(&format!("Observation/r{number}")));
                return Change::new(target, Action::Remove);
            }
            Self::Patient(names) => {
                let names: Vec<_> =
                    names.iter().map(|name| format!(r#"{{"family":"{name}"}}"#)).collect();
                let names = match names.is_empty() {
                    true => String::new(),
                    false => format!(r#","name":[{}]"#, names.join(",")),
                };
                (format!("Patient/r{number}"), names)
            }
            Self::Observation(when) => {
                let mut text = r#","status":"final","code":{"text":"x"}"#.to_owned();
                match when {
                    When::Never => {}
                    When::At(minute) => {
                        write!(text, r#","effectiveDateTime":"{}""#, time(*minute)).unwrap();
                    }
                    When::Between(from, to) => {
                        let end = |name, end: &Option<i64>| {
                            end.map(|end| format!(r#""{name}":"{}""#, time(end)))
                        };
                        let ends: Vec<_> =
                            [end("start", from), end("end", to)].into_iter().flatten().collect();
                        write!(text, r#","effectivePeriod":{{{}}}"#, ends.join(",")).unwrap();
                    }
                }
                (format!("Observation/r{number}"), text)
            }
        };
        let (kind, id) = name.split_once('/').unwrap();
        put(&format!(r#"{{"resourceType":"{kind}","id":"{id}"{text}}}"#), Target::Key(key(&name)))
    }

    /// What it is sorted by.
    fn sort_key(&self, descending: bool) -> Option<String> {
        match self {
            Self::Removed | Self::Observation(When::Never) => None,
            Self::Observation(When::At(minute)) => Some(format!("{:020}", minute + OPEN)),
            Self::Observation(When::Between(from, to)) => {
                let end = match descending {
                    true => to.unwrap_or(OPEN),
                    false => from.unwrap_or(-OPEN),
                };
                Some(format!("{:020}", end + OPEN))
            }
            Self::Patient(names) => {
                let folded = names.iter().map(|name| name.replace('á', "a").replace('ß', "ss"));
                if descending { folded.max() } else { folded.min() }
            }
        }
    }
}

/// Writes contents, some in each commit.
fn play(store: &Arc<Records>, model: &mut Model, steps: Vec<(usize, Step)>) {
    for part in steps.chunks(TOGETHER) {
        let changes = part.iter().map(|(number, step)| step.change(*number)).collect();
        let write = Write { changes, ..Write::default() };
        block_on(store.write(&grant(), Arc::new(write))).unwrap();
        for (number, step) in part {
            // What is as it was makes no version.
            if model.last.get(number).is_none_or(|(_, last)| last != step) {
                model.last.insert(*number, (model.commits, step.clone()));
            }
            if !matches!(step, Step::Removed) && !model.order.contains(number) {
                model.order.push(*number);
            }
        }
        model.commits += 1;
    }
}

/// The ids in the order of a rule.
fn expected(model: &Model, rule: &str) -> Vec<String> {
    let (name, descending) = match rule.strip_prefix('-') {
        Some(name) => (name, true),
        None => (rule, false),
    };
    let versions = model.order.iter().map(|number| (number, &model.last[number]));
    let live = versions.filter(|(_, (_, step))| !matches!(step, Step::Removed));
    let keyed = live.map(|(number, (commit, step))| {
        let key = match name {
            "_lastUpdated" => Some(format!("{commit:020}")),
            _ => step.sort_key(descending),
        };
        (key, *number)
    });
    let mut keyed: Vec<_> = keyed.collect();
    // Equals stay as they were.
    keyed.sort_by(|(one, _), (other, _)| match (one, other) {
        (Some(one), Some(other)) if descending => other.cmp(one),
        (Some(one), Some(other)) => one.cmp(other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    });
    keyed.iter().map(|(_, number)| format!("r{number}")).collect()
}

/// Walks all pages; between the first ones, `meanwhile` is called.
fn walked(
    store: &Records,
    kind: &str,
    query: &str,
    mut meanwhile: impl FnMut(usize),
) -> Vec<String> {
    let mut request = search(kind, query, 160);
    let mut found = Vec::new();
    for page in 0.. {
        let answer = store.search(&grant(), &request).unwrap();
        found.extend(answer.matches.iter().map(|one| one.key.id.to_string()));
        let Some(next) = answer.next else { break };
        request.start = Some(next);
        meanwhile(page);
    }
    found
}

fn check(kind: &str, rules: &[(&str, &str)], strategy: impl Strategy<Value = Step> + Clone) {
    let seed = seed();
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), &options(64, 1 << 24)).unwrap();
    let mut model = Model::default();
    let first = steps(strategy.clone(), COUNT, seed);
    play(&store, &mut model, first.into_iter().enumerate().collect());
    for (turn, (rule, criteria)) in (1..).zip(rules) {
        let then = expected(&model, rule);
        let more = steps(strategy.clone(), 3 * TOGETHER, seed.wrapping_add(turn));
        let mut more = more.into_iter().enumerate();
        let found = walked(&store, kind, &format!("{criteria}_sort={rule}"), |page| {
            if page < 3 {
                let part = more.by_ref().take(TOGETHER);
                let part = part.map(|(at, step)| ((at * 31 + page) % COUNT, step));
                // Each resource once in a commit.
                let part: BTreeMap<usize, Step> = part.collect();
                play(&store, &mut model, part.into_iter().collect());
            }
        });
        assert_eq!(found, then, "{kind}?_sort={rule}");
    }
    for (rule, criteria) in rules {
        let found = walked(&store, kind, &format!("{criteria}_sort={rule}"), |_| {});
        assert_eq!(found, expected(&model, rule), "{kind}?_sort={rule}");
    }
}

#[test]
fn observations_by_date_and_by_time_of_change() {
    let step = prop_oneof![
        12 => when().prop_map(Step::Observation),
        1 => Just(Step::Removed),
    ];
    let rules = [
        ("date", ""),
        ("-date", ""),
        ("date", "status=final&"),
        ("-_lastUpdated", ""),
        ("_lastUpdated", ""),
        ("-_lastUpdated", "status=final&"),
    ];
    check("Observation", &rules, step.boxed());
}

#[test]
fn patients_by_name() {
    check("Patient", &[("family", ""), ("-family", "")], patient().boxed());
}
