//! FHIRPath N1 §6: operators, and §6.8, which of them bind closer.

use super::{fails, leads};

#[test]
fn logic_has_three_values() {
    let values = ["true", "false", "{}"];
    let tables = [
        ("and", ["true", "false", "", "false", "false", "false", "", "false", ""]),
        ("or", ["true", "true", "true", "true", "false", "", "true", "", ""]),
        ("xor", ["false", "true", "", "true", "false", "", "", "", ""]),
        ("implies", ["true", "false", "", "true", "true", "true", "true", "", ""]),
    ];
    for (operator, expected) in tables {
        let pairs = values.iter().flat_map(|left| values.iter().map(move |right| (left, right)));
        for ((left, right), expected) in pairs.zip(expected) {
            leads(&[(&format!("{left} {operator} {right}"), expected)]);
        }
    }
    leads(&[
        ("true.not()", "false"),
        ("{}.not()", ""),
        ("false and (1 | 2)", "false"),
        ("true or (1 | 2).not()", "true"),
        ("'a' and true", "true"),
    ]);
    fails(&[("(true | false) and true", "a condition has one item, and there are 2")]);
}

#[test]
fn equality_is_of_values_in_order() {
    leads(&[
        ("1 = 1.0", "true"),
        ("1 = '1'", "false"),
        ("'a' = 'A'", "false"),
        ("(1 | 2) = (1 | 2)", "true"),
        ("(1 | 2) = (2 | 1)", "false"),
        ("(1 | 2) = 1", "false"),
        ("1 = {}", ""),
        ("1 != 2", "true"),
        ("gender = 'female'", "true"),
        ("active = true", "true"),
        ("multipleBirth = 2", "true"),
        ("name[0] = name[0]", "true"),
        ("name[0] = name[1]", "false"),
        ("name.first() != name.last()", "true"),
        ("@2026 = @2026", "true"),
        ("@2026 = @2026-03", ""),
        ("@2026 = @2025-03", "false"),
        ("@2026-03-01T10:00:00Z = @2026-03-01T11:00:00+01:00", "true"),
        ("@2026-03-01T10:00:00 = @2026-03-01T10:00:00Z", ""),
        ("@2026-03-01T10:00:00 = @2026-03-05T10:00:00Z", "false"),
        ("@T10:30 = @T10:30:00", ""),
        ("@2026-03-01 = @T10:30", "false"),
        ("1 'g' = 1000 'mg'", "true"),
        ("1 'g' = 1 'm'", ""),
        ("1 year = 1 'a'", ""),
        ("1 year = 12 months", "true"),
        ("1 week = 7 'd'", "true"),
        ("37 'Cel' = 98.6 '[degF]'", "true"),
        ("extension('http://e/weight').value = 70.5 'kg'", "true"),
        ("extension('http://e/weight').value = 70500 'g'", "true"),
        ("extension('http://e/dose').value = 3 'kg'", "false"),
        ("extension('http://e/since').value = @2026-03-01T09:00:00Z", "true"),
    ]);
}

#[test]
fn equivalence_forgives_case_order_and_digits() {
    leads(&[
        ("'a  b' ~ 'A B'", "true"),
        ("(1 | 2) ~ (2 | 1)", "true"),
        ("(1 | 2) ~ (2 | 3)", "false"),
        ("{} ~ {}", "true"),
        ("1 ~ {}", "false"),
        ("1.5 ~ 1.49", "true"),
        ("1.5 ~ 1.44", "false"),
        ("4 'g' ~ 4040 'mg'", "true"),
        ("1 year ~ 1 'a'", "true"),
        ("@2026 ~ @2026-03", "false"),
        ("1 !~ 2", "true"),
    ]);
}

#[test]
fn order_is_within_a_type() {
    leads(&[
        ("1 < 1.5", "true"),
        ("2 <= 2", "true"),
        ("'b' > 'a'", "true"),
        ("'b' >= 'c'", "false"),
        ("{} < 1", ""),
        ("@2026-03 < @2026-04-01", "true"),
        ("@2026-03 < @2026-03-01", ""),
        ("@2026-03-01T10:00 > @2026-03-01T09:59:59", "true"),
        ("@T10:30 < @T10:31", "true"),
        ("1 'kg' > 999 'g'", "true"),
        ("1 'kg' > 1 'm'", ""),
        ("extension('http://e/weight').value > 70 'kg'", "true"),
    ]);
    fails(&[
        ("1 < 'a'", "System.Integer and System.String have no order (at byte 2"),
        ("true < false", "have no order"),
        ("name[0] < name[1]", "FHIR.HumanName and FHIR.HumanName have no order"),
        ("(1 | 2) < 3", "takes one item, and there are 2"),
    ]);
}

