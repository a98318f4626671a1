//! Narrative: XHTML with text, tables, lists, images and links, and nothing that acts: FHIR R4
//! §2.4.0, invariants txt-1 and txt-2.

use super::markup::{Scanner, Token, is_white, resolved};
use crate::fhir::types::quotable;

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// Chapters 7 to 11 and 15 of HTML 4.0, links and images; no forms, scripts, frames, objects.
const ELEMENTS: [&str; 53] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// No event handlers among them.
const ATTRIBUTES: [&str; 49] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
];

/// Schemes of links that do not act.
const SCHEMES: [&str; 8] = ["cid", "ftp", "http", "https", "mailto", "sip", "tel", "urn"];

/// What is wrong with the text of `Narrative.div`: the first thing.
pub(super) fn wrong(div: &str) -> Option<String> {
    let mut scanner = Scanner::new(div.trim_matches(is_white));
    let problem = rules(&mut scanner).err()?;
    Some(format!("{problem} (character {} of the narrative)", scanner.character()))
}

fn rules(scanner: &mut Scanner<'_>) -> Result<(), String> {
    let (mut element, mut has_namespace, mut has_content) = ("", false, false);
    if scanner.token()? != Some(Token::Open("div")) {
        return Err("narrative is one <div> element of XHTML".to_owned());
    }
    let (mut depth_is_root, mut is_closed) = (true, false);
    while let Some(token) = scanner.token()? {
        if is_closed {
            return Err("narrative is one <div> element of XHTML".to_owned());
        }
        match token {
            Token::Attribute("xmlns", NAMESPACE) => has_namespace |= depth_is_root,
            Token::Attribute(name, value) => {
                attribute(name, &resolved(value))?;
                has_content |= element == "img" && name == "src";
            }
            Token::Open(name) if ELEMENTS.contains(&name) => {
                (element, depth_is_root) = (name, false);
            }
            Token::Open(name) => {
                let name = quotable(name);
                return Err(format!("<{name}> is not allowed in narrative (txt-1)"));
            }
            Token::Text(text) => {
                depth_is_root = false;
                has_content |= text.contains(|one| !is_white(one));
            }
            Token::Close(open) => is_closed = open == 0,
        }
    }
    match (has_namespace, has_content) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("the <div> has no xmlns=\"{NAMESPACE}\"")),
        (true, false) => Err("narrative has some text or an image (txt-2)".to_owned()),
    }
}

fn attribute(name: &str, value: &str) -> Result<(), String> {
    let refused = |why: &str| Err(format!("{why} in narrative (txt-1)"));
    match name {
        "href" | "longdesc" | "cite" if !is_link(value, false) => {
            refused("a link of this scheme is not allowed")
        }
        "src" if !is_link(value, true) => refused("an image from there is not allowed"),
        "style" if !is_inert(value) => refused("style that loads or runs something is not allowed"),
        "xml:lang" => Ok(()),
        _ if ATTRIBUTES.contains(&name) => Ok(()),
        _ => refused(&format!("the attribute {} is not allowed", quotable(name))),
    }
}

/// A relative link, or one of a known scheme. Browsers pass over white space in a scheme, and so
/// does this.
fn is_link(value: &str, is_image: bool) -> bool {
    let is_skipped = |one: char| one <= ' ' || one.is_control();
    let value = value.trim_start_matches(is_skipped);
    let before = value.find(['/', '?', '#']).and_then(|end| value.get(..end)).unwrap_or(value);
    let Some((scheme, rest)) = before.split_once(':') else { return true };
    let scheme: String = scheme.chars().filter(|one| !is_skipped(*one)).collect();
    let scheme = scheme.to_ascii_lowercase();
    let is_picture = is_image && scheme == "data" && rest.trim_start().starts_with("image");
    is_picture || SCHEMES.contains(&scheme.as_str())
}

