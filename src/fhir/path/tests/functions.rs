//! FHIRPath N1 §5, and the functions of the draft after it.

use super::{fails, leads};

#[test]
fn existence() {
    leads(&[
        ("{}.empty()", "true"),
        ("name.empty()", "false"),
        ("name.exists()", "true"),
        ("name.exists(use = 'old')", "true"),
        ("name.exists(use = 'nickname')", "false"),
        ("name.all(given.exists())", "true"),
        ("name.all(family.exists())", "false"),
        ("{}.all(false)", "true"),
        ("(true | false).allTrue()", "false"),
        ("(true | false).anyTrue()", "true"),
        ("(true | false).allFalse()", "false"),
        ("(true | false).anyFalse()", "true"),
        ("{}.allTrue()", "true"),
        ("{}.anyTrue()", "false"),
        ("(1 | 2).subsetOf(1 | 2 | 3)", "true"),
        ("(1 | 2).supersetOf(1)", "true"),
        ("(1 | 2).supersetOf(3)", "false"),
        ("(1 | 2).count()", "2"),
        ("1.combine(1).distinct()", "1"),
        ("1.combine(1).isDistinct()", "false"),
        ("(1|2|3|4|5|6|7|8|9|10|11|12).combine(1|2|12|13).distinct().count()", "13"),
        ("name.given.combine(name.given).distinct().count()", "3"),
    ]);
    fails(&[(
        "(1 | true).allTrue()",
        "the items must be true or false, and one is a System.Integer",
    )]);
}

#[test]
fn filtering_and_subsetting() {
    leads(&[
        ("name.where(use = 'old').given", "\"Ana\""),
        ("name.where($index = 1).use", "\"old\""),
        ("name.select(use & '!')", "'official!', 'old!'"),
        ("(1 | 2 | 3).select($this * 2)", "2, 4, 6"),
        ("(1 | 2 | 3).select($index)", "0, 1, 2"),
        ("5.repeat(iif($this > 0, $this - 1, {}))", "4, 3, 2, 1, 0"),
        ("(1 | 'a' | true).ofType(Integer)", "1"),
        ("(1 | 2 | 3)[1]", "2"),
        ("(1 | 2 | 3)[3]", ""),
        ("(1 | 2 | 3)[-1]", ""),
        ("(1 | 2).first()", "1"),
        ("(1 | 2).last()", "2"),
        ("(1 | 2 | 3).tail()", "2, 3"),
        ("(1 | 2 | 3).skip(2)", "3"),
        ("(1 | 2 | 3).skip(-1)", "1, 2, 3"),
        ("(1 | 2 | 3).take(2)", "1, 2"),
        ("(1 | 2 | 3).take(-1)", ""),
        ("1.single()", "1"),
        ("{}.single()", ""),
        ("(1 | 2 | 3).intersect(2 | 3 | 4)", "2, 3"),
        ("1.combine(1).combine(2).exclude(2)", "1, 1"),
        ("(1 | 2).union(2 | 3)", "1, 2, 3"),
        ("(1 | 2).combine(2 | 3)", "1, 2, 2, 3"),
        ("(3 | 1 | 2).sort()", "1, 2, 3"),
        ("(3 | 1 | 2).sort(-$this)", "3, 2, 1"),
        ("name.sort(family).use", "\"old\", \"official\""),
        ("(1 | 2 | 3).aggregate($this + $total, 0)", "6"),
        ("(1 | 2 | 3).aggregate(iif($total.empty(), $this, $total * 10 + $this))", "123"),
        ("iif(true, 1, 1 < 'a')", "1"),
        ("iif({}, 1)", ""),
        ("name.first().iif(use = 'official', 'yes', 'no')", "'yes'"),
        ("defineVariable('n', name.count()).select(%n + 1)", "3"),
        ("name.defineVariable('u', use).where(%u contains use).count()", "2"),
    ]);
    fails(&[
        ("(1 | 2).single()", "single takes one item, and there are 2 (at byte 8"),
        ("iif('a', 1, 2)", "the condition of iif is true or false, not a System.String"),
        ("iif(true | false, 1)", "the condition of iif has more than one item"),
        ("(1 | 2).iif(true, 1)", "iif takes one item"),
        ("(1 | 2).skip('a')", "a number of items is a whole number, not a System.String"),
        ("(1 | 'a').sort()", "have no order"),
        ("name.where(given = 'x' or (1 | 2))", "a condition has one item"),
        ("defineVariable('resource')", "the variable %resource is defined already"),
        ("name.select(defineVariable('x', 1)).where(%x = 1)", "there is no variable %x"),
        ("%unknown", "there is no variable %unknown (at byte 0"),
    ]);
}

