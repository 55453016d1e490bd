//! Where a file comes from: in-toto statements (v0.1, v1), bare, in DSSE envelopes, or several in
//! lines (`.intoto.jsonl`), with what SLSA provenance (v0.2, v1) says of builder and sources.
//!
//! Deliberately absent: the check of an envelope's signatures. What is read is a claim that says
//! which files it is about by their digests; whoever needs to know who claims it checks the envelope
//! by the builder's own means.

use crate::{
    AdvisoryError,
    json::{self, Members as _},
    text,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::Sha256;
use serde_json::Value;

/// Largest document that is read, in bytes.
pub const PROVENANCE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most files that the statements of one document are about.
pub const SUBJECTS_MAX: usize = 4_096;
/// Most statements in one document.
const STATEMENTS_MAX: usize = 64;
/// Longest name kept, in characters.
const NAME_CHARACTERS_MAX: usize = 300;
const EXPECTED: &str = "an in-toto statement";

/// What a document says about where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// its statements; at least one
    pub statements: Vec<ProvenanceStatement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenanceStatement {
    /// what kind of statement: `https://slsa.dev/provenance/v1`
    pub predicate_type: String,
    /// names and SHA-256 of the files that it is about
    pub subjects: Vec<(String, Sha256)>,
    /// who built them, where the statement says so
    pub builder: Option<String>,
    /// what they were built from, where the statement says so: the first source
    pub source: Option<String>,
    /// whether it came in an envelope with signatures, which were not checked
    pub enveloped: bool,
}

impl Provenance {
    /// Reads a document.
    ///
    /// # Errors
    /// [`AdvisoryError`]: too large, malformed, of no form that is read, about no file by SHA-256.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        if bytes.len() > PROVENANCE_BYTES_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "bytes of a provenance document",
                found: bytes.len(),
                most: PROVENANCE_BYTES_MAX,
            });
        }
        let mut statements = Vec::new();
        match json::parse(bytes, PROVENANCE_BYTES_MAX, EXPECTED) {
            Ok(document) => statements.push(statement(&document, false)?),
            // Several in lines.
            Err(error) => {
                let text = std::str::from_utf8(bytes).map_err(|_| error.clone())?;
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                for line in lines {
                    if statements.len() >= STATEMENTS_MAX {
                        return Err(AdvisoryError::TooLarge {
                            what: "statements of a provenance document",
                            found: STATEMENTS_MAX + 1,
                            most: STATEMENTS_MAX,
                        });
                    }
                    let line = json::parse(line.as_bytes(), PROVENANCE_BYTES_MAX, EXPECTED);
                    statements.push(statement(&line.map_err(|_| error.clone())?, false)?);
                }
                if statements.is_empty() {
                    return Err(error);
                }
            }
        }
        let found = statements.iter().map(|one| one.subjects.len()).sum();
        if found > SUBJECTS_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "subjects of a provenance document",
                found,
                most: SUBJECTS_MAX,
            });
        }
        Ok(Self { statements })
    }

    /// Names and digests of all files that the document is about.
    pub fn subjects(&self) -> impl Iterator<Item = &(String, Sha256)> {
        self.statements.iter().flat_map(|statement| &statement.subjects)
    }

    /// Whether it is about the file with this digest.
    pub fn is_about(&self, sha256: &Sha256) -> bool {
        self.subjects().any(|(_, digest)| digest == sha256)
    }
}

