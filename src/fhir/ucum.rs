//! Units of measure: UCUM, on which FHIR R4 §2.24.0.5 (Quantity) rests.
//!
//! In: a code. Out: the canonical unit of the same dimension, and how a number becomes one in it.

use std::sync::{Arc, LazyLock};

use octofhir_ucum::{evaluate, get_canonical_units, parse_expression};
use quick_cache::sync::Cache;

/// The system of UCUM codes.
pub const SYSTEM: &str = "http://unitsofmeasure.org";

/// The unit in which quantities of a dimension compare. A number in the stated unit, times the factor, plus
/// the offset, is one in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// Its code, the same for all units that compare.
    pub unit: Arc<str>,
    /// Mantissa, and exponent of ten.
    pub factor: (i128, i32),
    /// Mantissa, and exponent of ten.
    pub offset: (i128, i32),
}

/// The canonical unit of a code, worked out once for each code that is in use; `None` if UCUM does not know
/// the code, or its scale is not linear.
#[must_use]
pub fn canonical(code: &str) -> Option<Canonical> {
    /// Longer codes are not units that anybody measures in.
    const CODE_BYTES_MAX: usize = 100;
    /// More than a clinic uses.
    const CODES_KEPT: usize = 1_000;
    static KNOWN: LazyLock<Cache<Box<str>, Option<Canonical>>> =
        LazyLock::new(|| Cache::new(CODES_KEPT));
    if code.len() > CODE_BYTES_MAX {
        return None;
    }
    if let Some(known) = KNOWN.get(code) {
        return known;
    }
    let canonical = work_out(code);
    KNOWN.insert(code.into(), canonical.clone());
    canonical
}

fn work_out(code: &str) -> Option<Canonical> {
    // Called first, for it does not search for similar units, which takes long.
    evaluate(&parse_expression(code).ok()?).ok()?;
    let canonical = get_canonical_units(code).ok()?;
    Some(Canonical {
        unit: canonical.unit.as_str().into(),
        factor: canonical.factor.to_integer_and_exponent(),
        offset: canonical.offset.to_integer_and_exponent(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_dimension_have_one_canonical_unit() {
        for (one, other) in [("mg", "kg"), ("[lb_av]", "g"), ("[in_i]", "cm"), ("Cel", "[degF]")] {
            assert_eq!(canonical(one).unwrap().unit, canonical(other).unwrap().unit);
        }
        assert_ne!(canonical("mg").unwrap().unit, canonical("s").unwrap().unit);
        assert_eq!(canonical("lbs"), None);
        assert_eq!(canonical(&"m".repeat(1_000)), None);
    }
}
