//! Variables of the environment that look like settings and are none.

use super::setting::Setting;
use super::settings::settings;
use super::{Problem, Source};

/// The environment variable that names the configuration file.
pub const FILE_VARIABLE: &str = "CHARTLOG_CONFIG";
/// How the variables of the program begin.
const PREFIX: &str = "CHARTLOG_";
/// Variables that are no settings: which file is read, and the token of commands that ask a server.
const OTHERS: [&str; 2] = [FILE_VARIABLE, "CHARTLOG_TOKEN"];
/// What Kubernetes sets in every container for a Service called `chartlog`: `CHARTLOG_SERVICE_HOST`, `CHARTLOG_PORT`,
/// `CHARTLOG_PORT_8080_TCP_ADDR` and so on.
const OF_KUBERNETES: [&str; 3] = ["CHARTLOG_SERVICE_", "CHARTLOG_PORT_", "CHARTLOG_PORT"];

/// A problem for each of these names that begins like one of the program's and is none. `master_key` may name one more:
/// `env:NAME`.
pub fn strangers<'a>(
    names: impl IntoIterator<Item = &'a String>,
    master_key: Option<&str>,
) -> Vec<Problem> {
    let known: Vec<String> = settings().map(Setting::variable).collect();
    let key = master_key.and_then(|source| source.strip_prefix("env:"));
    let is_known = |name: &str| {
        let [service, ports, port] = OF_KUBERNETES;
        !name.starts_with(PREFIX)
            || OTHERS.contains(&name)
            || key == Some(name)
            || name.starts_with(service)
            || name.starts_with(ports)
            || name == port
            || known.iter().any(|known| known == name)
    };
    let mut strange: Vec<_> = names.into_iter().filter(|name| !is_known(name)).collect();
    strange.sort();
    let problem = |name: &String| Problem {
        source: Source::Environment(name.clone()),
        keys: Vec::new(),
        message: format!(
            "no setting has this variable; the nearest is {}, and `chartlog config` lists all \
             settings: server.listen is CHARTLOG_SERVER_LISTEN",
            nearest(name, &known)
        ),
    };
    strange.into_iter().map(problem).collect()
}

/// Which of the known names ends like this one, or else takes the fewest changes to come to.
fn nearest<'a>(name: &str, known: &'a [String]) -> &'a str {
    let end = name.strip_prefix(PREFIX.trim_end_matches('_')).unwrap_or(name);
    let distance = |known: &&String| (!known.ends_with(end), strsim::levenshtein(name, known));
    known.iter().min_by_key(distance).map_or("", String::as_str)
}
