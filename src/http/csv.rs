//! CSV as RFC 4180 has it, for people who open it in a spreadsheet.

/// What a spreadsheet takes for the beginning of a formula.
const FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Longest list in one cell, in bytes: the cells of the common spreadsheets hold 32,767 characters.
const LIST_BYTES_MAX: usize = 32_000;

/// Adds a row. A cell that a spreadsheet could take for a formula gets an apostrophe in front, which makes it a
/// text.
pub fn add_row<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let is_formula = cell.starts_with(FORMULAS);
        let is_quoted = cell.contains(['"', ',', '\r', '\n']);
        if is_quoted {
            out.push('"');
        }
        if is_formula {
            out.push('\'');
        }
        match is_quoted {
            true => {
                out.push_str(&cell.replace('"', "\"\""));
                out.push('"');
            }
            false => out.push_str(cell),
        }
    }
    out.push_str("\r\n");
}

/// A cell with several values, parted by spaces; when it would be too long, it says how many are missing.
#[must_use]
pub fn list(values: impl IntoIterator<Item = String>) -> String {
    let (mut cell, mut missing) = (String::new(), 0);
    for value in values {
        if missing > 0 || cell.len() + value.len() > LIST_BYTES_MAX {
            missing += 1;
            continue;
        }
        if !cell.is_empty() {
            cell.push(' ');
        }
        cell.push_str(&value);
    }
    match missing {
        0 => cell,
        missing => format!("{cell} [{missing} more]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_neutralised() {
        let mut out = String::new();
        let cells =
            ["a", "", "b,c", "say \"x\"", "two\r\nlines", "=1+1", "-\"2\"", "@x", "\tq", "\rq"];
        add_row(&mut out, cells);
        add_row(&mut out, ["+1", "1+1"]);
        let expected = "a,,\"b,c\",\"say \"\"x\"\"\",\"two\r\nlines\",'=1+1,\"'-\"\"2\"\"\",'@x,'\tq,\"'\rq\"\r\n\
                        '+1,1+1\r\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_long_list_says_what_is_missing() {
        assert_eq!(list(["a".to_owned(), "b".to_owned()]), "a b");
        let long = list((0..10_000).map(|at| format!("Observation/{at}")));
        assert!(long.len() < 32_767 && long.starts_with("Observation/0 Observation/1 "));
        let (shown, missing) = long.rsplit_once(" [").unwrap();
        let missing: usize = missing.strip_suffix(" more]").unwrap().parse().unwrap();
        assert_eq!(shown.split(' ').count() + missing, 10_000);
    }
}
