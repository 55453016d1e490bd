//! A form with a file in it (RFC 7578): its token is looked at before anything else of it is kept.

use crate::{Failure, Member, security};
use axum::extract::Request;
use http::header;
use multer::{Constraints, Multipart, SizeLimit};

/// Most bytes of a file: a workbook of the whole check sheet has about 100 KB.
pub(super) const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Most bytes of another field.
const FIELD_BYTES_MAX: u64 = 4 * 1024;
/// Most bytes of what the preview carries on: the same file in base64.
const CARRIED_BYTES_MAX: u64 = FILE_BYTES_MAX.div_ceil(3) * 4;
/// Most bytes of all.
const FORM_BYTES_MAX: u64 = CARRIED_BYTES_MAX + 64 * 1024;
/// Fields of a form.
const FIELDS: [&str; 6] = ["csrf", "file", "carried", "form", "replace", "version"];

/// What was sent.
#[derive(Default)]
pub(super) struct Uploaded {
    fields: Vec<(String, String)>,
    /// name and contents of the file, where one was chosen
    pub(super) file: Option<(String, Vec<u8>)>,
}

impl Uploaded {
    /// Reads a form of a member. Ask whether the member may, first: this reads up to
    /// [`FORM_BYTES_MAX`].
    ///
    /// # Errors
    /// 400 for what is no such form, 403 where its token is not that of the session, 413 where it is
    /// too large.
    pub(super) async fn read(member: &Member, request: Request) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok());
        let boundary = boundary.ok_or_else(Failure::bad_request)?;
        let limits = SizeLimit::new()
            .whole_stream(FORM_BYTES_MAX)
            .per_field(FIELD_BYTES_MAX)
            .for_field("file", FILE_BYTES_MAX)
            .for_field("carried", CARRIED_BYTES_MAX);
        let rules = Constraints::new().allowed_fields(FIELDS.to_vec()).size_limit(limits);
        let stream = request.into_body().into_data_stream();
        let mut parts = Multipart::with_constraints(stream, boundary, rules);
        let mut found = Self::default();
        while let Some(field) = parts.next_field().await.map_err(|error| wrong(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            // Our forms begin with the token: without it nothing is read.
            if found.fields.is_empty() && name != "csrf" {
                return Err(Failure::foreign_form());
            }
            let file_name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|error| wrong(&error))?;
            if name == "file" {
                // A browser sends an empty one where none was chosen.
                if !file_name.is_empty() && found.file.is_none() {
                    found.file = Some((file_name, bytes.to_vec()));
                }
                continue;
            }
            let text = String::from_utf8(bytes.to_vec()).map_err(|_| Failure::bad_request())?;
            let is_token = name == "csrf";
            if is_token && !member.secret.as_deref().is_some_and(|s| security::token_is(s, &text)) {
                return Err(Failure::foreign_form());
            }
            if found.fields.iter().any(|(known, _)| *known == name) {
                return Err(Failure::bad_request());
            }
            found.fields.push((name, text));
        }
        match found.fields.is_empty() {
            true => Err(Failure::foreign_form()),
            false => Ok(found),
        }
    }

    /// The value of a field; empty where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

fn wrong(error: &multer::Error) -> Failure {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Failure::too_large()
        }
        _ => {
            tracing::debug!(%error, "a form with a file cannot be read");
            Failure::bad_request()
        }
    }
}
