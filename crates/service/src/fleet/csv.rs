//! CSV as spreadsheets read it without harm: RFC 4180, UTF-8, and no field that a spreadsheet would
//! take for a formula.

/// Lets Excel read UTF-8 (in Japan it takes Shift_JIS otherwise).
const BOM: &str = "\u{feff}";

/// Begins a file with its head line.
pub(crate) fn begin(bom: bool, head: &[&str]) -> String {
    let mut out = String::new();
    if bom {
        out.push_str(BOM);
    }
    line(&mut out, head.iter().copied());
    out
}

/// Adds a line.
pub(crate) fn line<'a>(out: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (at, text) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        field(out, text);
    }
    out.push_str("\r\n");
}

/// A field that begins like a formula, or with the apostrophe itself, gets an apostrophe in front:
/// whoever reads the file with a program takes one apostrophe away where there is one.
fn field(out: &mut String, text: &str) {
    // The wide forms as well: some spreadsheets fold them.
    let risky = ['=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠'];
    let guard = text.starts_with(risky);
    let quote = guard || text.contains(['"', ',', '\r', '\n', ';', '\t']) || text.trim() != text;
    if quote {
        out.push('"');
    }
    if guard {
        out.push('\'');
    }
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    if quote {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An independent reader of RFC 4180.
    fn read(text: &str) -> Vec<Vec<String>> {
        let mut lines = vec![vec![String::new()]];
        let mut chars = text.chars().peekable();
        let mut quoted = false;
        while let Some(c) = chars.next() {
            let fields = lines.last_mut().unwrap();
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    fields.last_mut().unwrap().push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                '\r' if !quoted && chars.peek() == Some(&'\n') => {
                    chars.next();
                    lines.push(vec![String::new()]);
                }
                other => fields.last_mut().unwrap().push(other),
            }
        }
        assert_eq!(lines.pop(), Some(vec![String::new()]), "ends with a line break");
        lines
    }

    #[test]
    fn formulas_are_texts() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1", "=\"a\",b"] {
            let mut out = String::new();
            line(&mut out, [bad]);
            assert!(out.starts_with("\"'"), "{out}");
        }
        assert_eq!(begin(true, &["a", "b"]), "\u{feff}a,b\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(
            proptest::collection::vec("[-=+@'\",;\r\n\ta＝あ ]{0,6}", 1..5), 1..6,
        )) {
            let mut out = String::new();
            for row in &rows {
                line(&mut out, row.iter().map(String::as_str));
            }
            let read: Vec<Vec<String>> = read(&out)
                .into_iter()
                .map(|row| {
                    row.into_iter()
                        .map(|field| {
                            prop_assert!(!field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
                            Ok(field.strip_prefix('\'').map(str::to_owned).unwrap_or(field))
                        })
                        .collect::<Result<_, TestCaseError>>()
                })
                .collect::<Result<_, _>>()?;
            prop_assert_eq!(read, rows);
        }
    }
}
