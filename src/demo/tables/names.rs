//! Names of people, streets and towns. All invented combinations.

pub const FEMALE: [&str; 32] = [
    "Amelia",
    "Anna",
    "Beatriz",
    "Carmen",
    "Chloe",
    "Clara",
    "Deborah",
    "Elena",
    "Emma",
    "Fatima",
    "Grace",
    "Hannah",
    "Ingrid",
    "Isabel",
    "Josephine",
    "Julia",
    "Keiko",
    "Laura",
    "Leila",
    "Lucia",
    "Margaret",
    "Maria",
    "Mei",
    "Miriam",
    "Nadia",
    "Nora",
    "Olivia",
    "Priya",
    "Rosa",
    "Ruth",
    "Sofia",
    "Zoë",
];

pub const MALE: [&str; 32] = [
    "Adam", "Ahmed", "Anton", "Benjamin", "Carlos", "Daniel", "David", "Diego", "Edward", "Elias",
    "Felix", "George", "Hiroshi", "Ivan", "James", "José", "Joseph", "Kwame", "Liam", "Lucas",
    "Marcus", "Mateo", "Michael", "Nathan", "Noah", "Oscar", "Paul", "Peter", "Rafael", "Samuel",
    "Thomas", "Wei",
];

pub const FAMILY: [&str; 48] = [
    "Abbott", "Almeida", "Andersen", "Baker", "Bauer", "Bennett", "Brooks", "Carter", "Castillo",
    "Chen", "Costa", "Diallo", "Dubois", "Ellis", "Fischer", "Flores", "Foster", "García", "Gupta",
    "Haddad", "Hansen", "Hughes", "Ito", "Jensen", "Kaplan", "Keller", "Kim", "Kowalski",
    "Lambert", "Larsen", "Lopez", "Marino", "Mensah", "Moreau", "Murphy", "Nguyen", "Novak",
    "O'Brien", "Okafor", "Patel", "Petrov", "Ramos", "Reyes", "Rossi", "Schmidt", "Silva",
    "Tanaka", "Walker",
];

pub const STREETS: [&str; 16] = [
    "Ash Lane",
    "Bridge Street",
    "Cedar Avenue",
    "Chapel Road",
    "Church Street",
    "Elm Street",
    "Garden Way",
    "Harbor Road",
    "High Street",
    "Hill Road",
    "Lake Drive",
    "Maple Avenue",
    "Mill Lane",
    "Orchard Street",
    "River Road",
    "School Street",
];

#[derive(Clone, Copy, Default)]
pub struct Town {
    pub name: &'static str,
    pub postal_code: &'static str,
}

pub const STATE: &str = "MA";
pub const COUNTRY: &str = "US";

pub const TOWNS: [Town; 6] = [
    town("Ashby", "01431"),
    town("Harvard", "01451"),
    town("Lancaster", "01523"),
    town("Princeton", "01541"),
    town("Sterling", "01564"),
    town("Westminster", "01473"),
];

const fn town(name: &'static str, postal_code: &'static str) -> Town {
    Town { name, postal_code }
}
