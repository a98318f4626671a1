//! The console in the browser.

/// The part `[console]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Whether there is a console at `/console/`.
    pub enabled: bool,
    /// The `client_id` that the console has at the issuer where people sign in.
    pub client_id: String,
    /// The scopes that the console asks for.
    pub scope: String,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        let scope = "openid fhirUser user/*.cruds user/AuditEvent.rs user/BreakGlass.ru \
                     user/ChartErasure.cr user/ChartHold.cd user/Feed.crud user/Retention.r \
                     user/SearchParameter.cud";
        Self { enabled: true, client_id: "chartlog-console".to_owned(), scope: scope.to_owned() }
    }
}
