//! Lines on stderr, as systemd reads them (sd-daemon(3)): a priority, a stable code, words.

/// Something worth knowing.
pub(crate) fn info(code: &str, text: &str) {
    line(6, code, text);
}

/// Something to look at.
pub(crate) fn warning(code: &str, text: &str) {
    line(4, code, text);
}

/// Something that stopped.
pub(crate) fn error(code: &str, text: &str) {
    line(3, code, text);
}

fn line(priority: u8, code: &str, text: &str) {
    // What came from elsewhere must not forge lines.
    let clean: String =
        text.chars().take(1000).map(|c| if c.is_control() { ' ' } else { c }).collect();
    eprintln!("<{priority}>[{code}] {clean}");
}
