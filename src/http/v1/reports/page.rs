//! A report as a page to be printed: one file, without scripts, and nothing is loaded.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::super::markup::escaped;
use super::text;
use crate::audit::{Cell, Report};

const STYLE: &str = "\
:root{font:14px/1.4 system-ui,sans-serif;color:#111;background:#fff}\
body{margin:2rem}\
h1{font-size:1.5rem;margin:0 0 .5rem}\
p{margin:.2rem 0;max-width:70rem}\
table{border-collapse:collapse;width:100%;margin-top:1rem;font-size:.85rem}\
th,td{border:1px solid #999;padding:.3rem .4rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
th{background:#eee}\
td.number{text-align:right}\
thead{display:table-header-group}\
tr{break-inside:avoid}\
@page{size:A4 landscape;margin:1.5cm}\
@media print{:root{font-size:10px}body{margin:0}}";

/// What a browser may do with the page: show it, with its own style.
pub fn policy() -> String {
    let style = BASE64.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// The whole page.
pub fn written(report: &Report) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
        title = escaped(report.title)
    );
    if let Some(patient) = &report.patient {
        out.push_str(&format!("<p>Patient: {}</p>\n", escaped(patient)));
    }
    let (since, until) = (report.since.to_string(), report.until.to_string());
    out.push_str(&format!("<p>From {} to {}</p>\n", shortened(&since), shortened(&until)));
    for note in &report.notes {
        out.push_str(&format!("<p>{}</p>\n", escaped(note)));
    }
    out.push_str("<table>\n<thead><tr>");
    for column in report.columns {
        out.push_str(&format!("<th scope=\"col\">{}</th>", escaped(column.title)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &report.rows {
        out.push_str("<tr>");
        row.iter().for_each(|cell| add_cell(&mut out, cell));
        out.push_str("</tr>\n");
    }
    let count = report.rows.len();
    out.push_str(&format!("</tbody>\n</table>\n<p>Rows: {count}</p>\n</body>\n</html>\n"));
    out
}

fn add_cell(out: &mut String, cell: &Cell) {
    let text = text(cell, ", ");
    out.push_str(&match cell {
        Cell::Moment(_) => format!("<td><time>{}</time></td>", shortened(&text)),
        Cell::Number(_) => format!("<td class=\"number\">{text}</td>"),
        Cell::Nothing | Cell::Text(_) | Cell::Texts(_) => format!("<td>{}</td>", escaped(&text)),
    });
}

/// A moment to the second, for people.
fn shortened(moment: &str) -> String {
    let seconds = moment.get(..19).unwrap_or(moment);
    format!("{} UTC", escaped(&seconds.replace('T', " ")))
}
