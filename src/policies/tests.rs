//! What sets of policies decide, and what is said of those that are wrong.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::access::Identity;
use crate::fhir::ResourceType;

fn text(content: &str) -> Text {
    Text { file: "a.cedar".to_owned(), content: content.to_owned() }
}

fn policies(content: &str) -> Policies {
    Policies::parse(&[text(content)]).unwrap()
}

fn asker(role: Option<&str>) -> Asker {
    let identity = Identity {
        subject: "amy".to_owned(),
        issuer: "clinic".to_owned(),
        role: role.map(str::to_owned),
        ..Identity::default()
    };
    Asker::new(Arc::new(identity), None)
}

fn question(act: Act, standing: Standing, labels: &[&str]) -> Question {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let kind = ResourceType::from_name("Observation").unwrap();
    Question { asker: asker(Some("nurse")), act, kind, standing, labels, minute: 0 }
}

const CARE: &str = r#"
@id("directory") permit (principal, action, resource) when { resource.directory };
@id("team") permit (principal, action in Chartlog::Action::"view", resource) when { resource.relation.careTeam };
@id("hidden") forbid (principal, action, resource) when { resource.labels.contains("|R") };
"#;

fn in_team() -> Standing {
    Standing { relations: [Relation::CareTeam].into_iter().collect(), ..Standing::default() }
}

#[test]
fn a_decision_names_what_took_it() {
    let policies = policies(CARE);
    let explain = |question| policies.explain(&question);
    let named =
        |explanation: &Explanation| explanation.policies.iter().cloned().collect::<Vec<_>>();
    let team = explain(question(Act::Read, in_team(), &[]));
    assert_eq!((team.permitted, named(&team)), (true, vec!["team".to_owned()]));
    let hidden = explain(question(Act::Read, in_team(), &["|R"]));
    assert_eq!((hidden.permitted, named(&hidden)), (false, vec!["hidden".to_owned()]));
    let stranger = explain(question(Act::Search, Standing::default(), &[]));
    assert_eq!((stranger.permitted, named(&stranger)), (false, vec![]));
    assert!(!policies.permits(&question(Act::Update, in_team(), &[])));
}

#[test]
fn an_outlook_says_what_begins_a_search() {
    let policies = policies(CARE);
    let kind = ResourceType::from_name("Observation");
    let outlook = |act, standing| {
        policies.outlook(&Prospect { asker: asker(None), act, kind, standing, minute: 0 })
    };
    assert_eq!(outlook(Act::Search, Some(Standing::default())), Outlook::Never);
    assert_eq!(outlook(Act::Search, Some(in_team())), Outlook::Depends);
    assert_eq!(outlook(Act::Search, None), Outlook::Depends);
    let in_directory = Standing { directory: true, ..Standing::default() };
    assert_eq!(outlook(Act::Search, Some(in_directory)), Outlook::Depends);
    let all = self::policies(r#"@id("all") permit (principal, action, resource);"#);
    let prospect =
        Prospect { asker: asker(None), act: Act::Read, kind: None, standing: None, minute: 0 };
    assert_eq!(all.outlook(&prospect), Outlook::Always);
    assert_eq!(all.mentions(), Mentions::default());
}

#[test]
fn what_is_shipped_permits_what_scopes_grant_and_meets_its_cases() {
    let folder = std::path::Path::new("config/policies");
    let shipped = Policies::parse(&read(folder).unwrap()).unwrap();
    let prospect =
        Prospect { asker: asker(None), act: Act::Delete, kind: None, standing: None, minute: 0 };
    assert_eq!(shipped.outlook(&prospect), Outlook::Always);
    let hospital = Policies::parse(&read(&folder.join("hospital")).unwrap()).unwrap();
    let cases = std::fs::read_to_string(folder.join("hospital/care.test.toml")).unwrap();
    let cases = Case::parse(&cases, crate::clock::Instant::now()).unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let decided = case.decide(&hospital);
        assert!(case.is_met(&decided), "{}: {decided:?}", case.name);
    }
}

