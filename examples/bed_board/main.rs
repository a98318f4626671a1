//! The bed board of a server, now or at a past minute, as JSON: each place with who is there.
//!
//! ```text
//! TOKEN=… cargo run --example bed_board -- http://127.0.0.1:8080 board.json [2026-03-01T10:05:00Z …]
//! ```
//!
//! `board.json` keeps the view: the next run reads only what has come since.

mod board;
#[path = "../shared/mod.rs"]
mod shared;

use std::error::Error;

use board::{BedBoard, TYPES};
use chartlog::clock::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let (server, file, moments) = shared::arguments("bed_board SERVER FILE [INSTANT…]")?;
    let view: BedBoard = shared::caught_up(&server, &file, TYPES)?;
    if moments.is_empty() {
        println!("{}", serde_json::to_string(&view.at(Instant::now()))?);
    }
    for moment in moments {
        let moment = Instant::parse(&moment).ok_or(format!("{moment} is not an instant"))?;
        println!("{}", serde_json::to_string(&view.at(moment))?);
    }
    Ok(())
}
