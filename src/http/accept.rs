//! Which media types a client takes: the header `Accept` (RFC 9110 §12.5.1).

/// Most ranges that are looked at; more are as if they were not.
const RANGES_MAX: usize = 64;
/// The one version of FHIR that is spoken, in the parameter of FHIR's media types (R4 §2.1.0.5).
const FHIR_VERSION: &str = "4.0";

/// The ranges of a header, each with how much it is wanted, in thousandths.
#[derive(Debug, Clone, Default)]
pub struct Accept(Vec<(String, u16)>);

impl Accept {
    /// Reads a header; without one, everything is taken.
    #[must_use]
    pub fn of(header: Option<&str>) -> Self {
        let header = header.unwrap_or("*/*");
        Self(header.split(',').take(RANGES_MAX).filter_map(range).collect())
    }

    /// How much a media type is wanted, in thousandths; 0: not at all. The most specific range
    /// that names it decides.
    #[must_use]
    pub fn quality(&self, media_type: &str) -> u16 {
        let family = media_type.split_once('/').map_or(media_type, |(family, _)| family);
        let exact = self.named(media_type);
        let exact = exact.or_else(|| self.named(&format!("{family}/*")));
        exact.or_else(|| self.named("*/*")).unwrap_or(0)
    }

    /// Whether resources are wanted in a form of FHIR's own, whichever it is (R4 §2.1.0.6).
    #[must_use]
    pub fn names_fhir(&self) -> bool {
        self.0.iter().any(|(range, wanted)| *wanted > 0 && range.starts_with("application/fhir+"))
    }

    /// How much a media type is wanted by its own name.
    #[must_use]
    pub fn named(&self, range: &str) -> Option<u16> {
        let ranges = self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(range));
        ranges.map(|(_, quality)| *quality).max()
    }
}

/// One range; none if it does not read, or is of another version of FHIR.
fn range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next()?.to_ascii_lowercase();
    range.contains('/').then_some(())?;
    let mut quality = 1_000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value)?,
            "fhirversion" if value != FHIR_VERSION => return None,
            _ => {}
        }
    }
    Some((range, quality))
}

/// `0`, `1`, or one of them with up to three digits behind the point (RFC 9110 §12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" => Some(1_000),
        _ => None,
    }
}

/// Whether a header `Accept-Encoding` takes gzip (RFC 9110 §12.5.3).
#[must_use]
pub fn takes_gzip(header: Option<&str>) -> bool {
    let quality = |wanted: &str| {
        header.unwrap_or_default().split(',').find_map(|coding| {
            let (name, rest) = coding.split_once(';').unwrap_or((coding, ""));
            let quality = rest.trim().strip_prefix("q=").map_or(Some(1_000), thousandths);
            name.trim().eq_ignore_ascii_case(wanted).then(|| quality.unwrap_or(0))
        })
    };
    quality("gzip").or_else(|| quality("*")).is_some_and(|quality| quality > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_most_specific_range_decides() {
        let cases = [
            (None, 1_000),
            (Some("*/*"), 1_000),
            (Some("application/fhir+json"), 1_000),
            (Some("Application/FHIR+JSON; fhirVersion=4.0"), 1_000),
            (Some("application/fhir+json;fhirVersion=3.0"), 0),
            (Some("application/fhir+json;fhirVersion=3.0, */*;q=0.1"), 100),
            (Some("application/*;q=0.5"), 500),
            (Some("text/html, */*;q=0.8"), 800),
            (Some("application/fhir+json;q=0, */*"), 0),
            (Some("application/fhir+json; q=0.05, application/*"), 50),
            (Some("application/fhir+xml, text/turtle"), 0),
            (Some("nonsense"), 0),
            (Some("application/fhir+json;q=2"), 0),
            (Some(""), 0),
        ];
        for (header, quality) in cases {
            assert_eq!(Accept::of(header).quality("application/fhir+json"), quality, "{header:?}");
        }
    }

    #[test]
    fn gzip_is_taken_when_it_is_asked_for() {
        for header in ["gzip", "deflate, GZIP;q=0.5", "br, *", "*;q=0.1"] {
            assert!(takes_gzip(Some(header)), "{header}");
        }
        for header in ["", "br", "identity", "gzip;q=0", "*, gzip;q=0", "*;q=0.000"] {
            assert!(!takes_gzip(Some(header)), "{header}");
        }
        assert!(!takes_gzip(None));
    }

    proptest! {
        #[test]
        fn never_panics(header in ".{0,60}", other in "[a-z*/;=,.0-9 ]{0,40}") {
            for header in [&header, &other] {
                let _ = Accept::of(Some(header)).quality("application/fhir+json");
                let _ = takes_gzip(Some(header));
            }
        }
    }
}
