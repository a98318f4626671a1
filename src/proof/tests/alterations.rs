//! A good bundle, altered in every way that came to mind: each has to be found, and said.

use serde_json::{Value, json};

use super::super::{Hash, Signer, verify_bundle};
use super::bundles::{ORIGIN, good, key, text};

/// One altered bundle.
struct Altered {
    what: String,
    text: String,
    key: String,
    /// What the message has to contain.
    message: &'static str,
}

#[derive(Default)]
struct Alterations(Vec<Altered>);

impl Alterations {
    /// Changes the JSON.
    fn json(&mut self, what: &str, message: &'static str, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::to_value(good()).unwrap();
        let before = value.clone();
        change(&mut value);
        assert_ne!(value, before, "{what} changes nothing");
        self.text(what, message, value.to_string());
    }

    fn text(&mut self, what: &str, message: &'static str, text: String) {
        self.0.push(Altered { what: what.to_owned(), text, key: key(ORIGIN), message });
    }

    fn key(&mut self, what: &str, message: &'static str, key: String) {
        self.0.push(Altered { what: what.to_owned(), text: text(&good()), key, message });
    }

    /// Changes the note, which is signed.
    fn note(&mut self, what: &str, message: &'static str, change: impl FnOnce(&str) -> String) {
        self.json(what, message, |bundle| {
            let note = change(bundle["checkpoint"].as_str().unwrap());
            bundle["checkpoint"] = note.into();
        });
    }
}

/// Another letter of base64 at a place.
fn flip(value: &mut Value, at: usize) {
    let text = value.as_str().unwrap();
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    *value = format!("{}{other}{}", &text[..at], &text[at + 1..]).into();
}

fn entries(bundle: &mut Value) -> &mut Vec<Value> {
    bundle["entries"].as_array_mut().unwrap()
}

fn whole(all: &mut Alterations) {
    all.text("empty file", "not an evidence bundle", String::new());
    all.text("half a file", "not an evidence bundle", text(&good())[..4000].to_owned());
    all.text("more after it", "not an evidence bundle", format!("{} {{}}", text(&good())));
    all.text(
        "twice a field",
        "duplicate field",
        text(&good()).replacen('{', "{\"log\":\"events\",", 1),
    );
    all.json("format", "its format is", |bundle| bundle["format"] = "chartlog-evidence/2".into());
    all.json("the other log", "does not end in /access", |bundle| bundle["log"] = "access".into());
    all.json("an unknown log", "unknown variant", |bundle| bundle["log"] = "Events".into());
    all.json("one field more", "unknown field", |bundle| bundle["comment"] = "x".into());
    for field in ["format", "log", "checkpoint", "entries"] {
        all.json(&format!("no {field}"), "missing field", |bundle| {
            bundle.as_object_mut().unwrap().remove(field);
        });
        all.json(&format!("{field} null"), "not an evidence bundle", |bundle| {
            bundle[field] = Value::Null;
        });
    }
    all.json("no entries", "it has no entries", |bundle| entries(bundle).clear());
    all.json("swapped entries", "stands after position", |bundle| entries(bundle).swap(1, 2));
    all.json("reversed entries", "stands after position", |bundle| entries(bundle).reverse());
    all.json("an entry twice", "stands after position", |bundle| {
        let entry = entries(bundle)[2].clone();
        entries(bundle).insert(3, entry);
    });
}

