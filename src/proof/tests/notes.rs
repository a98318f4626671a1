//! Signed notes, checkpoints and their issuer.

use std::fs;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use super::super::encoding::encode;
use super::super::{Checkpoint, Hash, Issuer, Note, ProofError, Signer, Verifier};
use super::{range, signer, tiles};
use crate::disk::RealDisk;

/// The example of golang.org/x/mod/sumdb/note, where the format comes from.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6\
    KE6RyyBwJnAM=\n";

/// The key of a cosigning witness (C2SP tlog-cosignature), from a seed.
pub fn cosigner(name: &str) -> (Ed25519KeyPair, Verifier) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let key = [&[4], pair.public_key().as_ref()].concat();
    let hashed = [name.as_bytes(), b"\n", &key].concat();
    let id = u32::from_be_bytes(*Hash::of(&hashed).0.first_chunk().unwrap());
    let text = format!("{name}+{id:08x}+{}", encode(&key));
    (pair, text.parse().unwrap())
}

/// The line by which a witness cosigns a checkpoint's text.
pub fn cosignature(pair: &Ed25519KeyPair, verifier: &Verifier, text: &str, time: u64) -> String {
    let signed = pair.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
    let id = verifier.key_id().to_be_bytes();
    let bytes = [id.as_slice(), &time.to_be_bytes(), signed.as_ref()].concat();
    format!("— {} {}\n", verifier.name(), encode(&bytes))
}

#[test]
fn the_note_of_the_go_library_verifies_and_reads_back() {
    let note = Note::parse(GO_NOTE).unwrap();
    let verifier: Verifier = GO_KEY.parse().unwrap();
    note.verify(&verifier).unwrap();
    assert_eq!(note.to_string(), GO_NOTE);
    assert_eq!(verifier.to_string(), GO_KEY);
    let altered = Note::parse(&GO_NOTE.replace("answer", "Answer")).unwrap();
    assert!(matches!(altered.verify(&verifier), Err(ProofError::Signature(_))));
    let other = signer("PeterNeumann");
    assert!(matches!(note.verify(other.verifier()), Err(ProofError::NotSigned(_))));
}

#[test]
fn notes_are_byte_for_byte_those_of_the_signed_note_crate() {
    let signer = signer("example.org/clinic/events");
    let private = [&[1], [7; 32].as_slice()].concat();
    let id = signer.verifier().key_id();
    let private = format!("PRIVATE+KEY+{}+{id:08x}+{}", signer.verifier().name(), encode(&private));
    let theirs = StandardSigner::new(&private).unwrap();
    let text = "certificate\n\nof the erasure of a chart\n";
    let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let ours = signer.sign(text).unwrap();
    assert_eq!(ours.to_string().as_bytes(), note.to_bytes());
    let verifier = StandardVerifier::new(&signer.verifier().to_string()).unwrap();
    let list = VerifierList::new(vec![Box::new(verifier)]);
    let parsed = signed_note::Note::from_bytes(ours.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.verify(&list).unwrap().0.len(), 1);
}

#[test]
fn what_is_not_quite_a_note_is_refused() {
    let good = signer("example.org/a").sign("one\ntwo\n").unwrap().to_string();
    assert!(Note::parse(&good).is_ok());
    let line = good.split_once("\n\n").unwrap().1;
    let wrong = [
        String::new(),
        "\n\n".to_owned(),
        good.trim_end().to_owned(),
        good.replace("\n\n", "\n"),
        good.replace("one", "o\tne"),
        good.replace("one", "o\rne"),
        format!("{good}\n"),
        format!("{good}— example.org/a\n"),
        good.replace("— ", "- "),
        good.replace("— ", "—  "),
        good.replace(" example.org/a ", " example.org/a  "),
        good.replace("example.org/a", "example.org+a"),
        good.replace("=\n", "\n"),
        format!("{good}{}", line.repeat(100)),
        format!("{}{good}", "x".repeat(1_000_000)),
        "text\n\n— name AAAAAA==\n".to_owned(),
    ];
    for note in wrong {
        assert!(Note::parse(&note).is_err(), "{note:?}");
    }
    for text in ["", "no line end", "a\0b\n"] {
        assert!(signer("a").sign(text).is_err(), "{text:?}");
    }
}

#[test]
fn what_is_not_quite_a_key_is_refused() {
    let good = signer("example.org/a").verifier().to_string();
    assert!(good.parse::<Verifier>().is_ok());
    let (name, rest) = good.split_once('+').unwrap();
    let (id, key) = rest.split_once('+').unwrap();
    let wrong = [
        String::new(),
        name.to_owned(),
        format!("{name}+{id}"),
        format!("{name}x+{id}+{key}"),
        format!("+{id}+{key}"),
        format!("{name}+{}+{key}", id.to_uppercase()),
        format!("{name}+0{id}+{key}"),
        format!("{name}+{id}+{key}="),
        format!("{name}+{id}+{key}AA"),
        format!("{name}+{id}+{}", encode(&[1; 32])),
        format!("{name}+{id}+{}", encode(&[2; 33])),
        format!("{name} +{id}+{key}"),
    ];
    for key in wrong {
        assert!(key.parse::<Verifier>().is_err(), "{key:?}");
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b"] {
        assert!(Signer::from_seed(name, &[0; 32]).is_err(), "{name:?}");
    }
    assert!(!format!("{:?}", signer("a")).contains(&encode(&[7; 32])), "a seed is shown");
}

