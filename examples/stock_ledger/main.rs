//! The stock of a server's places, now or at a past moment, as JSON, in thousandths.
//!
//! ```text
//! TOKEN=… cargo run --example stock_ledger -- http://127.0.0.1:8080 stock.json [2026-03-01T10:05:00Z …]
//! ```
//!
//! `stock.json` keeps the view: the next run reads only what has come since.

#[path = "../shared/mod.rs"]
mod shared;
mod stock;

use std::error::Error;

use chartlog::clock::Instant;
use stock::{Stock, TYPES};

fn main() -> Result<(), Box<dyn Error>> {
    let (server, file, moments) = shared::arguments("stock_ledger SERVER FILE [INSTANT…]")?;
    let view: Stock = shared::caught_up(&server, &file, TYPES)?;
    if moments.is_empty() {
        println!("{}", serde_json::to_string(&view.at(Instant::now()))?);
    }
    for moment in moments {
        let moment = Instant::parse(&moment).ok_or(format!("{moment} is not an instant"))?;
        println!("{}", serde_json::to_string(&view.at(moment))?);
    }
    Ok(())
}
