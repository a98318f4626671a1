//! Text within pages.

/// Text that no browser takes for markup, between tags and in attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_no_markup() {
        assert_eq!(
            escaped("<script>alert(\"x\" + 'y' && z)</script>"),
            "&lt;script&gt;alert(&quot;x&quot; + &#39;y&#39; &amp;&amp; z)&lt;/script&gt;"
        );
    }
}
