//! Headers that a subscriber wants to have sent along.

/// Longest header, in bytes: tokens fit.
const LENGTH_MAX: usize = 8_000;
/// What says how the request is sent: for the sender alone.
const RESERVED: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Reads `Name: value`.
///
/// # Errors
///
/// What is wrong with it. The value is not repeated: it may be a secret.
pub fn header(text: &str) -> Result<(String, String), String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("longer than {LENGTH_MAX} bytes"));
    }
    let Some((name, value)) = text.split_once(':') else {
        return Err(
            "must be a name, a colon and a value, such as Authorization: Bearer …".to_owned()
        );
    };
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    // RFC 9110 §5.1 and §5.5.
    let is_of_name =
        |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    if name.is_empty() || !name.chars().all(is_of_name) {
        return Err(format!("{name:?} is not the name of a header"));
    }
    if RESERVED.contains(&name.as_str()) || name.starts_with("proxy-") {
        return Err(format!("{name} is set by the server that sends"));
    }
    if !value.chars().all(|letter| letter == '\t' || matches!(letter, ' '..='~')) {
        return Err(format!("the value of {name} must have printable ASCII letters only"));
    }
    Ok((name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_name_that_is_not_the_senders_and_a_value_without_line_ends() {
        let token = header("Authorization: Bearer a:b").unwrap();
        assert_eq!(token, ("authorization".to_owned(), "Bearer a:b".to_owned()));
        assert_eq!(header("X-A:").unwrap().1, "");
        for (text, word) in [
            ("nothing", "a colon"),
            ("X A: b", "name of a header"),
            (": b", "name of a header"),
            ("Host: evil.example", "set by the server"),
            ("Content-Length: 0", "set by the server"),
            ("Proxy-Authorization: x", "set by the server"),
            ("X-A: b\r\nX-C: d", "printable"),
            ("X-A: ü", "printable"),
        ] {
            let told = header(text).unwrap_err();
            assert!(told.contains(word), "{text:?}: {told}");
        }
        let told = header(&format!("X-A: {}", "s".repeat(LENGTH_MAX))).unwrap_err();
        assert!(told.contains("longer") && !told.contains("sss"));
    }
}