/// Style without expressions, bindings, imports, escapes that hide them, and pictures other than
/// those that stand in the style itself.
fn is_inert(style: &str) -> bool {
    let style: String = style.chars().filter(|one| !one.is_whitespace()).collect();
    let style = style.to_ascii_lowercase();
    let acts = ["expression(", "javascript:", "behavior:", "-moz-binding", "@import", "\\", "/*"];
    let pictures = style.split("url(").skip(1);
    let pictures = pictures.map(|url| url.trim_start_matches(['"', '\'']));
    !acts.iter().any(|act| style.contains(act))
        && pictures.into_iter().all(|url| url.starts_with("data:image/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn div(inner: &str) -> String {
        format!("<div xmlns=\"{NAMESPACE}\">{inner}</div>")
    }

    #[test]
    fn passes_text_tables_lists_images_and_links() {
        let cases = [
            "a &amp; b &nbsp; <br/> <p class='x'>c</p>",
            "<table border=\"1\"><tr><td colspan='2'>a</td></tr></table><!-- b -->",
            "<img src='#pic' alt=''/>",
            "<img src='data:image/png;base64,AAAA'/>",
            "<a href='http://example.org/?a:b'>x</a><a name='y'>y</a><a href='a/b:c'>z</a>",
            "<p style='background-image: url( data: image/png;base64,AAAA)'>x</p>",
            "<p xml:lang='de' lang='de'>x</p>",
        ];
        for inner in cases {
            assert_eq!(wrong(&div(inner)), None, "{inner}");
        }
        let nested = div(&div("a"));
        assert_eq!(wrong(&format!(" \n{nested}\n")), None);
    }

    #[test]
    fn refuses_what_acts_or_is_not_narrative() {
        let cases = [
            "",
            " ",
            "<br/>",
            "<script>x</script>",
            "<SCRIPT>x</SCRIPT>",
            "<p onclick='x'>x</p>",
            "<iframe src='x'>x</iframe>",
            "<form>x</form>",
            "<object>x</object>",
            "<svg>x</svg>",
            "<a href='javascript:x'>x</a>",
            "<a href=' JavaScript:x'>x</a>",
            "<a href='java&#115;cript:x'>x</a>",
            "<a href='java&#9;script&#58;x'>x</a>",
            "<a href='data:text/html,x'>x</a>",
            "<img src='data:text/html,x'/>",
            "<img src='vbscript:x'/>",
            "<p style='width: expression (x)'>x</p>",
            "<p style='background: url(http://x)'>x</p>",
            "<p style='behavior: x'>x</p>",
            "<p style='b: u\\72l(x)'>x</p>",
            "<p>x",
            "x</p>",
            "a & b",
            "<base href='x'/>x",
            "<p xmlns='http://www.w3.org/2000/svg'>x</p>",
            "<head>x</head>",
        ];
        for inner in cases {
            assert!(wrong(&div(inner)).is_some(), "{inner}");
        }
        let outer = [
            "",
            "x",
            "<p>x</p>",
            "<div>x</div>",
            "<div xmlns=''>x</div>",
            "<div><p xmlns=\"http://www.w3.org/1999/xhtml\">x</p></div>",
        ];
        for text in outer {
            assert!(wrong(text).is_some(), "{text}");
        }
        assert!(wrong(&format!("{}{}", div("a"), div("b"))).is_some());
        assert!(wrong(&format!("{}a", div("a"))).is_some());
    }

    #[test]
    fn says_what_and_where() {
        let cases = [
            (
                "é<script/>",
                "<script> is not allowed in narrative (txt-1) (character 51 of the narrative)",
            ),
            (
                "<a href='javascript:x'>y</a>",
                "a link of this scheme is not allowed in narrative (txt-1) (character 65 of the narrative)",
            ),
        ];
        for (inner, message) in cases {
            assert_eq!(wrong(&div(inner)).unwrap(), message);
        }
    }

    proptest! {
        #[test]
        fn never_panics(inner in "(<|>|div|script|/|&#x|58|;|style=|'|url\\(| |é){0,20}") {
            let _ = wrong(&div(&inner));
        }
    }
}
