//! Sends some days of a small hospital to a server, for the other examples to look at. Prints the time of the hospital's clock at the end.
//!
//! ```text
//! TOKEN=… cargo run --example hospital -- http://127.0.0.1:8080 [REQUESTS]
//! ```

#[path = "../shared/mod.rs"]
mod shared;

use std::error::Error;

use shared::hospital::{Hospital, Request};

/// Requests, if the command line does not say how many.
const REQUESTS: u64 = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().ok_or("usage: TOKEN=… hospital SERVER [REQUESTS]")?;
    let requests = arguments.next().map_or(Ok(REQUESTS), |number| number.parse())?;
    let authorization = format!("Bearer {}", shared::token()?);
    let mut hospital = Hospital::new(1);
    send(&server, &authorization, Hospital::opening())?;
    for _ in 0..requests {
        send(&server, &authorization, hospital.next())?;
    }
    println!("{}", hospital.time());
    Ok(())
}

fn send(server: &str, authorization: &str, request: Request) -> Result<(), ureq::Error> {
    let builder = ureq::http::Request::builder()
        .method(request.method)
        .uri(format!("{server}/fhir/{}", request.target).trim_end_matches('/'))
        .header("authorization", authorization)
        .header("content-type", "application/fhir+json");
    let body = request.body.map(|body| body.to_string()).unwrap_or_default();
    // What was deleted may be deleted once more.
    let agent: ureq::Agent =
        ureq::Agent::config_builder().allow_non_standard_methods(true).build().into();
    agent.run(builder.body(body)?)?;
    Ok(())
}