#[test]
fn all_that_is_wrong_is_said_with_its_place() {
    let wrong = |texts: &[Text]| Policies::parse(texts).unwrap_err().join("\n");
    for (content, words) in [
        ("permit (principal, action, resource);", ["a.cedar", "@id"]),
        (
            "@id(\"a\")\npermit (principal, action, resource)\nwhen { resource.colour == 1 };",
            ["a", "colour"],
        ),
        (
            "@id(\"a\")\npermit (principal, action, resource)\nwhen { nonsense };",
            ["line 3", "nonsense"],
        ),
        (
            "@id(\"a\") permit (principal, action == Chartlog::Action::\"reed\", resource);",
            ["a", "reed"],
        ),
        (
            "@id(\"a\") permit (principal in Chartlog::Rolle::\"x\", action, resource);",
            ["a", "Rolle"],
        ),
        (
            "@id(\"a\") permit (principal, action, resource) when { resource.relation.careteam };",
            ["a", "careteam"],
        ),
        (
            "@id(\"a\") permit (principal, action, resource) when { principal.purpose == \"TREAT\" };",
            ["a", "purpose"],
        ),
        (
            "@id(\"a\") permit (principal, action, resource); @id(\"a\") permit (principal, action, resource);",
            ["two policies", "a"],
        ),
        ("@id(\"a\") permit (principal == ?principal, action, resource);", ["a.cedar", "slots"]),
    ] {
        let told = wrong(&[text(content)]);
        assert!(words.iter().all(|word| told.contains(word)), "{content}: {told}");
    }
    assert!(wrong(&[]).contains("no policies"));
    let both =
        wrong(&[text("permit"), Text { file: "b.cedar".to_owned(), content: "forbid".to_owned() }]);
    assert!(both.contains("a.cedar") && both.contains("b.cedar"), "{both}");
}

#[test]
fn a_folder_is_read_again_when_it_changes_and_kept_while_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.cedar");
    std::fs::write(&file, CARE).unwrap();
    let book = RuleBook::open(Some(folder.path().to_owned()), false, None).unwrap();
    let permits = |standing| {
        let rules = book.current();
        rules.policies.as_ref().unwrap().permits(&question(Act::Read, standing, &[]))
    };
    assert_eq!(book.renew(), Ok(false));
    assert!(!permits(Standing::default()));
    std::fs::write(&file, "nonsense").unwrap();
    assert!(book.renew().is_err());
    assert!(permits(in_team()) && !permits(Standing::default()));
    std::fs::write(&file, r#"@id("all") permit (principal, action, resource);"#).unwrap();
    assert_eq!(book.renew(), Ok(true));
    assert!(permits(Standing::default()));
}

static EXAMPLES: LazyLock<[Policies; 2]> = LazyLock::new(|| {
    let hospital = read(std::path::Path::new("config/policies/hospital")).unwrap();
    [policies(CARE), Policies::parse(&hospital).unwrap()]
});

fn standings() -> impl Strategy<Value = Standing> {
    (any::<bool>(), any::<[bool; 7]>(), any::<bool>()).prop_map(|(directory, has, glass_broken)| {
        let each = Relation::ALL.into_iter().zip(has);
        let relations = each.filter_map(|(one, has)| has.then_some(one)).collect();
        Standing { directory, relations, glass_broken }
    })
}

proptest! {
    /// Whatever is narrowed by an outlook is what the decision would be anyway.
    #[test]
    fn an_outlook_and_the_decisions_agree(
        standing in standings(),
        labels in prop::sample::subsequence(vec!["|N", "|R", "a|b"], 0..=3),
        act in prop::sample::select(Act::ALL.to_vec()),
        minute in 0_i64..30_000_000,
        role in prop::sample::select(vec![None, Some("registrar"), Some("pharmacist")]),
    ) {
        for policies in &*EXAMPLES {
            let asker = asker(role);
            let question = Question { asker: asker.clone(), minute, ..question(act, standing, &labels) };
            let permitted = policies.permits(&question);
            for known in [None, Some(standing)] {
                for kind in [None, Some(question.kind)] {
                    let outlook = policies.outlook(&Prospect { asker: asker.clone(), act, kind, standing: known, minute });
                    let agrees = match outlook {
                        Outlook::Always => permitted,
                        Outlook::Never => !permitted,
                        Outlook::Depends => true,
                    };
                    prop_assert!(agrees, "{outlook:?} {permitted} {question:?}");
                }
            }
        }
    }
}
