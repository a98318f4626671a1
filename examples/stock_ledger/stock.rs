//! A stock ledger: what was delivered to a place (`SupplyDelivery`) and what was given out there (`MedicationDispense`). Accounts
//! are a place and an item; units are thousandths.

use chartlog::clock::Instant;
use chartlog::feed::projection::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::shared::ledger::{Amount, Balances, Ledger};
use super::shared::{Fold, Reference, exact};

/// The types of resources that it is made from.
pub const TYPES: &str = "SupplyDelivery,MedicationDispense";
/// Digits behind the point of a quantity.
const PLACES: usize = 3;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock(Ledger);

impl Stock {
    pub fn at(&self, moment: Instant) -> Balances {
        self.0.balances(moment)
    }
}

impl Fold for Stock {
    fn take(&mut self, event: &Event) {
        let body = event.body.as_deref().map_or("", |body| body.get());
        self.0.take(event, amounts(body, event.patient.as_deref()));
    }
}

/// What both types say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Movement {
    resource_type: String,
    status: Option<String>,
    // Of a SupplyDelivery.
    patient: Option<Reference>,
    destination: Option<Reference>,
    supplied_item: Option<Item>,
    // Of a MedicationDispense.
    subject: Option<Reference>,
    location: Option<Reference>,
    medication_codeable_concept: Option<Concept>,
    quantity: Option<Quantity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    quantity: Option<Quantity>,
    item_codeable_concept: Option<Concept>,
}

#[derive(Deserialize)]
struct Concept {
    #[serde(default)]
    coding: Vec<Coding>,
}

#[derive(Deserialize)]
struct Coding {
    code: Option<String>,
}

#[derive(Deserialize)]
struct Quantity {
    value: Option<Box<RawValue>>,
}

/// What a resource in a chart (or in none) moves; whatever is not completed, or is of another type, moves nothing.
pub fn amounts(resource: &str, patient: Option<&str>) -> Vec<Amount> {
    serde_json::from_str(resource)
        .ok()
        .and_then(|movement| amount(movement, patient))
        .into_iter()
        .collect()
}

fn amount(movement: Movement, patient: Option<&str>) -> Option<Amount> {
    let (sign, subject, place, quantity, item) = match movement.resource_type.as_str() {
        "SupplyDelivery" => {
            let item = movement.supplied_item?;
            let (quantity, item) = (item.quantity, item.item_codeable_concept);
            (1, movement.patient, movement.destination, quantity, item)
        }
        "MedicationDispense" => {
            let item = movement.medication_codeable_concept;
            (-1, movement.subject, movement.location, movement.quantity, item)
        }
        _ => return None,
    };
    let counts = movement.status.as_deref() == Some("completed")
        && Reference::is_of(subject.as_ref(), patient);
    let units = exact(quantity?.value?.get(), PLACES).filter(|_| counts)?;
    let item = item?.coding.into_iter().next()?.code?;
    Some(Amount { account: format!("{} {item}", place?.reference?), units: sign * units })
}
