//! Generated data: some days of a small hospital, as requests to a server. The same seed gives the same days.
#![allow(clippy::indexing_slicing)] // Of JSON values: what is not there is null.

use std::collections::BTreeMap;

use chartlog::clock::Instant;
use serde_json::{Value, json};

/// 2026-03-01T06:00:00Z, in minutes since 1970.
const START_MINUTES: i64 = 29_538_840;
const PATIENTS: u64 = 8;
const BEDS: u64 = 10;
const STORES: u64 = 2;
const ITEMS: [&str; 3] = ["gauze", "saline", "gloves"];

/// A request.
pub struct Request {
    pub method: &'static str,
    /// Behind the base of the FHIR API; empty: a transaction.
    pub target: String,
    pub body: Option<Value>,
}

/// The days, request by request.
pub struct Hospital {
    random: u64,
    minutes: i64,
    /// The resources as they are, by `Type/id`; those that were deleted too: they may come back.
    resources: BTreeMap<String, Value>,
    created: u64,
}

impl Hospital {
    pub fn new(seed: u64) -> Self {
        Self { random: seed, minutes: START_MINUTES, resources: BTreeMap::new(), created: 0 }
    }

    /// The time of the hospital's clock, as FHIR has it.
    pub fn time(&self) -> String {
        Instant::from_micros(self.minutes * 60_000_000).to_string()
    }

    /// The patients and places, in one transaction: before all others.
    pub fn opening() -> Request {
        let patients = (1..=PATIENTS)
            .map(|number| json!({ "resourceType": "Patient", "id": format!("ward-{number}") }));
        let beds = (1..=BEDS).map(|number| {
            json!({ "resourceType": "Location", "id": format!("bed-{number}"), "name": format!("Bed {number}") })
        });
        let stores = (1..=STORES).map(|number| {
            json!({ "resourceType": "Location", "id": format!("store-{number}"), "name": format!("Store {number}") })
        });
        let payer = json!({ "resourceType": "Organization", "id": "clinic", "name": "Clinic" });
        transaction(patients.chain(beds).chain(stores).chain([payer]))
    }

    /// What happens next: something new, a change, a correction, a retraction, a deletion, or several at once.
    pub fn next(&mut self) -> Request {
        self.minutes += self.below(30) as i64;
        match self.below(10) {
            0 => {
                let several: Vec<Value> =
                    (0..2 + self.below(4)).map(|_| self.new_resource()).collect();
                transaction(several)
            }
            1..5 => put(self.new_resource()),
            _ => self.change(),
        }
    }

