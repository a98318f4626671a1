//! What to look up in an index for a condition, and what the terms found there say.

/// Where an index has all resources that match a condition: the intersection of the probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// All of them; never empty.
    pub all_of: Vec<Probe>,
    /// All resources of the type but those that the probes find.
    pub complement: bool,
    /// Some resources that the probes find may not match the condition: check each with
    /// [`Condition::matches`](super::Condition::matches).
    pub needs_check: bool,
}

/// The union of some look-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// In the terms of this parameter.
    pub parameter: u16,
    /// Any of these.
    pub any_of: Vec<Lookup>,
}

/// Some values of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// This one, of [`Layout::Exact`](super::Layout::Exact).
    Exact(Vec<u8>),
    /// All that begin so, of [`Layout::Exact`](super::Layout::Exact).
    Prefix(Vec<u8>),
    /// All of [`Layout::Ordered`](super::Layout::Ordered) from one to the other, these included,
    /// and what begins like the last one; see [`Condition::accepts`](super::Condition::accepts).
    Range {
        /// The first.
        from: Vec<u8>,
        /// The last, or how the last ones begin.
        to: Vec<u8>,
    },
}

/// What a term says about the resource that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is one that the plan looks for.
    Yes,
    /// This term does not make it one.
    No,
    /// It may be: only [`Condition::matches`](super::Condition::matches) knows.
    Unsure,
}

impl From<bool> for Verdict {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}
