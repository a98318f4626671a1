//! The elements of every resource type and data type: FHIR R4 §2.1.24 (ElementDefinition), and the
//! structure definitions.
//!
//! A type says what it adds to its base, as in the table; the walk through the bases is done here.
//! The types of the elements within an element, such as those of `Patient.contact`, go by their path.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::codes::{self, CodeSet};
use super::primitive::Primitive;
use super::rows;

const ELEMENTS: &str = include_str!("elements.tsv");

/// A resource type, a data type, or the type of an element that has elements of its own.
#[derive(Debug)]
pub struct TypeDefinition {
    /// Its name, such as `Patient`, `HumanName` or `Patient.contact`.
    pub name: &'static str,
    /// Its number among the types, as in [`Form::Complex`].
    pub index: usize,
    /// The name of the type whose elements it has too; empty for `Element` and `Resource`.
    base: &'static str,
    /// The type of that name.
    base_index: Option<usize>,
    /// The elements that it adds, in the order of its definition; no more than 64.
    pub own: Vec<Element>,
    /// Those of its own that must have a value, as bits: the lowest is the first.
    pub required: u64,
}

/// One element of a type.
#[derive(Debug)]
pub struct Element {
    /// Its name, for an element of several types without the `[x]`: `deceased`.
    pub name: &'static str,
    /// True if it stands in JSON under its name followed by that of its type: `deceasedBoolean`.
    pub is_choice: bool,
    /// Smallest number of values: 0 or 1.
    pub min: usize,
    /// True if it may have more than one value, and so is an array in JSON.
    pub max_is_many: bool,
    /// True if it is part of a summary: FHIR R4 §3.1.1.5.9.
    pub is_summary: bool,
    /// True if it changes what the other elements mean: FHIR R4 §2.1.0.2.
    pub is_modifier: bool,
    /// The types that its value may have; one, unless it is a choice.
    pub types: Vec<ElementType>,
    /// The value set to which its codes are bound, if it is closed.
    pub codes: Option<&'static CodeSet>,
}

/// A type that an element may have.
#[derive(Debug)]
pub struct ElementType {
    /// Its name, such as `dateTime`, `Reference` or `Patient.contact`.
    pub name: &'static str,
    /// What is known about it.
    pub form: Form,
    /// Names of the resource types to which a reference may lead, with spaces between them; empty if
    /// any, or if this is no reference. Those to which only an example leads have a `?` in front.
    targets: &'static str,
}

/// What a value of a type looks like in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A string, number or boolean.
    Primitive(Primitive),
    /// An object of elements: the number of the type.
    Complex(usize),
    /// A whole resource of any type.
    Resource,
}

impl TypeDefinition {
    /// The type whose elements this one has too.
    #[must_use]
    pub fn base(&self) -> Option<&'static Self> {
        TYPES.get(self.base_index?)
    }

    /// All elements of the type, those of its bases first.
    pub fn elements(&'static self) -> impl Iterator<Item = &'static Element> {
        let base = self.base();
        let root = base.and_then(Self::base);
        let types = [root, base, Some(self)].into_iter().flatten();
        types.flat_map(|definition| &definition.own)
    }

    /// The element and type that a member of a JSON object means: `deceasedBoolean` is the element
    /// `deceased` of type `boolean`. The name comes without an underscore in front.
    #[must_use]
    pub fn member(&'static self, name: &str) -> Option<(&'static Element, &'static ElementType)> {
        self.elements().find_map(|element| Some((element, element.member(name)?)))
    }
}

impl Element {
    /// The type that the element has under the name of a JSON member; `None` if that is not its name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&ElementType> {
        let rest = name.strip_prefix(self.name)?;
        if self.is_choice {
            self.types.iter().find(|kind| is_suffix(rest, kind.name))
        } else if rest.is_empty() {
            self.types.first()
        } else {
            None
        }
    }
}

/// True if the text is the name of the type with a capital letter.
fn is_suffix(text: &str, type_name: &str) -> bool {
    text.len() == type_name.len()
        && text.as_bytes().first().copied()
            == type_name.as_bytes().first().map(u8::to_ascii_uppercase)
        && text.get(1..) == type_name.get(1..)
}

impl ElementType {
    /// The types to which a reference may lead; none if to any.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.targets.split(' ').filter(|name| !name.is_empty() && !name.starts_with('?'))
    }

    /// The types to which an official example leads, though the definition does not name them.
    pub fn shown_targets(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.targets.split(' ').filter_map(|name| name.strip_prefix('?'))
    }
}

/// The type of that name, such as `Patient`, `HumanName` or `Patient.contact`.
#[must_use]
pub fn definition(type_name: &str) -> Option<&'static TypeDefinition> {
    NUMBERS.get(type_name).and_then(|index| TYPES.get(*index))
}

