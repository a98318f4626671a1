//! The balances of a server's accounts, now or at a past moment, as JSON, in hundredths of a currency's unit.
//!
//! ```text
//! TOKEN=… cargo run --example account_ledger -- http://127.0.0.1:8080 account.json [2026-03-01T10:05:00Z …]
//! ```
//!
//! `account.json` keeps the view: the next run reads only what has come since.

mod account;
#[path = "../shared/mod.rs"]
mod shared;

use std::error::Error;

use account::{Accounts, TYPES};
use chartlog::clock::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let (server, file, moments) = shared::arguments("account_ledger SERVER FILE [INSTANT…]")?;
    let view: Accounts = shared::caught_up(&server, &file, TYPES)?;
    if moments.is_empty() {
        println!("{}", serde_json::to_string(&view.at(Instant::now()))?);
    }
    for moment in moments {
        let moment = Instant::parse(&moment).ok_or(format!("{moment} is not an instant"))?;
        println!("{}", serde_json::to_string(&view.at(moment))?);
    }
    Ok(())
}
