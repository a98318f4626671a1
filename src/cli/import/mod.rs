//! `chartlog import`
use super::{Failure, ImportArguments};
use crate::config::Config;
use crate::demo;

/// placeholder
pub fn run(_config: Config, arguments: ImportArguments) -> Result<(), Failure> {
    let _ = arguments.target()?;
    Err(Failure::failed("not yet"))
}

/// Loads the synthetic clinic.
pub fn load_demo(base: &str, token: &str, options: &demo::Options) -> Result<(), Failure> {
    for (at, bundle) in demo::clinic(options).enumerate() {
        let key = format!("demo-{}-{at}", options.seed);
        let answer = ureq::post(&format!("{base}/fhir"))
            .header("authorization", &format!("Bearer {token}"))
            .header("content-type", "application/fhir+json")
            .header("idempotency-key", &key)
            .config()
            .http_status_as_error(false)
            .build()
            .send(&serde_json::to_vec(&bundle).unwrap_or_default());
        let mut answer = answer.map_err(Failure::failed)?;
        if !answer.status().is_success() {
            return Err(Failure::failed(answer.body_mut().read_to_string().unwrap_or_default()));
        }
    }
    Ok(())
}