fn entry(all: &mut Alterations) {
    let wrong = "the signed tree does not hold this entry";
    for field in ["position", "recordedAt", "frame", "proof"] {
        all.json(&format!("no {field}"), "missing field", |bundle| {
            bundle["entries"][1].as_object_mut().unwrap().remove(field);
        });
        all.json(&format!("{field} of another"), "position", |bundle| {
            bundle["entries"][3][field] = bundle["entries"][4][field].clone();
        });
    }
    all.json("one field more", "unknown field", |bundle| bundle["entries"][0]["x"] = 1.into());
    all.json("position beside", wrong, |bundle| bundle["entries"][3]["position"] = 151.into());
    all.json("position at the end", "has only 300 entries", |bundle| {
        bundle["entries"][6]["position"] = 300.into();
    });
    all.json("position far out", "has only 300 entries", |bundle| {
        bundle["entries"][6]["position"] = u64::MAX.into();
    });
    for (what, value) in [("negative", json!(-1)), ("fraction", json!(2.0)), ("text", json!("2"))] {
        let name = format!("position {what}");
        all.json(&name, "not an evidence bundle", |bundle| {
            bundle["entries"][0]["position"] = value
        });
    }
    all.json("recorded later", wrong, |bundle| {
        bundle["entries"][6]["recordedAt"] = 1_750_000_000_074_001_i64.into();
    });
    all.json("recorded before", "recorded before position", |bundle| {
        bundle["entries"][6]["recordedAt"] = 0.into();
    });
    all.json("recordedAt a fraction", "not an evidence bundle", |bundle| {
        bundle["entries"][6]["recordedAt"] = json!(1.75e15);
    });
    // Letters of base64 and what they hold of the frame.
    let places = [
        (0, "length", "bytes of body"),
        (5, "kind", ""),
        (7, "flags", ""),
        (10, "version", wrong),
        (16, "alias", wrong),
        (30, "commitment", wrong),
        (70, "body", wrong),
        (105, "body", wrong),
    ];
    for (at, part, message) in places {
        all.json(&format!("{part} of a frame"), message, |bundle| {
            flip(&mut bundle["entries"][3]["frame"], at);
        });
    }
    all.json("frame empty", "the frame is cut off", |bundle| {
        bundle["entries"][3]["frame"] = "".into()
    });
    all.json("frame cut", "bytes of body", |bundle| {
        let frame = bundle["entries"][3]["frame"].as_str().unwrap();
        bundle["entries"][3]["frame"] = frame[..frame.len() - 4].into();
    });
    all.json("frame longer", "bytes of body", |bundle| {
        let frame = bundle["entries"][3]["frame"].as_str().unwrap();
        bundle["entries"][3]["frame"] = format!("AAAA{frame}").into();
    });
    all.json("frame not base64", "not base64", |bundle| {
        bundle["entries"][3]["frame"] = "?".into();
    });
    // 82 bytes leave two of the last letter's bits unused.
    all.json("frame with stray bits", "not base64", |bundle| {
        let frame = bundle["entries"][3]["frame"].as_str().unwrap().to_owned();
        let last = frame.trim_end_matches('=').len() - 1;
        let next = char::from(frame.as_bytes()[last] + 1);
        bundle["entries"][3]["frame"] =
            format!("{}{next}{}", &frame[..last], &frame[last + 1..]).into();
    });
}

fn proof(all: &mut Alterations) {
    let wrong = "the signed tree does not hold this entry";
    let hashes = good().entries[3].proof.len();
    for at in 0..hashes {
        all.json(&format!("hash {at} altered"), wrong, |bundle| {
            flip(&mut bundle["entries"][3]["proof"][at], at);
        });
        all.json(&format!("hash {at} dropped"), wrong, |bundle| {
            bundle["entries"][3]["proof"].as_array_mut().unwrap().remove(at);
        });
    }
    all.json("hashes swapped", wrong, |bundle| {
        bundle["entries"][3]["proof"].as_array_mut().unwrap().swap(0, 1);
    });
    all.json("no hashes", wrong, |bundle| bundle["entries"][3]["proof"] = json!([]));
    all.json("a hash more", wrong, |bundle| {
        let hash = bundle["entries"][3]["proof"][0].clone();
        bundle["entries"][3]["proof"].as_array_mut().unwrap().push(hash);
    });
    all.json("a short hash", "a hash is 32 bytes", |bundle| {
        bundle["entries"][3]["proof"][0] = "AAAA".into();
    });
}

fn disclosure(all: &mut Alterations) {
    let wrong = "not the one that the frame commits to";
    let disclosed = |bundle: &mut Value, field: &str, value: Value| {
        bundle["entries"][0]["disclosed"][field] = value;
    };
    all.json("payload", wrong, |bundle| disclosed(bundle, "payload", "{}".into()));
    all.json("payload with a space", wrong, |bundle| {
        let payload = bundle["entries"][0]["disclosed"]["payload"].as_str().unwrap();
        bundle["entries"][0]["disclosed"]["payload"] = format!("{payload} ").into();
    });
    all.json("payload decomposed", wrong, |bundle| {
        let payload = bundle["entries"][0]["disclosed"]["payload"].as_str().unwrap();
        bundle["entries"][0]["disclosed"]["payload"] = payload.replace('ü', "u\u{308}").into();
    });
    all.json("salt", wrong, |bundle| flip(&mut bundle["entries"][0]["disclosed"]["salt"], 0));
    all.json("salt too short", "the salt has 3 bytes", |bundle| {
        disclosed(bundle, "salt", "AAAA".into());
    });
    all.json("payload of another", wrong, |bundle| {
        bundle["entries"][0]["disclosed"] = bundle["entries"][3]["disclosed"].clone();
    });
    all.json("disclosed null", "not an evidence bundle", |bundle| {
        bundle["entries"][0]["disclosed"] = Value::Null;
    });
    all.json("no salt", "missing field", |bundle| {
        bundle["entries"][0]["disclosed"].as_object_mut().unwrap().remove("salt");
    });
    all.json("a field more", "unknown field", |bundle| disclosed(bundle, "key", "x".into()));
    all.json("disclosed though unsealed", "the frame is not sealed", |bundle| {
        bundle["entries"][1]["disclosed"] = bundle["entries"][0]["disclosed"].clone();
    });
}

