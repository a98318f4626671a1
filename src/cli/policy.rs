//! `chartlog policy check`: whether policies are right, and what they decide.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Failure, PolicyCheckArguments, out};
use crate::clock::Instant;
use crate::policies::{Case, Explanation, Policies, read};

/// How files of cases end.
const ENDING: &str = ".test.toml";

/// Checks the policies of a directory, and decides cases by them.
///
/// # Errors
///
/// [`Failure`]: the policies or the cases are wrong, or a case is decided otherwise than it says.
pub fn check(arguments: &PolicyCheckArguments) -> Result<(), Failure> {
    let texts = read(&arguments.directory).map_err(wrong)?;
    let policies = Policies::parse(&texts).map_err(wrong)?;
    let files = match arguments.cases.is_empty() {
        true => cases_of(&arguments.directory)?,
        false => arguments.cases.clone(),
    };
    let (mut lines, mut count, mut failed) = (Vec::new(), 0, 0);
    for file in files {
        let shown = file.display();
        let text = fs::read_to_string(&file);
        let text = text.map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
        let placed = |problem: String| format!("{shown}: {problem}");
        let cases = Case::parse(&text, Instant::now())
            .map_err(|problems| wrong(problems.into_iter().map(placed).collect()))?;
        for case in cases {
            let decided = case.decide(&policies);
            let is_met = case.is_met(&decided);
            count += 1;
            failed += usize::from(!is_met);
            lines.push(told(&case, &decided, is_met));
        }
    }
    for line in lines {
        out::tell(format_args!("{line}\n"))?;
    }
    out::tell(format_args!(
        "{} files of policies, {count} cases, {failed} not as they say\n",
        texts.len()
    ))?;
    match failed {
        0 => Ok(()),
        _ => Err(Failure::failed("cases are decided otherwise than they say")),
    }
}

fn cases_of(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries =
        entries.map_err(|error| Failure::usage(format!("{}: {error}", directory.display())))?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ENDING));
    paths.sort();
    Ok(paths)
}

/// One case: the decision, what took it, and what was to be decided instead.
fn told(case: &Case, decided: &Explanation, is_met: bool) -> String {
    let word = |permitted: bool| if permitted { "permit" } else { "deny" };
    let policies = match decided.policies.is_empty() {
        true => "no policy permits it".to_owned(),
        false => decided.policies.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let mut line = format!("{:6}  {}  (by {policies})", word(decided.permitted), case.name);
    for error in &decided.errors {
        line.push_str(&format!("\n        cannot be evaluated: {error}"));
    }
    if !is_met {
        let by = case.by.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        let by = if by.is_empty() { String::new() } else { format!(", by {by}") };
        let expected = case.expected.map_or("any decision", word);
        line.push_str(&format!("\n        it says: {expected}{by}"));
    }
    line
}

fn wrong(problems: Vec<String>) -> Failure {
    Failure::usage(problems.join("\n"))
}