#[test]
fn a_checkpoint_reads_back_and_anything_else_is_refused() {
    let root = Hash::leaf(b"a");
    let good = format!("example.org/events\n20852163\n{root}\n");
    let checkpoint = Checkpoint::parse(&good).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (20_852_163, root));
    assert_eq!(checkpoint.to_string(), good);
    let extended = format!("{good}further\nlines\n");
    assert_eq!(Checkpoint::parse(&extended).unwrap().to_string(), extended);
    let wrong = [
        String::new(),
        "\n".to_owned(),
        good.trim_end().to_owned(),
        format!("\n{good}"),
        format!("{good}\n"),
        format!("{good}a\n\nb\n"),
        good.replace("20852163", "020852163"),
        good.replace("20852163", "+20852163"),
        good.replace("20852163", "-1"),
        good.replace("20852163", "18446744073709551616"),
        good.replace("20852163", ""),
        good.replace(&root.to_string(), "AAAA"),
        good.replace(&format!("{root}\n"), ""),
    ];
    for text in wrong {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
}

#[test]
fn a_checkpoint_of_another_log_under_the_same_key_is_refused() {
    let signer = signer("example.org/events");
    let note = signer.sign(&format!("example.org/access\n0\n{}\n", Hash::empty())).unwrap();
    let opened = Checkpoint::open(&note.to_string(), signer.verifier());
    assert!(matches!(opened, Err(ProofError::Origin { .. })), "{opened:?}");
}

#[test]
fn cosignatures_are_kept_once_they_are_checked() {
    let signer = signer("example.org/events");
    let mut signed = Checkpoint::sign(&signer, 5, Hash::leaf(b"root")).unwrap();
    let (pair, witness) = cosigner("witness.example/w1");
    let text = signed.note().text().to_owned();
    let line = cosignature(&pair, &witness, &text, 1_679_315_147);
    let foreign = Signer::from_seed("someone", &[3; 32]).unwrap().sign(&text).unwrap().to_string();
    let foreign = foreign.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(signed.add(&format!("{foreign}{line}"), &witness).unwrap(), 1);
    assert_eq!(signed.add(&line, &witness).unwrap(), 0, "the same line twice");
    let note = signed.note().to_string();
    assert!(note.ends_with(&line) && !note.contains("someone"));
    let opened = Checkpoint::open(&note, signer.verifier()).unwrap();
    assert_eq!(opened.note().to_string(), note);
    opened.note().verify(&witness).unwrap();
    for wrong in [foreign, cosignature(&pair, &witness, "other\n", 1), "200 OK\n".to_owned()] {
        assert!(signed.add(&wrong, &witness).is_err(), "{wrong}");
    }
}

#[test]
fn an_issuer_goes_on_after_a_restart_and_keeps_cosignatures() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    let mut tiles = tiles(directory.path(), 10);
    let open = |tiles: &super::Tiles| {
        Issuer::open(RealDisk::handle(), &path, signer("example.org/events"), tiles.reader())
    };
    let issuer = open(&tiles).unwrap();
    assert!(issuer.latest().is_none());
    let first = issuer.issue().unwrap();
    assert_eq!(first.checkpoint().size, 10);
    let (pair, witness) = cosigner("witness.example/w1");
    let mut copy = Checkpoint::open(&first.note().to_string(), issuer.signer().verifier()).unwrap();
    copy.add(&cosignature(&pair, &witness, first.note().text(), 1), &witness).unwrap();
    assert!(issuer.cosigned(&copy).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), copy.note().to_string());
    assert_eq!(*issuer.issue().unwrap(), copy, "nothing was added since");
    tiles.append(&range(10, 20)).unwrap();
    let second = open(&tiles).unwrap().issue().unwrap();
    assert_eq!(second.checkpoint().size, 20);
    let issuer = open(&tiles).unwrap();
    assert_eq!(issuer.latest().as_deref(), Some(&*second));
    assert!(!issuer.cosigned(&copy).unwrap(), "a later one is out");
}

#[test]
fn a_rewritten_or_shortened_log_breaks_its_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    let open = |tiles: &super::Tiles| {
        Issuer::open(RealDisk::handle(), &path, signer("example.org/events"), tiles.reader())
    };
    open(&tiles(directory.path(), 10)).unwrap().issue().unwrap();
    let shorter = tempfile::tempdir().unwrap();
    let broken = open(&tiles(shorter.path(), 9)).unwrap_err().to_string();
    assert_eq!(broken, "the log breaks its checkpoint of size 10: it holds only 9 entries now");
    let mut rewritten = tiles(tempfile::tempdir().unwrap().path(), 5);
    rewritten.append(&range(100, 120)).unwrap();
    let broken = open(&rewritten).unwrap_err().to_string();
    assert!(broken.contains("the root over these entries was"), "{broken}");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("\n10\n", "\n11\n")).unwrap();
    assert!(matches!(open(&rewritten), Err(ProofError::Signature(_))));
}

proptest! {
    #[test]
    fn reading_a_note_never_panics_and_reads_back_what_it_takes(text in "[a\n— =/+A]{0,60}") {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_string(), text);
        }
    }
}
