//! Fingerprints: by what a request, a key or an entry is known again.

use aws_lc_rs::digest;

/// SHA-256 over all parts together, hexadecimal.
#[must_use]
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn is_the_known_one_however_the_text_is_cut() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(&[b"abc"]), known);
        assert_eq!(fingerprint(&[b"a", b"", b"bc"]), known);
    }
}