fn checkpoint(all: &mut Alterations) {
    let signature = "checkpoint: the signature by";
    all.note("origin", signature, |note| note.replacen("clinic", "cl1nic", 1));
    all.note("size", signature, |note| note.replacen("\n300\n", "\n301\n", 1));
    all.note("smaller size", signature, |note| note.replacen("\n300\n", "\n299\n", 1));
    all.note("root", signature, |note| {
        let root = note.split('\n').nth(2).unwrap();
        note.replacen(root, &Hash::empty().to_string(), 1)
    });
    all.note("extension", signature, |note| note.replacen("\n\n", "\nmore\n\n", 1));
    all.note("signature", signature, |note| format!("{}A=\n", &note[..note.len() - 3]));
    all.note("no signature", "not a signed note", |note| {
        note.split_inclusive("\n\n").next().unwrap().to_owned()
    });
    all.note("cut", "not a signed note", |note| note[..note.len() - 9].to_owned());
    all.note("no line end", "not a signed note", |note| note.trim_end().to_owned());
    all.note("no empty line", "not a signed note", |note| note.replace("\n\n", "\n"));
    all.note("line ends of DOS", "not a signed note", |note| note.replace('\n', "\r\n"));
    all.note("a line more", "not a signed note", |note| format!("{note}more\n"));
    all.note("empty", "not a signed note", |_| String::new());
    let stranger = Signer::from_seed(ORIGIN, &[8; 32]).unwrap();
    let again = |note: &str| note.split_inclusive('\n').take(3).collect::<String>();
    all.note("signed by a stranger", "has no signature by", |note| {
        stranger.sign(&again(note)).unwrap().to_string()
    });
    all.key("a stranger's key", "has no signature by", stranger.verifier().to_string());
    all.key("key of the other log", "has no signature by", key("example.org/clinic/access"));
    all.key("no key", "not a key", String::new());
    all.key("key cut", "not a key", key(ORIGIN)[..40].to_owned());
    let own = super::signer(ORIGIN);
    for (what, from, to) in [
        ("own key, other origin", "clinic", "cl1nic"),
        ("own key, zero before the size", "\n300", "\n0300"),
        ("own key, a line missing", "\n300", ""),
    ] {
        all.note(what, "checkpoint: ", |note| {
            own.sign(&again(note).replace(from, to)).unwrap().to_string()
        });
    }
    all.note("own key, smaller size", "the signed log has only 299 entries", |note| {
        own.sign(&again(note).replace("\n300", "\n299")).unwrap().to_string()
    });
}

#[test]
fn every_alteration_is_found_and_said() {
    let mut all = Alterations::default();
    whole(&mut all);
    entry(&mut all);
    proof(&mut all);
    disclosure(&mut all);
    checkpoint(&mut all);
    assert!(all.0.len() >= 100, "only {} alterations", all.0.len());
    verify_bundle(&text(&good()), &key(ORIGIN)).unwrap();
    for Altered { what, text, key, message } in &all.0 {
        match verify_bundle(text, key) {
            Ok(report) => panic!("{what} was not found: {report:?}"),
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains(message), "{what}: {said:?} does not say {message:?}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_frame_is_found() {
    let bundle = good();
    for bit in 0..bundle.entries[2].frame.0.len() * 8 {
        let mut altered = bundle.clone();
        altered.entries[2].frame.0[bit / 8] ^= 1 << (bit % 8);
        let error = verify_bundle(&text(&altered), &key(ORIGIN)).unwrap_err().to_string();
        assert!(error.starts_with("position 7: "), "bit {bit}: {error}");
    }
}
