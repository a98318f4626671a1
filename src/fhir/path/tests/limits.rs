//! Expressions that explode end in an error that says which limit.

use proptest::prelude::*;

use super::super::{Context, Element, Expression, Value};
use super::{PATIENT, fails, outcome};
use crate::json::Document;

#[test]
fn what_explodes_is_cut_off() {
    let doubled = format!("('ab'){}", ".select($this & $this)".repeat(30));
    let squared = format!("(1|2|3|4|5|6|7|8|9|10){}", ".select(%resource.name.given)".repeat(20));
    fails(&[
        (&doubled, "a text has more than 1048576 bytes"),
        (&squared, "takes more steps than it may"),
        ("1.repeat($this + 1)", "takes more steps than it may"),
        (
            "descendants().select(%resource.descendants()).select(%resource.descendants())",
            "takes more steps",
        ),
    ]);
    let document = Document::parse(PATIENT).unwrap();
    let resource = Element::resource(document.root());
    let context = Context::of_resource(resource).with_steps(10);
    let name = Expression::parse("descendants().count()").unwrap();
    let error = name.items(&context, Some(&Value::Element(resource))).unwrap_err();
    assert!(error.is_limit(), "{error}");
}

proptest! {
    #[test]
    fn nothing_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "name", "given", "value", "$this", "$index", "%resource", ".", ".", "(", ")", "[", "]", "{}",
        "where(", "select(", "repeat(", "iif(", "first()", "count()", "descendants()", "sort(", ", ",
        " = ", " ~ ", " | ", " + ", " - ", " * ", " / ", " div ", " mod ", " & ", " < ", " in ", " and ",
        " is ", " as ", "Patient", "Integer", "1", "0", "2147483647", "79228162514264337593543950335",
        "0.0000000000000000000000000001", "'a'", "'\\u00e4'", "@2026", "@9999-12-31", "@T23:59:59.999",
        "1 year", "9999999999 years", "4 'mg'", "1 'Cel'", "true", "-", "power(", "round(", "exp()", "ln()",
        "lowBoundary(", "highBoundary()", "substring(", "toQuantity()", "split('a')", "replace('', 'x')",
        "matches('.*')", "resolve()", "type()", "aggregate($total + $this, ", "trace('t')",
    ]), 0..10)) {
        let _ = outcome(&parts.concat());
    }

    #[test]
    fn no_text_panics(text in "[a-zA-Z0-9.()'\\[\\]{}|=!~<>+*/&%$@:, ä`-]{0,40}") {
        let _ = outcome(&text);
    }

    #[test]
    fn computing_with_anything_does_not_panic(
        left in prop::sample::select(vec!["79228162514264337593543950335.0", "-79228162514264337593543950335.0", "0.0", "1", "2147483647", "@0001-01-01", "@9999", "@T00", "79228162514264337593543950335 'kg'", "-99999999 'Cel'"]),
        operator in prop::sample::select(vec!["+", "-", "*", "/", "div", "mod", "<", "=", "~"]),
        right in prop::sample::select(vec!["79228162514264337593543950335.0", "0.0000000000000000000000000001", "0", "-1", "79228162514264337593543950335 years", "-99999999999 'ms'", "1 'Ym'", "3 'wk'"]),
        function in prop::sample::select(vec!["", ".exp()", ".ln()", ".sqrt()", ".power(300000.5)", ".power(-9)", ".power(2147483647)", ".log(10)", ".lowBoundary()", ".highBoundary(28)", ".round(28)"]),
    ) {
        let _ = outcome(&format!("(({left}) {operator} ({right})){function}"));
        let _ = outcome(&format!("({left}){function}"));
    }
}
