//! What decides beside the scopes of tokens.

/// The part `[policies]` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoliciesConfig {
    /// Directory with policies; without, what scopes grant is permitted.
    pub directory: Option<String>,
    /// Whether what the Consents of patients deny is denied.
    pub consent: bool,
    /// Minutes for which who breaks the glass sees the chart; 0: nobody can.
    pub break_glass_minutes: u64,
}