    fn new_resource(&mut self) -> Value {
        self.created += 1;
        let id = format!("h{}", self.created);
        let patient = self.patient();
        let is_inside = self
            .resources
            .values()
            .any(|one| one["status"] == "in-progress" && one["subject"] == patient);
        let resource = match self.below(6) {
            0 | 1 if !is_inside => {
                let stay = json!({ "location": self.bed(), "period": { "start": self.time() } });
                json!({
                    "resourceType": "Encounter", "id": id, "status": "in-progress", "subject": patient,
                    "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP" },
                    "period": { "start": self.time() }, "location": [stay],
                })
            }
            2 => {
                let mut delivery = json!({
                    "resourceType": "SupplyDelivery", "id": id, "status": "completed", "destination": self.store(),
                    "suppliedItem": { "quantity": self.quantity(2_000), "itemCodeableConcept": self.item() },
                });
                // Most is for nobody in particular.
                if self.below(3) == 0 {
                    delivery["patient"] = patient;
                }
                delivery
            }
            3 => json!({
                "resourceType": "MedicationDispense", "id": id, "status": "completed", "subject": patient,
                "location": self.store(), "quantity": self.quantity(200), "medicationCodeableConcept": self.item(),
            }),
            4 => json!({
                "resourceType": "ChargeItem", "id": id, "status": "billable", "subject": patient,
                "code": { "text": "a day on the ward" }, "priceOverride": self.money(),
            }),
            _ if self.below(2) == 0 => json!({
                "resourceType": "Invoice", "id": id, "status": "issued", "subject": patient,
                "totalGross": self.money(),
            }),
            _ => json!({
                "resourceType": "Claim", "id": id, "status": "active", "use": "claim", "patient": patient,
                "type": { "text": "institutional" }, "created": "2026-03-01", "priority": { "text": "normal" },
                "provider": { "reference": "Organization/clinic" }, "total": self.money(),
                "insurance": [{ "sequence": 1, "focal": true, "coverage": { "display": "statutory" } }],
            }),
        };
        self.resources.insert(key(&resource), resource.clone());
        resource
    }

    fn change(&mut self) -> Request {
        let number = self.below(self.resources.len().max(1) as u64) as usize;
        let Some(mut resource) = self.resources.values().nth(number).cloned() else {
            return put(self.new_resource());
        };
        match self.below(8) {
            0 => return Request { method: "DELETE", target: key(&resource), body: None },
            1 => resource["status"] = json!("entered-in-error"),
            // It was written into the wrong chart.
            2 => {
                let other = self.patient();
                for field in ["subject", "patient"] {
                    if resource[field].is_object() {
                        resource[field] = other.clone();
                    }
                }
            }
            _ if resource["resourceType"] == "Encounter" => self.move_on(&mut resource),
            _ => {
                for field in ["priceOverride", "totalGross", "total"] {
                    if resource[field].is_object() {
                        resource[field] = self.money();
                    }
                }
                match resource["resourceType"].as_str() {
                    Some("SupplyDelivery") => {
                        resource["suppliedItem"]["quantity"] = self.quantity(2_000);
                    }
                    Some("MedicationDispense") => resource["quantity"] = self.quantity(200),
                    _ => {}
                }
            }
        }
        self.resources.insert(key(&resource), resource.clone());
        put(resource)
    }

    /// Another bed from now on, home, or a correction of where the patient has been all the time.
    fn move_on(&mut self, encounter: &mut Value) {
        let (bed, now, turn) = (self.bed(), self.time(), self.below(4));
        let Some(stays) = encounter["location"].as_array_mut() else { return };
        let Some(last) = stays.last_mut() else { return };
        if turn == 0 {
            last["location"] = bed;
        } else if last["period"]["end"].is_null() {
            last["period"]["end"] = json!(now);
            if turn == 1 {
                encounter["status"] = json!("finished");
                encounter["period"]["end"] = json!(now);
            } else {
                stays.push(json!({ "location": bed, "period": { "start": now } }));
            }
        }
    }

    fn patient(&mut self) -> Value {
        json!({ "reference": format!("Patient/ward-{}", 1 + self.below(PATIENTS)) })
    }

    /// A bed in which nobody is, if there is one.
    fn bed(&mut self) -> Value {
        let first = self.below(BEDS);
        let beds = (0..BEDS).map(|step| format!("Location/bed-{}", 1 + (first + step) % BEDS));
        let beds: Vec<String> = beds.collect();
        let free = beds
            .iter()
            .find(|bed| !self.stays().any(|stay| stay["location"]["reference"] == **bed));
        json!({ "reference": free.or(beds.first()) })
    }

    /// Where those are who are there.
    fn stays(&self) -> impl Iterator<Item = &Value> {
        let inside = self.resources.values().filter(|one| one["status"] == "in-progress");
        inside.filter_map(|encounter| encounter["location"].as_array()?.last())
    }

    fn store(&mut self) -> Value {
        json!({ "reference": format!("Location/store-{}", 1 + self.below(STORES)) })
    }

    fn item(&mut self) -> Value {
        let at = self.below(ITEMS.len() as u64) as usize;
        json!({ "coding": [{ "system": "http://example.org/items", "code": ITEMS.get(at) }] })
    }

    fn quantity(&mut self, limit: u64) -> Value {
        json!({ "value": self.decimal(limit, 3), "unit": "piece" })
    }

    fn money(&mut self) -> Value {
        json!({ "value": self.decimal(2_000, 2), "currency": "EUR" })
    }

    /// A number that floating point often does not hold exactly.
    fn decimal(&mut self, limit: u64, places: u32) -> Value {
        let (whole, part) = (self.below(limit), self.below(10u64.pow(places)));
        let text = format!("{whole}.{part:0places$}", places = places as usize);
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A number below a limit (SplitMix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn key(resource: &Value) -> String {
    let part = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", part("resourceType"), part("id"))
}

fn put(resource: Value) -> Request {
    Request { method: "PUT", target: key(&resource), body: Some(resource) }
}

fn transaction(resources: impl IntoIterator<Item = Value>) -> Request {
    let entry = |resource: Value| {
        let request = json!({ "method": "PUT", "url": key(&resource) });
        json!({ "resource": resource, "request": request })
    };
    let entries: Vec<Value> = resources.into_iter().map(entry).collect();
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    Request { method: "POST", target: String::new(), body: Some(bundle) }
}