#[test]
fn conversion() {
    leads(&[
        ("'true'.toBoolean() and 'Y'.toBoolean() and 1.toBoolean() and 1.0.toBoolean()", "true"),
        ("'x'.toBoolean()", ""),
        ("2.convertsToBoolean()", "false"),
        ("'12'.toInteger()", "12"),
        ("'1.5'.toInteger()", ""),
        ("true.toInteger()", "1"),
        ("'1.50'.toDecimal()", "1.50"),
        ("'1.'.toDecimal()", ""),
        (
            "1.toString() & 1.50.toString() & true.toString() & @2026-03.toString()",
            "'11.50true2026-03'",
        ),
        ("4 'mg'.toString()", "'4 \\'mg\\''".replace("\\'", "'").as_str()),
        ("'2026-03-01'.toDate()", "@2026-03-01"),
        ("'2026-03-01T10:00:00Z'.toDate()", "@2026-03-01"),
        ("'2026-13'.toDate()", ""),
        ("'2026-03-01T10:30:00+01:00'.toDateTime()", "@2026-03-01T10:30:00+01:00"),
        ("@2026.toDateTime()", "@2026"),
        ("'10:30'.toTime()", "@10:30"),
        ("'25:00'.convertsToTime()", "false"),
        ("'4 days'.toQuantity()", "4 days"),
        ("'4 \\'mg\\''.toQuantity() = 4 'mg'", "true"),
        ("'4 mg'.toQuantity()", ""),
        ("1.toQuantity()", "1 '1'"),
        ("1 'g'.toQuantity('mg')", "1000 'mg'"),
        ("1 'g'.convertsToQuantity('m')", "false"),
        ("{}.toInteger()", ""),
        ("name[0].convertsToString()", "false"),
    ]);
    fails(&[("(1 | 2).toString()", "a conversion takes one item")]);
}

#[test]
fn texts() {
    leads(&[
        ("'abc'.indexOf('c')", "2"),
        ("'äbc'.indexOf('c')", "2"),
        ("'abc'.indexOf('x')", "-1"),
        ("'abcabc'.lastIndexOf('b')", "4"),
        ("'abc'.substring(1)", "'bc'"),
        ("'abc'.substring(1, 1)", "'b'"),
        ("'abc'.substring(3)", ""),
        ("'abc'.startsWith('ab') and 'abc'.endsWith('bc') and 'abc'.contains('b')", "true"),
        ("'aB'.upper() & 'aB'.lower()", "'ABab'"),
        ("'abab'.replace('a', 'x')", "'xbxb'"),
        ("'abc'.matches('b')", "true"),
        ("'abc'.matches('^b$')", "false"),
        ("'a\\nb'.matches('a.b')", "true"),
        ("'abc'.matchesFull('b')", "false"),
        ("'abc'.matchesFull('a.c')", "true"),
        ("'2026-03-01'.replaceMatches('(\\\\d+)-(\\\\d+)-(\\\\d+)', '$3.$2.$1')", "'01.03.2026'"),
        ("'abc'.matches('a' & 'b')", "true"),
        ("'äb'.length()", "2"),
        ("'ab'.toChars()", "'a', 'b'"),
        ("'a,b,,c'.split(',')", "'a', 'b', '', 'c'"),
        ("('a' | 'b').join('-')", "'a-b'"),
        ("('a' | 'b').join()", "'ab'"),
        ("' a '.trim()", "'a'"),
        ("'a<b'.escape('html').unescape('html')", "'a<b'"),
        ("'a\"b'.escape('json')", "'a\\\"b'"),
        ("'äb'.encode('base64').decode('base64')", "'äb'"),
        ("'ab'.encode('hex')", "'6162'"),
        ("{}.upper()", ""),
        ("'abc'.startsWith({})", ""),
    ]);
    fails(&[
        ("1.upper()", "the input is a text, not a System.Integer (at byte 2"),
        ("'a'.startsWith(1)", "the argument is a text"),
        ("('a' | 'b').upper()", "the input is one text, and there are 2"),
        ("'a'.matches('(' & '')", "the regular expression is not understood"),
        ("'a'.matches('(((a{100}){100}){100}){100}')", "the regular expression takes more than"),
        ("'a'.encode('rot13')", "known are the codings"),
        ("'zz'.decode('hex')", "the text is not the hex of a text"),
    ]);
}

