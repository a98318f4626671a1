//! An account ledger with double entries. A `ChargeItem` earns what is not billed yet; an `Invoice` bills it to the patient; a `Claim` asks
//! the insurer for it instead. Each moves an amount from one account to another, so all accounts together always hold
//! nothing. Units are hundredths of a currency's unit (cents), whole numbers throughout.

use chartlog::clock::Instant;
use chartlog::feed::projection::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::shared::ledger::{Amount, Balances, Ledger};
use super::shared::{Fold, Reference, exact};

/// The types of resources that it is made from.
pub const TYPES: &str = "ChargeItem,Invoice,Claim";
/// Digits behind the point of an amount.
const PLACES: usize = 2;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounts(Ledger);

impl Accounts {
    pub fn at(&self, moment: Instant) -> Balances {
        self.0.balances(moment)
    }
}

impl Fold for Accounts {
    fn take(&mut self, event: &Event) {
        let body = event.body.as_deref().map_or("", |body| body.get());
        self.0.take(event, amounts(body, event.patient.as_deref()));
    }
}

/// What the three types say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    resource_type: String,
    status: String,
    // Of a ChargeItem.
    price_override: Option<Money>,
    // Of a ChargeItem and an Invoice.
    subject: Option<Reference>,
    // Of an Invoice.
    total_gross: Option<Money>,
    // Of a Claim.
    patient: Option<Reference>,
    total: Option<Money>,
}

#[derive(Deserialize)]
struct Money {
    value: Option<Box<RawValue>>,
    currency: Option<String>,
}

/// What a resource in a chart moves; what is planned, cancelled or entered in error, or is of another type, moves nothing.
pub fn amounts(resource: &str, patient: Option<&str>) -> Vec<Amount> {
    serde_json::from_str(resource)
        .ok()
        .and_then(|bill| moved(bill, patient))
        .map_or_else(Vec::new, Vec::from)
}

fn moved(bill: Bill, patient: Option<&str>) -> Option<[Amount; 2]> {
    let (from, to, statuses, subject, money) = match bill.resource_type.as_str() {
        "ChargeItem" => {
            let counts = ["billable", "billed"];
            ("revenue", "unbilled", counts, bill.subject, bill.price_override)
        }
        "Invoice" => {
            let counts = ["issued", "balanced"];
            ("unbilled", "patients", counts, bill.subject, bill.total_gross)
        }
        "Claim" => ("patients", "insurers", ["active"; 2], bill.patient, bill.total),
        _ => return None,
    };
    let counts =
        statuses.contains(&bill.status.as_str()) && Reference::is_of(subject.as_ref(), patient);
    let money = money.filter(|_| counts && patient.is_some())?;
    let (units, currency) = (exact(money.value?.get(), PLACES)?, money.currency?);
    let amount = |account: &str, units| Amount { account: format!("{account} {currency}"), units };
    Some([amount(from, -units), amount(to, units)])
}
