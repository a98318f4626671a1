//! What a resource says about its own validity.

use crate::json::Node;

/// The code with which FHIR marks an entry that should never have been made.
const ENTERED_IN_ERROR: &str = "entered-in-error";

/// Whether the resource says that it was entered in error: in `status` (a code), or in
/// `verificationStatus` (a CodeableConcept, as Condition and AllergyIntolerance have it).
#[must_use]
pub fn is_entered_in_error(resource: Node<'_>) -> bool {
    let is_marked =
        |text: Option<std::borrow::Cow<'_, str>>| text.as_deref() == Some(ENTERED_IN_ERROR);
    let in_concept = |concept: Node<'_>| {
        let codings = concept.get("coding");
        codings
            .is_some_and(|codings| codings.items().any(|coding| is_marked(coding.get_str("code"))))
    };
    is_marked(resource.get_str("status"))
        || resource.get("verificationStatus").is_some_and(in_concept)
}

#[cfg(test)]
mod tests {
    use super::is_entered_in_error;
    use crate::json::Document;

    #[test]
    fn is_found_in_a_status_and_in_a_verification_status() {
        let cases = [
            (r#"{"status":"entered-in-error"}"#, true),
            (r#"{"status":"final"}"#, false),
            (r#"{"verificationStatus":{"coding":[{"code":"entered-in-error"}]}}"#, true),
            (r#"{"verificationStatus":{"coding":[{"code":"confirmed"}]}}"#, false),
            ("{}", false),
        ];
        for (text, expected) in cases {
            let document = Document::parse(text).unwrap();
            assert_eq!(is_entered_in_error(document.root()), expected, "{text}");
        }
    }
}
