//! Writing an answer as it was asked for, part by part or at once.

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::fhir::Subset;
use crate::json::Pretty;

/// Some bytes of an answer, and where resources stand in them.
#[derive(Debug, Default)]
pub struct Part {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Each a whole resource.
    pub resources: Vec<Range<usize>>,
}

impl From<Vec<u8>> for Part {
    /// Bytes that are sent as they are.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, resources: Vec::new() }
    }
}

/// How the parts of one answer are written, one after the other.
#[derive(Debug, Default)]
pub struct Writing {
    subset: Subset,
    pretty: Option<Pretty>,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Writing {
    /// Of each resource that subset, and with line breaks or without.
    pub fn new(subset: Subset, is_pretty: bool) -> Self {
        Self { subset, pretty: is_pretty.then(Pretty::default), gzip: None }
    }

    /// The same, compressed.
    pub fn compressed(self) -> Self {
        Self { gzip: Some(GzEncoder::new(Vec::new(), Compression::fast())), ..self }
    }

    /// Whether parts that have no resources are sent as they are.
    pub fn is_plain(&self) -> bool {
        self.pretty.is_none() && self.gzip.is_none()
    }

    /// The bytes to be sent for the next part; what is compressed may come with a later one.
    pub fn part(&mut self, part: Part) -> Vec<u8> {
        let text = self.narrowed(part);
        let text = match &mut self.pretty {
            Some(pretty) => pretty.continued(&text),
            None => text,
        };
        let Some(gzip) = &mut self.gzip else { return text };
        // Writing into memory does not fail.
        let _ = gzip.write_all(&text);
        std::mem::take(gzip.get_mut())
    }

    /// The bytes to be sent in the end.
    pub fn end(mut self) -> Vec<u8> {
        let text = self.pretty.take().map(Pretty::end).unwrap_or_default();
        let Some(mut gzip) = self.gzip else { return text };
        let _ = gzip.write_all(&text);
        gzip.finish().unwrap_or_default()
    }

    /// The bytes of an answer that is this one part.
    pub fn whole(mut self, part: Part) -> Vec<u8> {
        let mut bytes = self.part(part);
        bytes.append(&mut self.end());
        bytes
    }

    /// The part with the wanted subset of each resource.
    fn narrowed(&self, Part { bytes, resources }: Part) -> Vec<u8> {
        if self.subset == Subset::Whole || resources.is_empty() {
            return bytes;
        }
        let between = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        let (mut out, mut end) = (Vec::with_capacity(bytes.len()), 0);
        for resource in resources {
            out.extend_from_slice(between(end..resource.start));
            end = resource.end;
            out.extend(self.subset.of_resource(between(resource).to_vec()));
        }
        out.extend_from_slice(between(end..bytes.len()));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    const RESOURCE: &str =
        r#"{"resourceType":"Patient","id":"p","active":true,"photo":[{"title":"é"}]}"#;

    /// A Bundle of some resources, cut into that many parts.
    fn parts(resources: usize, count: usize) -> Vec<Part> {
        let mut parts = vec![Part::default()];
        parts[0].bytes.extend(br#"{"resourceType":"Bundle","entry":["#);
        for at in 0..resources {
            if at % (resources / count) == 0 {
                parts.push(Part::default());
            }
            let part = parts.last_mut().unwrap();
            part.bytes.extend(if at == 0 { "{\"resource\":" } else { ",{\"resource\":" }.bytes());
            let start = part.bytes.len();
            part.bytes.extend(RESOURCE.bytes());
            part.resources.push(start..part.bytes.len());
            part.bytes.push(b'}');
        }
        parts.push(Part { bytes: b"]}".to_vec(), resources: Vec::new() });
        parts
    }

    #[test]
    fn part_by_part_it_is_written_as_it_would_be_at_once() {
        for subset in
            [Subset::Whole, Subset::Summary, Subset::Elements(vec![(None, "active".into())])]
        {
            for is_pretty in [false, true] {
                let writing = || Writing::new(subset.clone(), is_pretty);
                let mut whole = Part::default();
                for part in parts(6, 1) {
                    let offset = whole.bytes.len();
                    let moved = |range: Range<usize>| range.start + offset..range.end + offset;
                    whole.resources.extend(part.resources.into_iter().map(moved));
                    whole.bytes.extend(part.bytes);
                }
                let expected = String::from_utf8(writing().whole(whole)).unwrap();
                assert_eq!(
                    expected.matches("SUBSETTED").count(),
                    if subset == Subset::Whole { 0 } else { 6 }
                );
                assert_eq!(expected.contains('\n'), is_pretty);
                for is_compressed in [false, true] {
                    let mut writing = writing();
                    if is_compressed {
                        writing = writing.compressed();
                    }
                    let mut sent = Vec::new();
                    for part in parts(6, 3) {
                        sent.extend(writing.part(part));
                    }
                    sent.extend(writing.end());
                    let mut text = String::new();
                    match is_compressed {
                        true => GzDecoder::new(sent.as_slice()).read_to_string(&mut text).unwrap(),
                        false => sent.as_slice().read_to_string(&mut text).unwrap(),
                    };
                    assert_eq!(text, expected);
                }
            }
        }
    }
}
