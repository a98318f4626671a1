//! From a file to its JSON documents, one at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::super::Failure;
use super::place::Place;
use super::progress::Progress;
use super::source::{Form, Source};
use crate::json::Document;

/// Most bytes of one document, unpacked: it is held in memory whole.
const DOCUMENT_BYTES_MAX: u64 = 1 << 30;
/// Bytes read from a file at a time.
const BUFFER_BYTES: usize = 256 << 10;
/// What some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Calls `each` for every document of a file, or for the reason why there is none at a place.
///
/// # Errors
///
/// Only those of `each`; a file that cannot be read is a reason.
pub fn documents(
    source: &Source,
    progress: &Progress,
    mut each: impl FnMut(Place, Result<Document, String>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let whole = Place::of(source);
    let file = match File::open(&source.path) {
        Ok(file) => progress.watch(file),
        Err(error) => return each(whole, Err(format!("cannot be opened: {error}"))),
    };
    let plain: Box<dyn Read> =
        if source.gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, plain);
    match source.form {
        Form::Json => {
            let mut bytes = Vec::new();
            let read = (&mut reader).take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes);
            each(whole, read.map_err(|error| unreadable(&error)).and_then(|_| parse(bytes)))
        }
        Form::Lines => lines(reader, &whole, &mut each),
    }
}

fn lines(
    mut reader: impl BufRead,
    whole: &Place,
    each: &mut impl FnMut(Place, Result<Document, String>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for number in 1.. {
        let place = whole.line(number);
        let mut line = Vec::new();
        match (&mut reader).take(DOCUMENT_BYTES_MAX + 1).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) if line.trim_ascii() == BYTE_ORDER_MARK || line.trim_ascii().is_empty() => {}
            // The rest of the file is that line still.
            Ok(_) if is_too_long(&line) => return each(place, Err(too_long())),
            Ok(_) => each(place, parse(line))?,
            Err(error) => return each(place, Err(unreadable(&error))),
        }
    }
    Ok(())
}

fn parse(mut bytes: Vec<u8>) -> Result<Document, String> {
    if is_too_long(&bytes) {
        return Err(too_long());
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Document::parse(bytes).map_err(|error| format!("is not acceptable JSON: {error}"))
}

fn is_too_long(bytes: &[u8]) -> bool {
    bytes.len() as u64 > DOCUMENT_BYTES_MAX
}

fn too_long() -> String {
    format!("has more than {DOCUMENT_BYTES_MAX} bytes; split it, or write NDJSON")
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot be read on: {error}")
}