#[test]
fn arithmetic_is_exact() {
    leads(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("0.1 + 0.2", "0.3"),
        ("1.10 + 1", "2.10"),
        ("3 - 5", "-2"),
        ("7 / 2", "3.5"),
        ("7 div 2", "3"),
        ("-7 div 2", "-3"),
        ("7 mod 4", "3"),
        ("7 / 0", ""),
        ("7 div 0", ""),
        ("7 mod 0", ""),
        ("2147483647 + 1", ""),
        (
            "79228162514264337593543950335.0 * 10.0",
            "not parsed: the number has more than 28 digits",
        ),
        ("7922816251426433759354395033.5 * 100.0", ""),
        ("'a' + 'b'", "'ab'"),
        ("'a' + {}", ""),
        ("'a' & {}", "'a'"),
        ("-(3)", "-3"),
        ("+3", "3"),
        ("-1 'g'", "-1 'g'"),
        ("1 'kg' + 500 'g'", "1.5 'kg'"),
        ("1 'kg' - 500 'g'", "0.5 'kg'"),
        ("2 'm' * 3 'm' = 6 'm2'", "true"),
        ("6 'm2' / 3 'm' = 2 'm'", "true"),
        ("6 'g' / 2", "3 'g'"),
        ("1 'kg' + 1 'm'", ""),
    ]);
    fails(&[
        ("'a' - 'b'", "there is no such operation on System.String and System.String (at byte 4"),
        ("1 + 'a'", "there is no such operation"),
        ("@2026-03-01 + 7", "there is no such operation on System.Date and System.Integer"),
        ("-'a'", "a System.String has no sign"),
        ("true + 1", "there is no such operation"),
    ]);
}

#[test]
fn dates_move_by_the_calendar() {
    leads(&[
        ("@2026-01-31 + 1 month", "@2026-02-28"),
        ("@2024-02-29 + 1 year", "@2025-02-28"),
        ("@2026-03-01 - 1 day", "@2026-02-28"),
        ("@2026-03-01 + 1.9 days", "@2026-03-02"),
        ("@2026-03-01 + 36 hours", "@2026-03-02"),
        ("@2026 + 24 months", "@2028"),
        ("@2026-03 + 31 days", "@2026-04"),
        ("@2026-03-01T23:30:00 + 45 minutes", "@2026-03-02T00:15:00"),
        ("@2026-03-01T10:00:00.000Z + 1500 milliseconds", "@2026-03-01T10:00:01.500Z"),
        ("@2026-03-01T10:00:00.000 + 0.1 's'", "@2026-03-01T10:00:00.100"),
        ("@T23:30 + 1 hour", "@00:30"),
        ("@2026-03-01 + 1 'wk'", "@2026-03-08"),
        ("@9999-12-31 + 1 day", ""),
        ("@2026-03-01 + {}", ""),
    ]);
    fails(&[
        ("@2026-03-01 + 1 'mo'", "the unit 'mo' is a mean; a calendar has 'year' and 'month'"),
        ("@2026-03-01 + 1 'cm'", "'cm' is no duration"),
        ("@T10:00 + 1 day", "a time has no years, months, weeks or days"),
    ]);
}

#[test]
fn collections_are_asked_for_items() {
    leads(&[
        ("1 in (1 | 2)", "true"),
        ("3 in (1 | 2)", "false"),
        ("{} in (1 | 2)", ""),
        ("(1 | 2) contains 2", "true"),
        ("{} contains 1", "false"),
        ("(1 | 2 | 2 | 1.0).count()", "2"),
        ("name.given | 'Eva' | 'Ana'", "\"Ana\", no value, \"Eva\""),
    ]);
    fails(&[("(1 | 2) in (1 | 2)", "what is looked for is one item")]);
}

#[test]
fn some_operators_bind_closer() {
    leads(&[
        ("1 + 2 = 3 and 2 > 1", "true"),
        ("false or true and false", "false"),
        ("true implies false or true", "true"),
        ("1 | 2 = 2", "false"),
        ("(1 | 2).count() = 2 and 1 in (1 | 2)", "true"),
        ("1 + 1 is Integer", "true"),
        ("-2.abs()", "-2"),
        ("gender as code = 'female'", "true"),
    ]);
    fails(&[("1 > 2 is Boolean", "have no order"), ("-1.convertsToInteger()", "has no sign")]);
}
