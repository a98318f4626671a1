//! Operators between truths, of which there are three: FHIRPath N1 §6.5.

use super::context::EvaluationError;
use super::syntax::Operator;

/// Two truths combined; the right side is asked only if it matters.
pub(super) fn combined(
    operator: Operator,
    left: Option<bool>,
    right: impl FnOnce() -> Result<Option<bool>, EvaluationError>,
) -> Result<Option<bool>, EvaluationError> {
    Ok(match (operator, left) {
        (Operator::And, Some(false)) => Some(false),
        (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => Some(true),
        (Operator::Xor, None) => None,
        (Operator::And, left) => match (left, right()?) {
            (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        (Operator::Or, left) => match (left, right()?) {
            (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        (Operator::Xor, Some(left)) => right()?.map(|right| left != right),
        // `implies`
        (_, left) => match (left, right()?) {
            (_, Some(true)) => Some(true),
            (Some(true), Some(false)) => Some(false),
            _ => None,
        },
    })
}
