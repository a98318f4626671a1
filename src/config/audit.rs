//! How long access entries are kept, which are called unusual, and where they are forwarded to.

/// The part `[audit]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// For how many years access entries are kept; 0: for ever.
    pub retention_years: u64,
    /// Whether it is unusual that users look into a chart that seems to be their own.
    pub unusual_own_chart: bool,
    /// Whether it is unusual that user and patient have the same surname.
    pub unusual_same_surname: bool,
    /// Whether it is unusual that the patient has one of the labels `vip_codes`.
    pub unusual_vip: bool,
    /// Whether it is unusual that nothing in the chart names the user.
    pub unusual_no_relation: bool,
    /// Whether it is unusual that it was at night.
    pub unusual_night: bool,
    /// Codes of labels, `code` or `system|code`.
    pub vip_codes: Vec<String>,
    /// Hour at which the night begins.
    pub night_begins_hour: u64,
    /// Hour at which it ends.
    pub night_ends_hour: u64,
    /// Name of the time zone in which these hours are meant, as in the IANA time zone database.
    pub time_zone: String,
    /// Where entries are forwarded to: see [`super::SiemTarget`].
    pub siem: Vec<String>,
    /// Whether a new target gets what the logs hold already.
    pub siem_from_start: bool,
    /// Whether what is forwarded names patients.
    pub siem_patients: bool,
    /// File with the certificates of the authorities that targets are certified by, as PEM; `None`: the public ones.
    pub siem_ca_file: Option<String>,
    /// File with the certificate that the server shows to targets, as PEM.
    pub siem_certificate_file: Option<String>,
    /// File with its private key, as PEM.
    pub siem_key_file: Option<String>,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            retention_years: 0,
            unusual_own_chart: true,
            unusual_same_surname: true,
            unusual_vip: true,
            unusual_no_relation: true,
            unusual_night: true,
            vip_codes: vec!["VIP".to_owned(), "CEL".to_owned()],
            night_begins_hour: 22,
            night_ends_hour: 6,
            time_zone: "UTC".to_owned(),
            siem: Vec::new(),
            siem_from_start: false,
            siem_patients: false,
            siem_ca_file: None,
            siem_certificate_file: None,
            siem_key_file: None,
        }
    }
}