/// The type with the number that [`Form::Complex`] carries.
#[must_use]
pub fn definition_at(index: usize) -> Option<&'static TypeDefinition> {
    TYPES.get(index)
}

/// All elements of the type of that name, those of its bases first; nothing if there is no such type.
pub fn elements_of(type_name: &str) -> impl Iterator<Item = &'static Element> {
    definition(type_name).into_iter().flat_map(TypeDefinition::elements)
}

/// The elements of one name, found once, so that the one of a type is found without comparing names.
#[derive(Debug, Clone, Copy)]
pub struct ElementsNamed(&'static [(usize, &'static Element)]);

impl ElementsNamed {
    /// The elements of that name, for those of several types without the `[x]`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(BY_NAME.get(name).map_or(&[], Vec::as_slice))
    }

    /// The one that a type has, or has from its bases.
    #[must_use]
    pub fn in_type(self, definition: &TypeDefinition) -> Option<&'static Element> {
        let at = self.0.binary_search_by_key(&definition.index, |(index, _)| *index).ok()?;
        self.0.get(at).map(|(_, element)| *element)
    }
}

/// By name: the number of each type that has such an element, and the element.
static BY_NAME: LazyLock<FxHashMap<&'static str, Vec<(usize, &'static Element)>>> =
    LazyLock::new(|| {
        let mut by_name: FxHashMap<_, Vec<_>> = FxHashMap::default();
        for definition in TYPES.iter() {
            for element in definition.elements() {
                by_name.entry(element.name).or_default().push((definition.index, element));
            }
        }
        by_name
    });

/// The element of a type by its name, for an element of several types without the `[x]`.
#[must_use]
pub fn element(type_name: &str, element_name: &str) -> Option<&'static Element> {
    elements_of(type_name).find(|element| element.name == element_name)
}

/// The number of each type by its name: asked for with every resource that a path comes to.
static NUMBERS: LazyLock<FxHashMap<&'static str, usize>> =
    LazyLock::new(|| TYPES.iter().map(|definition| (definition.name, definition.index)).collect());

/// In the order of their names, as in the table.
static TYPES: LazyLock<Vec<TypeDefinition>> = LazyLock::new(|| {
    let named = rows(ELEMENTS).filter(|[name, _, _, _, _, _]| !name.is_empty());
    let mut types: Vec<TypeDefinition> = named
        .enumerate()
        .map(|(index, [name, _, _, _, base, _])| TypeDefinition {
            name,
            index,
            base,
            base_index: None,
            own: Vec::new(),
            required: 0,
        })
        .collect();
    let bases: Vec<Option<usize>> = types.iter().map(|kind| index_of(&types, kind.base)).collect();
    for (definition, base) in types.iter_mut().zip(bases) {
        definition.base_index = base;
    }
    let mut current = 0;
    for [name, element, cardinality, flags, element_types, codes] in rows(ELEMENTS) {
        if let Some(index) = index_of(&types, name) {
            current = index;
            continue;
        }
        let element_types = element_types.split('|');
        let element_types = element_types.filter_map(|text| element_type(text, &types)).collect();
        let element = read_element(element, cardinality, flags, element_types, codes);
        if let (Some(definition), Some(element)) = (types.get_mut(current), element) {
            definition.required |= u64::from(element.min > 0) << definition.own.len();
            definition.own.push(element);
        }
    }
    types
});

fn index_of(types: &[TypeDefinition], name: &str) -> Option<usize> {
    types.binary_search_by(|definition| definition.name.cmp(name)).ok()
}

/// A cell that does not read is left out, and found by the test below.
fn read_element(
    name: &'static str,
    cardinality: &str,
    flags: &str,
    types: Vec<ElementType>,
    codes: &str,
) -> Option<Element> {
    let (min, max) = cardinality.split_once("..")?;
    Some(Element {
        name: name.trim_end_matches("[x]"),
        is_choice: name.ends_with("[x]"),
        min: min.parse().ok()?,
        max_is_many: max == "*",
        is_summary: flags.contains('S'),
        is_modifier: flags.contains('M'),
        types,
        codes: codes::code_set(codes),
    })
}

