//! gzip, both ways (RFC 9110 §8.4).

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::writing::Writing;
use super::{Failure, Fault, Reply};

/// Bodies up to this size are sent as they are: a packet holds them anyway.
const SMALL_BYTES_MAX: usize = 1 << 10;
/// Bytes that are decompressed at a time.
const STEP_BYTES: usize = 64 << 10;

/// The answer, compressed if the client takes that and it is worth it.
#[must_use]
pub fn compressed(mut reply: Reply, takes_gzip: bool) -> Reply {
    let is_worth_it = reply.body.bytes.len() > SMALL_BYTES_MAX && reply.is_text();
    if !is_worth_it {
        return reply;
    }
    let writing = negotiated(&mut reply, Writing::default(), takes_gzip);
    reply.body = writing.whole(std::mem::take(&mut reply.body)).into();
    reply
}

/// How the body of an answer that is worth compressing is written, and the headers that say so.
#[must_use]
pub fn negotiated(reply: &mut Reply, writing: Writing, takes_gzip: bool) -> Writing {
    reply.headers.push(("vary", "accept, accept-encoding".to_owned()));
    if !takes_gzip {
        return writing;
    }
    reply.headers.push(("content-encoding", "gzip".to_owned()));
    writing.compressed()
}

/// What compressed bytes hold, if that is not more than the limit. `grow` is asked for more memory
/// before it is taken.
///
/// # Errors
///
/// 400 for what is not gzip, 413, and those of `grow`.
pub fn decompressed(
    bytes: &[u8],
    limit: usize,
    mut grow: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    loop {
        grow(STEP_BYTES.min(limit))?;
        let before = out.len();
        let read = decoder.by_ref().take(STEP_BYTES as u64).read_to_end(&mut out);
        if let Err(error) = read {
            let detail = format!("the body is not gzip, as its Content-Encoding says: {error}");
            return Err(Failure::of(Fault::Invalid, detail));
        }
        if out.len() > limit {
            let detail = format!("the body may have {limit} bytes, decompressed");
            return Err(Failure::of(Fault::TooLarge, detail));
        }
        if out.len() == before {
            return Ok(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_left_alone_as_soon_as_it_is_too_large() {
        let bomb = gzip(&vec![b' '; 50 << 20]);
        assert!(bomb.len() < 100 << 10);
        let mut taken = 0;
        let grow = |more| {
            taken += more;
            Ok(())
        };
        let failure = decompressed(&bomb, 1 << 20, grow).unwrap_err();
        assert_eq!(failure.fault, Fault::TooLarge);
        assert!(taken <= (1 << 20) + 2 * STEP_BYTES, "{taken}");
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for length in [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 1 << 20] {
            let bytes = vec![b'x'; length];
            assert_eq!(decompressed(&gzip(&bytes), 1 << 20, |_| Ok(())).unwrap(), bytes);
        }
        let busy = |_| Err(Failure::of(Fault::Busy, "busy"));
        assert_eq!(decompressed(&gzip(b"x"), 9, busy).unwrap_err().fault, Fault::Busy);
        let cut = gzip(b"something");
        let cut = cut.get(..cut.len() - 4).unwrap();
        for bytes in [b"nonsense".as_slice(), cut] {
            assert_eq!(decompressed(bytes, 9, |_| Ok(())).unwrap_err().fault, Fault::Invalid);
        }
    }
}
