//! FHIR's Period: from one date to another, each of any precision (FHIR R4 §2.24.0.8).

use super::search::Span;
use crate::clock::Instant;
use crate::json::Node;

/// A time, open at an end that is not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first microsecond since 1970-01-01T00:00:00Z.
    from: Option<i64>,
    /// The last.
    to: Option<i64>,
}

impl Period {
    /// What a Period says.
    #[must_use]
    pub fn of(period: Node<'_>) -> Self {
        let span = |name: &str| Span::named(&period.get_str(name)?);
        Self { from: span("start").map(|span| span.from), to: span("end").map(|span| span.to) }
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn contains(self, moment: Instant) -> bool {
        let moment = moment.micros();
        self.from.is_none_or(|from| from <= moment) && self.to.is_none_or(|to| moment <= to)
    }

    /// The next moment at which that changes.
    #[must_use]
    pub fn changes_after(self, moment: Instant) -> Option<Instant> {
        let ends = [self.from, self.to.map(|to| to.saturating_add(1))];
        let later = ends.into_iter().flatten().filter(|end| *end > moment.micros());
        later.min().map(Instant::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn a_period_holds_its_days_and_tells_when_it_ends() {
        let at = |text: &str| Instant::from_micros(Span::named(text).unwrap().from);
        let of = |text: &str| Period::of(Document::parse(text).unwrap().root());
        let march = of(r#"{"start":"2026-03","end":"2026-03"}"#);
        assert!(march.contains(at("2026-03-01")) && march.contains(at("2026-03-31T23:59:59Z")));
        assert!(!march.contains(at("2026-02-28")) && !march.contains(at("2026-04-01")));
        assert_eq!(march.changes_after(at("2026-01-01")), Some(at("2026-03-01")));
        assert_eq!(march.changes_after(at("2026-03-05")), Some(at("2026-04-01")));
        assert_eq!(march.changes_after(at("2026-04-01")), None);
        assert!(of("{}").contains(at("1900")) && of(r#"{"start":"2026"}"#).contains(at("2999")));
    }
}