fn statement(document: &Value, enveloped: bool) -> Result<ProvenanceStatement, AdvisoryError> {
    let bad = |detail: &str| AdvisoryError::malformed(EXPECTED, detail);
    if let Some(payload) = document.text("payload").filter(|_| !enveloped) {
        if document.text("payloadType") != Some("application/vnd.in-toto+json") {
            let found = text::line(document.text("payloadType").unwrap_or("none"), 60);
            return Err(AdvisoryError::Unsupported(format!(
                "a DSSE envelope of type {found}; provenance is application/vnd.in-toto+json"
            )));
        }
        let inner = STANDARD.decode(payload).map_err(|_| bad("the payload is not base64"))?;
        let inner = json::parse(&inner, PROVENANCE_BYTES_MAX, EXPECTED)?;
        return statement(&inner, true);
    }
    match document.text("_type") {
        Some("https://in-toto.io/Statement/v1" | "https://in-toto.io/Statement/v0.1") => {}
        other => {
            return Err(AdvisoryError::Unsupported(format!(
                "a document of type {}; provenance is read as in-toto statements v0.1 and v1, bare or \
                 in DSSE envelopes",
                text::line(other.unwrap_or("none"), 60)
            )));
        }
    }
    let predicate_type = document
        .text("predicateType")
        .filter(|kind| text::is_plain(kind, 512))
        .ok_or_else(|| bad("predicateType is missing"))?;
    let mut subjects = Vec::new();
    for subject in document.get("subject").and_then(Value::as_array).into_iter().flatten() {
        let Some(digest) = subject.get("digest").and_then(|digest| digest.text("sha256")) else {
            continue;
        };
        // Upper case is no other digest.
        let digest = Sha256::from_hex(&digest.to_ascii_lowercase())
            .ok_or_else(|| bad("a subject's sha256 is not 64 hexadecimal digits"))?;
        if subjects.len() >= SUBJECTS_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "subjects of a provenance document",
                found: SUBJECTS_MAX + 1,
                most: SUBJECTS_MAX,
            });
        }
        let name = text::line(subject.text("name").unwrap_or_default(), NAME_CHARACTERS_MAX);
        subjects.push((name, digest));
    }
    if subjects.is_empty() {
        return Err(bad("it is about no file by SHA-256"));
    }
    let predicate = document.get("predicate");
    let at = |path: &[&str]| {
        let found = path.iter().try_fold(predicate?, |value, name| value.get(name))?;
        found.as_str().map(|text| text::line(text, NAME_CHARACTERS_MAX))
    };
    let first = |list: &[&str]| {
        let found = list.iter().try_fold(predicate?, |value, name| value.get(name))?;
        let uri = found.as_array()?.first()?.text("uri")?;
        Some(text::line(uri, NAME_CHARACTERS_MAX))
    };
    Ok(ProvenanceStatement {
        predicate_type: predicate_type.to_owned(),
        subjects,
        builder: at(&["runDetails", "builder", "id"]).or_else(|| at(&["builder", "id"])),
        source: first(&["buildDefinition", "resolvedDependencies"])
            .or_else(|| first(&["materials"])),
        enveloped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "04fc5e2539c6c241e0c079f644f1d9c0b41fabcd54d3e7aacbaf4e8abce73ebf";

    fn v1() -> String {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"f.img","digest":{{"sha256":"{DIGEST}"}}}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{{"buildDefinition":{{"resolvedDependencies":[{{"uri":"git+https://example/gate"}}]}},"runDetails":{{"builder":{{"id":"https://builder.example"}}}}}}}}"#
        )
    }

    #[test]
    fn statements_come_bare_enveloped_and_in_lines() {
        let bare = Provenance::parse(v1().as_bytes()).unwrap();
        let digest = Sha256::from_hex(DIGEST).unwrap();
        assert!(bare.is_about(&digest) && !bare.is_about(&Sha256([0; 32])));
        let one = &bare.statements[0];
        assert_eq!(one.builder.as_deref(), Some("https://builder.example"));
        assert_eq!(one.source.as_deref(), Some("git+https://example/gate"));
        let envelope = format!(
            r#"{{"payloadType":"application/vnd.in-toto+json","payload":"{}","signatures":[]}}"#,
            STANDARD.encode(v1())
        );
        let enveloped = Provenance::parse(envelope.as_bytes()).unwrap();
        assert!(enveloped.statements[0].enveloped);
        let lines = format!("{envelope}\n{}\n", v1());
        assert_eq!(Provenance::parse(lines.as_bytes()).unwrap().statements.len(), 2);
    }

    #[test]
    fn what_says_nothing_about_a_file_is_refused() {
        let other_type = v1().replace("Statement/v1", "Statement/v9");
        let no_digest = v1().replace("sha256", "sha999");
        let short = v1().replace(DIGEST, "04fc");
        let twice = v1().replace(r#""predicateType""#, r#""subject":[],"predicateType""#);
        let strange = r#"{"payloadType":"text/plain","payload":"AA==","signatures":[]}"#;
        for bad in [other_type.as_str(), &no_digest, &short, &twice, strange, "", "[]", "{}\n{}"] {
            assert!(Provenance::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        // An envelope within an envelope is no statement.
        let inner = format!(
            r#"{{"payloadType":"application/vnd.in-toto+json","payload":"{}"}}"#,
            STANDARD.encode(v1())
        );
        let nested = format!(
            r#"{{"payloadType":"application/vnd.in-toto+json","payload":"{}"}}"#,
            STANDARD.encode(inner)
        );
        assert!(Provenance::parse(nested.as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_and_nothing_is_read_out_of_nothing(
            bytes: Vec<u8>,
            at in 0usize..400,
            with: u8,
        ) {
            let _ = Provenance::parse(&bytes);
            let mut changed = v1().into_bytes();
            if let Some(byte) = changed.get_mut(at) {
                *byte = with;
            }
            if let Ok(found) = Provenance::parse(&changed) {
                // Whatever was changed, what is said stands in the bytes.
                let text = String::from_utf8_lossy(&changed).to_ascii_lowercase();
                for (_, digest) in found.subjects() {
                    proptest::prop_assert!(text.contains(&digest.to_string()), "{}", text);
                }
            }
        }
    }
}
