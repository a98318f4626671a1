//! `chartlog doctor`: whether a server can run here, with this configuration and this data.
//!
//! In: the configuration, and what the machine says. Out: a line for each thing that was examined, with what to do.
//! `machine` looks at what the system gives, `store` at the data directory and its keys, `network` at addresses.
//!
//! Never: writing anything, or taking the lock of a store; it may run beside a server.

mod finding;
mod machine;
mod network;
mod store;

use super::{DoctorArguments, Failure, out};
use crate::config::{Config, ConfigError, Loaded};
use crate::http::Tls;

use self::finding::{Finding, Verdict};
use super::served::{engine_options, rule_book};

/// Examines, and prints what it found.
///
/// # Errors
///
/// [`Failure`]: something must be mended.
pub fn run(
    loaded: Result<Loaded, ConfigError>,
    arguments: &DoctorArguments,
) -> Result<(), Failure> {
    let findings = match loaded {
        Ok(loaded) => examine(&loaded),
        Err(error) => vec![Finding::fail("configuration", error.to_string(), CONFIGURE)],
    };
    if arguments.json {
        out::json(&findings)?;
    } else {
        out::tell(findings.iter().map(Finding::line).collect::<String>())?;
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count() {
        0 => Ok(()),
        1 => Err(Failure::failed("one thing must be mended, as said above")),
        several => Err(Failure::failed(format!("{several} things must be mended, as said above"))),
    }
}

/// What to do about a wrong setting.
const CONFIGURE: &str = "mend it; `chartlog config --example` shows all settings";

fn examine(loaded: &Loaded) -> Vec<Finding> {
    let config = &loaded.config;
    let mut findings = vec![match &loaded.file {
        Some(file) => Finding::ok("configuration", format!("read from {}", file.display())),
        None => Finding::ok("configuration", "no file; `chartlog config` shows what is in force"),
    }];
    findings.push(files(config));
    findings.extend(store::examine(config));
    findings.extend(machine::examine(config));
    findings.extend(network::examine(config));
    findings
}

/// What the configuration names, read as a server reads it.
fn files(config: &Config) -> Finding {
    const CHECKED: &str = "files that the configuration names";
    let tls = Tls::open(&config.server).map(drop).map_err(|error| error.to_string());
    let said = |outcome: Result<(), Failure>| outcome.map_err(|failure| failure.message);
    let engine = said(engine_options(config).map(drop));
    let rules = said(rule_book(config, "http://localhost/fhir").map(drop));
    let wrong: Vec<String> = [tls, engine, rules].into_iter().filter_map(Result::err).collect();
    match wrong.is_empty() {
        true => Finding::ok(CHECKED, "certificates, policies and upcasters are right"),
        false => Finding::fail(CHECKED, wrong.join("; "), CONFIGURE),
    }
}
