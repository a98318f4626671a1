//! What was examined, how it stands, and what to do.

use serde::Serialize;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and may not for ever, or not as safely as it could.
    Warn,
    /// A server does not start, or does not keep what it acknowledges.
    Fail,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was examined.
    pub checked: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do; nothing where all is well.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(checked: &'static str, detail: impl Into<String>) -> Self {
        Self { checked, verdict: Verdict::Ok, detail: detail.into(), todo: None }
    }

    /// Something to think about.
    pub fn warn(checked: &'static str, detail: impl Into<String>, todo: impl Into<String>) -> Self {
        let (detail, todo) = (detail.into(), Some(todo.into()));
        Self { checked, verdict: Verdict::Warn, detail, todo }
    }

    /// Something that must be mended.
    pub fn fail(checked: &'static str, detail: impl Into<String>, todo: impl Into<String>) -> Self {
        let (detail, todo) = (detail.into(), Some(todo.into()));
        Self { checked, verdict: Verdict::Fail, detail, todo }
    }

    /// As a line, or two, for people.
    pub fn line(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        let todo = self.todo.as_ref().map(|todo| format!("      do: {todo}\n")).unwrap_or_default();
        format!("{verdict:5} {}: {}\n{todo}", self.checked, self.detail)
    }
}