#[test]
fn numbers() {
    leads(&[
        ("(-5).abs()", "5"),
        (
            "1.1.ceiling() & ''",
            "error: the left side of '&' is a text, not a System.Integer (at byte 14 of the expression)",
        ),
        ("(-1.1).ceiling()", "-1"),
        ("(-1.1).floor()", "-2"),
        ("(-1.9).truncate()", "-1"),
        ("2.5.round()", "3"),
        ("3.14159.round(3)", "3.142"),
        ("0.exp()", "1"),
        ("1.ln()", "0"),
        ("16.log(2)", "4"),
        ("2.power(10)", "1024"),
        ("2.power(-1)", "0.5"),
        ("2.power(31)", ""),
        ("4.power(0.5)", "2"),
        ("(-1).power(0.5)", ""),
        ("81.sqrt()", "9"),
        ("(-1).sqrt()", ""),
        ("(-1.5 'g').abs()", "1.5 'g'"),
        ("{}.abs()", ""),
    ]);
    fails(&[("'a'.abs()", "the input is a number, not a System.String")]);
}

#[test]
fn dates_and_precision() {
    leads(&[
        ("today()", "@2026-03-01"),
        ("now()", "@2026-03-01T12:30:15.250Z"),
        ("timeOfDay()", "@12:30:15.250"),
        ("@2026-03-01T10:30:15.250+01:00.yearOf()", "2026"),
        ("@2026-03-01T10:30:15.250+01:00.monthOf()", "3"),
        ("@2026-03-01T10:30:15.250+01:00.hourOf()", "10"),
        ("@2026-03-01T10:30:15.250+01:00.millisecondOf()", "250"),
        ("@2026-03-01T10:30:15.250+01:30.timezoneOffsetOf()", "1.5"),
        ("@2026-03-01T10:30:15Z.dateOf()", "@2026-03-01"),
        ("@2026-03-01T10:30:15Z.timeOf()", "@10:30:15"),
        ("@2026.monthOf()", ""),
        ("@2026-02.lowBoundary()", "@2026-02-01"),
        ("@2026-02.highBoundary()", "@2026-02-28"),
        ("@2026-02-01T10:30Z.highBoundary()", "@2026-02-01T10:30:59.999Z"),
        ("@2026-02-01T10.lowBoundary(12)", "@2026-02-01T10:00+14:00"),
        ("@T10.highBoundary()", "@10:59:59.999"),
        ("1.58.lowBoundary()", "1.57500000"),
        ("1.58.highBoundary(1)", "1.6"),
        ("1 'cm'.highBoundary(2)", "1.50 'cm'"),
        ("1.lowBoundary(99)", ""),
        ("1.580.precision()", "3"),
        ("@2026-03.precision()", "6"),
        ("1 'cm'.comparable(1 'm')", "true"),
        ("1 'cm'.comparable(1 's')", "false"),
    ]);
    fails(&[
        ("'a'.yearOf()", "the input is a date or a time"),
        ("true.lowBoundary()", "no boundaries"),
    ]);
}
