//! The functions by name: FHIRPath N1 §5 and §6.5 to 6.8, FHIR R4 §2.9.1.2, and those of the draft that
//! follows N1 which the test suite of HL7 uses.

/// A function, by what carries it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// Evaluates its arguments itself, for each item or not at all.
    Lazy(Lazy),
    Collection(OnCollection),
    Text(OnText),
    Number(OnNumber),
    Moment(OnMoment),
    /// `toX()`
    To(Target),
    /// `convertsToX()`
    ConvertsTo(Target),
    Tree(OnTree),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lazy {
    Aggregate,
    All,
    DefineVariable,
    Exists,
    Iif,
    Repeat,
    Select,
    Sort,
    Trace,
    Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnCollection {
    AllFalse,
    AllTrue,
    AnyFalse,
    AnyTrue,
    Combine,
    Count,
    Distinct,
    Empty,
    Exclude,
    First,
    Intersect,
    IsDistinct,
    Last,
    Not,
    Single,
    Skip,
    SubsetOf,
    SupersetOf,
    Tail,
    Take,
    Union,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnText {
    Contains,
    Decode,
    Encode,
    EndsWith,
    Escape,
    IndexOf,
    Join,
    LastIndexOf,
    Length,
    Lower,
    Matches,
    MatchesFull,
    Replace,
    ReplaceMatches,
    Split,
    StartsWith,
    Substring,
    ToChars,
    Trim,
    Unescape,
    Upper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnNumber {
    Abs,
    Ceiling,
    Exp,
    Floor,
    Ln,
    Log,
    Power,
    Round,
    Sqrt,
    Truncate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnMoment {
    Comparable,
    DateOf,
    DayOf,
    HighBoundary,
    HourOf,
    LowBoundary,
    MillisecondOf,
    MinuteOf,
    MonthOf,
    Now,
    Precision,
    SecondOf,
    TimeOf,
    TimeOfDay,
    TimezoneOffsetOf,
    Today,
    YearOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnTree {
    CheckModifiers,
    Children,
    ConformsTo,
    Descendants,
    ElementDefinition,
    Extension,
    GetValue,
    HasExtension,
    HasValue,
    HtmlChecks,
    MemberOf,
    Resolve,
    Slice,
    SubsumedBy,
    Subsumes,
    Type,
}

/// What a value is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Boolean,
    Date,
    DateTime,
    Decimal,
    Integer,
    Quantity,
    String,
    Time,
}

/// Name, function, and how many arguments it takes at least and at most.
const FUNCTIONS: [(&str, Function, usize, usize); 112] = {
    use self::Lazy as L;
    use Function::{Collection, ConvertsTo, Lazy, Moment, Number, Text, To, Tree};
    use {OnCollection as C, OnMoment as M, OnNumber as N, OnText as S, OnTree as T, Target as X};
    [
        ("abs", Number(N::Abs), 0, 0),
        ("aggregate", Lazy(L::Aggregate), 1, 2),
        ("all", Lazy(L::All), 1, 1),
        ("allFalse", Collection(C::AllFalse), 0, 0),
        ("allTrue", Collection(C::AllTrue), 0, 0),
        ("anyFalse", Collection(C::AnyFalse), 0, 0),
        ("anyTrue", Collection(C::AnyTrue), 0, 0),
        ("ceiling", Number(N::Ceiling), 0, 0),
        ("checkModifiers", Tree(T::CheckModifiers), 0, 16),
        ("children", Tree(T::Children), 0, 0),
        ("combine", Collection(C::Combine), 1, 1),
        ("comparable", Moment(M::Comparable), 1, 1),
        ("conformsTo", Tree(T::ConformsTo), 1, 1),
        ("contains", Text(S::Contains), 1, 1),
        ("convertsToBoolean", ConvertsTo(X::Boolean), 0, 0),
        ("convertsToDate", ConvertsTo(X::Date), 0, 0),
        ("convertsToDateTime", ConvertsTo(X::DateTime), 0, 0),
        ("convertsToDecimal", ConvertsTo(X::Decimal), 0, 0),
        ("convertsToInteger", ConvertsTo(X::Integer), 0, 0),
        ("convertsToQuantity", ConvertsTo(X::Quantity), 0, 1),
        ("convertsToString", ConvertsTo(X::String), 0, 0),
        ("convertsToTime", ConvertsTo(X::Time), 0, 0),
        ("count", Collection(C::Count), 0, 0),
        ("dateOf", Moment(M::DateOf), 0, 0),
        ("dayOf", Moment(M::DayOf), 0, 0),
        ("decode", Text(S::Decode), 1, 1),
        ("defineVariable", Lazy(L::DefineVariable), 1, 2),
        ("descendants", Tree(T::Descendants), 0, 0),
        ("distinct", Collection(C::Distinct), 0, 0),
        ("elementDefinition", Tree(T::ElementDefinition), 0, 0),
        ("empty", Collection(C::Empty), 0, 0),
        ("encode", Text(S::Encode), 1, 1),
        ("endsWith", Text(S::EndsWith), 1, 1),
        ("escape", Text(S::Escape), 1, 1),
        ("exclude", Collection(C::Exclude), 1, 1),
        ("exists", Lazy(L::Exists), 0, 1),
        ("exp", Number(N::Exp), 0, 0),
        ("extension", Tree(T::Extension), 1, 1),
        ("first", Collection(C::First), 0, 0),
        ("floor", Number(N::Floor), 0, 0),
        ("getValue", Tree(T::GetValue), 0, 0),
        ("hasExtension", Tree(T::HasExtension), 1, 1),
        ("hasValue", Tree(T::HasValue), 0, 0),
        ("highBoundary", Moment(M::HighBoundary), 0, 1),
        ("hourOf", Moment(M::HourOf), 0, 0),
        ("htmlChecks", Tree(T::HtmlChecks), 0, 0),
        ("htmlchecks", Tree(T::HtmlChecks), 0, 0),
        ("iif", Lazy(L::Iif), 2, 3),
        ("indexOf", Text(S::IndexOf), 1, 1),
        ("intersect", Collection(C::Intersect), 1, 1),
        ("isDistinct", Collection(C::IsDistinct), 0, 0),
        ("join", Text(S::Join), 0, 1),
        ("last", Collection(C::Last), 0, 0),
        ("lastIndexOf", Text(S::LastIndexOf), 1, 1),
        ("length", Text(S::Length), 0, 0),
        ("ln", Number(N::Ln), 0, 0),
        ("log", Number(N::Log), 1, 1),
        ("lowBoundary", Moment(M::LowBoundary), 0, 1),
        ("lower", Text(S::Lower), 0, 0),
        ("matches", Text(S::Matches), 1, 1),
        ("matchesFull", Text(S::MatchesFull), 1, 1),
        ("memberOf", Tree(T::MemberOf), 1, 1),
        ("millisecondOf", Moment(M::MillisecondOf), 0, 0),
        ("minuteOf", Moment(M::MinuteOf), 0, 0),
        ("monthOf", Moment(M::MonthOf), 0, 0),
        ("not", Collection(C::Not), 0, 0),
        ("now", Moment(M::Now), 0, 0),
        ("power", Number(N::Power), 1, 1),
        ("precision", Moment(M::Precision), 0, 0),
        ("repeat", Lazy(L::Repeat), 1, 1),
        ("replace", Text(S::Replace), 2, 2),
        ("replaceMatches", Text(S::ReplaceMatches), 2, 2),
        ("resolve", Tree(T::Resolve), 0, 0),
        ("round", Number(N::Round), 0, 1),
        ("secondOf", Moment(M::SecondOf), 0, 0),
        ("select", Lazy(L::Select), 1, 1),
        ("single", Collection(C::Single), 0, 0),
        ("skip", Collection(C::Skip), 1, 1),
        ("slice", Tree(T::Slice), 2, 2),
        ("sort", Lazy(L::Sort), 0, 8),
        ("split", Text(S::Split), 1, 1),
        ("sqrt", Number(N::Sqrt), 0, 0),
        ("startsWith", Text(S::StartsWith), 1, 1),
        ("subsetOf", Collection(C::SubsetOf), 1, 1),
        ("substring", Text(S::Substring), 1, 2),
        ("subsumedBy", Tree(T::SubsumedBy), 1, 1),
        ("subsumes", Tree(T::Subsumes), 1, 1),
        ("supersetOf", Collection(C::SupersetOf), 1, 1),
        ("tail", Collection(C::Tail), 0, 0),
        ("take", Collection(C::Take), 1, 1),
        ("timeOf", Moment(M::TimeOf), 0, 0),
        ("timeOfDay", Moment(M::TimeOfDay), 0, 0),
        ("timezoneOffsetOf", Moment(M::TimezoneOffsetOf), 0, 0),
        ("toBoolean", To(X::Boolean), 0, 0),
        ("toChars", Text(S::ToChars), 0, 0),
        ("toDate", To(X::Date), 0, 0),
        ("toDateTime", To(X::DateTime), 0, 0),
        ("toDecimal", To(X::Decimal), 0, 0),
        ("toInteger", To(X::Integer), 0, 0),
        ("toQuantity", To(X::Quantity), 0, 1),
        ("toString", To(X::String), 0, 0),
        ("toTime", To(X::Time), 0, 0),
        ("today", Moment(M::Today), 0, 0),
        ("trace", Lazy(L::Trace), 1, 2),
        ("trim", Text(S::Trim), 0, 0),
        ("truncate", Number(N::Truncate), 0, 0),
        ("type", Tree(T::Type), 0, 0),
        ("unescape", Text(S::Unescape), 1, 1),
        ("union", Collection(C::Union), 1, 1),
        ("upper", Text(S::Upper), 0, 0),
        ("where", Lazy(L::Where), 1, 1),
        ("yearOf", Moment(M::YearOf), 0, 0),
    ]
};

impl Function {
    /// The function of that name, and how many arguments it takes at least and at most.
    pub(super) fn named(name: &str) -> Option<(Self, usize, usize)> {
        let at = FUNCTIONS.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
        FUNCTIONS.get(at).map(|(_, function, min, max)| (*function, *min, *max))
    }

    /// Its name, for errors.
    pub(super) fn name(self) -> &'static str {
        let known = FUNCTIONS.iter().find(|(_, function, ..)| *function == self);
        known.map_or("", |(name, ..)| name)
    }

    /// True if the order of its outcome means something: those that take items by their place.
    pub(super) fn needs_order(self) -> bool {
        use OnCollection::{First, Last, Skip, Tail, Take};
        matches!(self, Self::Collection(First | Last | Skip | Tail | Take))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, ..)| *name));
        for (name, function, min, max) in FUNCTIONS {
            assert_eq!(Function::named(name), Some((function, min, max)));
        }
    }
}