fn element_type(text: &'static str, types: &[TypeDefinition]) -> Option<ElementType> {
    let (name, targets) = match text.split_once('(') {
        Some((name, targets)) => (name, targets.trim_end_matches(')')),
        None => (text, ""),
    };
    let form = match Primitive::from_name(name) {
        Some(primitive) => Form::Primitive(primitive),
        None if name == "Resource" => Form::Resource,
        None => Form::Complex(index_of(types, name)?),
    };
    Some(ElementType { name, form, targets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::ResourceType;

    fn names(type_name: &str) -> Vec<&'static str> {
        elements_of(type_name).map(|element| element.name).collect()
    }

    #[test]
    fn every_row_is_read() {
        let mut read = TYPES.iter().flat_map(|definition| {
            let own = definition.own.iter().map(|element| (element.name, Some(element)));
            std::iter::once((definition.name, None)).chain(own)
        });
        for [name, element, _, _, types, codes] in rows(ELEMENTS) {
            let (found, own) = read.next().unwrap();
            let Some(own) = own else {
                assert_eq!((found, element), (name, ""));
                assert_eq!(definition(name).unwrap().base().map_or("", |base| base.name), types);
                continue;
            };
            assert_eq!(found, element.trim_end_matches("[x]"));
            assert_eq!(own.types.len(), types.split('|').count(), "{element}: {types}");
            assert_eq!(own.codes.map_or("", |set| set.name), codes);
            assert!(own.is_choice || own.types.len() == 1);
            for kind in &own.types {
                for target in kind.targets().chain(kind.shown_targets()) {
                    assert!(ResourceType::from_name(target).is_some(), "{target}");
                }
            }
        }
        assert!(read.next().is_none());
        // What an object has is noted in 64 bits.
        assert!(TYPES.iter().all(|definition| definition.elements().count() <= 64));
        assert!(TYPES.iter().enumerate().all(|(index, definition)| definition.index == index));
        // What is required is looked for among a type's own elements only.
        let bases = ["Element", "BackboneElement", "Resource", "DomainResource", "Quantity"];
        assert!(bases.iter().all(|name| definition(name).unwrap().required == 0));
        assert!(ResourceType::all().all(|kind| definition(kind.name()).is_some()));
        assert!(TYPES.is_sorted_by_key(|definition| definition.name));
    }

    #[test]
    fn elements_are_found_by_name_and_type() {
        for kind in TYPES.iter() {
            for element in kind.elements() {
                let found = ElementsNamed::of(element.name).in_type(kind).unwrap();
                assert!(std::ptr::eq(found, element), "{}.{}", kind.name, element.name);
            }
        }
        assert!(ElementsNamed::of("gender").in_type(definition("Observation").unwrap()).is_none());
        assert!(ElementsNamed::of("nothing").in_type(definition("Patient").unwrap()).is_none());
    }

    #[test]
    fn elements_of_the_bases_come_first() {
        let base = ["id", "meta", "implicitRules", "language", "text", "contained", "extension"];
        assert_eq!(names("Patient").get(..7).unwrap(), base);
        assert_eq!(
            names("Patient").get(7..10).unwrap(),
            ["modifierExtension", "identifier", "active"]
        );
        assert_eq!(names("Period"), ["id", "extension", "start", "end"]);
        assert_eq!(names("Age"), names("Quantity"));
        assert_eq!(
            names("Patient.link"),
            ["id", "extension", "modifierExtension", "other", "type"]
        );
        assert!(names("Nothing").is_empty());
    }

    #[test]
    fn an_element_says_what_may_stand_in_it() {
        let gender = element("Patient", "gender").unwrap();
        assert!(!gender.max_is_many && gender.min == 0 && gender.is_summary && !gender.is_modifier);
        assert!(gender.codes.unwrap().has_code("female"));
        let link = element("Patient", "link").unwrap();
        assert!(link.max_is_many && link.is_modifier);
        let other = element("Patient.link", "other").unwrap();
        assert_eq!(other.min, 1);
        let targets: Vec<_> = other.types.first().unwrap().targets().collect();
        assert_eq!(targets, ["Patient", "RelatedPerson"]);
        let item = element("Questionnaire.item", "item").unwrap();
        assert_eq!(item.types.first().unwrap().name, "Questionnaire.item");
        assert_eq!(
            element("Bundle.entry", "resource").unwrap().types.first().unwrap().form,
            Form::Resource
        );
        assert_eq!(element("Patient", "foo").map(|element| element.name), None);
    }

    #[test]
    fn members_name_the_type_of_a_choice() {
        let patient = definition("Patient").unwrap();
        let cases = [
            ("deceasedBoolean", Some(("deceased", "boolean"))),
            ("deceasedDateTime", Some(("deceased", "dateTime"))),
            ("birthDate", Some(("birthDate", "date"))),
            ("id", Some(("id", "id"))),
            ("deceased", None),
            ("deceasedboolean", None),
            ("deceasedString", None),
            ("deceased[x]", None),
            ("birthDateTime", None),
            ("resourceType", None),
            ("", None),
        ];
        for (name, expected) in cases {
            let found = patient.member(name).map(|(element, kind)| (element.name, kind.name));
            assert_eq!(found, expected, "{name}");
        }
    }
}
