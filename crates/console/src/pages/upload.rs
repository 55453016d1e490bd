//! A form with files in it (RFC 7578): its token is looked at before anything else of it is kept.

use crate::{Failure, Member, security};
use axum::{body::Body, extract::Request};
use http::header;
use multer::{Constraints, Multipart, SizeLimit};

/// Most bytes of a field that a form does not name otherwise.
const FIELD_BYTES_MAX: u64 = 4 * 1024;
/// Room for what stands around the parts of a form.
const AROUND_BYTES_MAX: u64 = 64 * 1024;
/// Most parts of a form: each field once, and a browser's own.
const PARTS_MAX: usize = 16;

/// What a form has: names of fields and of files, with the most bytes of each. Beside them stands the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// fields that are longer than 4 KiB
    pub(super) long: &'static [(&'static str, u64)],
    /// fields
    pub(super) fields: &'static [&'static str],
    /// files
    pub(super) files: &'static [(&'static str, u64)],
}

impl Shape {
    /// Most bytes of all.
    const fn most(&self) -> u64 {
        let mut sum = AROUND_BYTES_MAX;
        let (mut long, mut files) = (self.long, self.files);
        while let [(_, most), rest @ ..] = long {
            (sum, long) = (sum + *most, rest);
        }
        while let [(_, most), rest @ ..] = files {
            (sum, files) = (sum + *most, rest);
        }
        sum
    }

    fn rules(&self) -> Constraints {
        let named = self.long.iter().chain(self.files);
        let limits = SizeLimit::new().whole_stream(self.most()).per_field(FIELD_BYTES_MAX);
        let limits =
            named.clone().fold(limits, |limits, (name, most)| limits.for_field(*name, *most));
        let names = named.map(|(name, _)| *name).chain(self.fields.iter().copied()).chain(["csrf"]);
        Constraints::new().allowed_fields(names.collect::<Vec<_>>()).size_limit(limits)
    }
}

/// What was sent.
#[derive(Default)]
pub(super) struct Uploaded {
    fields: Vec<(String, String)>,
    /// field, name and contents of each file that was chosen
    files: Vec<(String, String, Vec<u8>)>,
}

impl Uploaded {
    /// Reads a form of a member. Ask whether the member may, first: this reads up to
    /// what its shape allows.
    ///
    /// # Errors
    /// 400 for what is no such form, 403 where its token is not that of the session, 413 where it is
    /// too large.
    pub(super) async fn read(
        member: &Member,
        request: Request,
        shape: &Shape,
    ) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok());
        let boundary = boundary.ok_or_else(Failure::bad_request)?;
        let is_token = |text: &str| {
            member.secret.as_deref().is_some_and(|secret| security::token_is(secret, text))
        };
        Self::parts(request.into_body(), boundary, shape, is_token).await
    }

    /// The parts of a body: at most as many bytes are read of it as its shape allows.
    async fn parts(
        body: Body,
        boundary: String,
        shape: &Shape,
        is_token: impl Fn(&str) -> bool,
    ) -> Result<Self, Failure> {
        let mut parts =
            Multipart::with_constraints(body.into_data_stream(), boundary, shape.rules());
        let mut count = 0_usize;
        let mut found = Self::default();
        while let Some(field) = parts.next_field().await.map_err(|error| wrong(&error))? {
            count += 1;
            if count > PARTS_MAX {
                return Err(Failure::too_large());
            }
            let name = field.name().unwrap_or_default().to_owned();
            // Our forms begin with the token: without it nothing is read.
            if found.fields.is_empty() && name != "csrf" {
                return Err(Failure::foreign_form());
            }
            let file_name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|error| wrong(&error))?;
            if shape.files.iter().any(|(known, _)| *known == name) {
                // A browser sends an empty one where none was chosen.
                if !file_name.is_empty() && found.file(&name).is_none() {
                    found.files.push((name, file_name, bytes.to_vec()));
                }
                continue;
            }
            let text = String::from_utf8(bytes.to_vec()).map_err(|_| Failure::bad_request())?;
            if name == "csrf" && !is_token(&text) {
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

    /// Name and contents of a file, where one was chosen.
    pub(super) fn file(&self, field: &str) -> Option<(&str, &[u8])> {
        let found = self.files.iter().find(|(known, ..)| known == field);
        found.map(|(_, name, bytes)| (name.as_str(), bytes.as_slice()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;
    use http::StatusCode;
    use proptest::prelude::*;
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    };

    const BOUNDARY: &str = "----tegata";
    const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
    const CARRIED_BYTES_MAX: u64 = FILE_BYTES_MAX.div_ceil(3) * 4;
    const SHAPE: Shape = Shape {
        long: &[("carried", CARRIED_BYTES_MAX)],
        fields: &["form", "replace", "version"],
        files: &[("file", FILE_BYTES_MAX)],
    };

    /// One part, as a browser writes it.
    fn part(name: &str, file: Option<&str>, content: &[u8]) -> Vec<u8> {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        let mut out = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        )
        .into_bytes();
        out.extend_from_slice(content);
        out.extend_from_slice(b"\r\n");
        out
    }

    fn whole(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut out = parts.concat();
        out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        out
    }

    /// A body in pieces of these sizes, over and over; how much was taken of it is counted.
    fn body(bytes: Vec<u8>, sizes: &[usize], taken: &Arc<AtomicU64>) -> Body {
        let (mut rest, taken) = (Bytes::from(bytes), Arc::clone(taken));
        let sizes: Vec<usize> = sizes.to_vec();
        let mut at = 0;
        Body::from_stream(stream::iter(std::iter::from_fn(move || {
            let size = sizes[at % sizes.len()].clamp(1, rest.len().max(1));
            at += 1;
            (!rest.is_empty()).then(|| {
                let piece = rest.split_to(size);
                taken.fetch_add(size.try_into().unwrap(), Ordering::Relaxed);
                Ok::<_, Infallible>(piece)
            })
        })))
    }

    fn read(body: Body) -> Result<Uploaded, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Uploaded::parts(body, BOUNDARY.to_owned(), &SHAPE, |text| text == "t"))
    }

    fn status(read: Result<Uploaded, Failure>) -> StatusCode {
        read.err().expect("it was taken").plain().status()
    }

    /// What is kept of a form never has more than its fields may have together.
    fn kept(form: &Uploaded) -> u64 {
        let fields =
            form.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let files =
            form.files.iter().map(|(_, name, bytes)| name.len() + bytes.len()).sum::<usize>();
        (fields + files).try_into().unwrap()
    }

    #[test]
    fn too_much_and_too_many_are_refused_early() {
        let taken = Arc::default();
        let csrf = || part("csrf", None, b"t");
        let large = |name: &str, bytes: u64| {
            let file = (name == "file").then_some("a.yaml");
            let content = vec![b'x'; bytes.try_into().unwrap()];
            body(whole(&[csrf(), part(name, file, &content)]), &[65_536], &taken)
        };
        assert!(read(large("file", FILE_BYTES_MAX)).is_ok());
        assert!(read(large("carried", CARRIED_BYTES_MAX)).is_ok());
        assert!(read(large("form", FIELD_BYTES_MAX)).is_ok());
        for (name, most) in
            [("file", FILE_BYTES_MAX), ("carried", CARRIED_BYTES_MAX), ("form", FIELD_BYTES_MAX)]
        {
            let refused = status(read(large(name, most + 1)));
            assert_eq!(refused, StatusCode::PAYLOAD_TOO_LARGE, "{name}");
        }
        // Parts without content: browsers send an empty file where none was chosen.
        let many = |count: usize| {
            let mut parts = vec![csrf()];
            parts.extend(std::iter::repeat_n(part("file", Some(""), b""), count));
            body(whole(&parts), &[4_096], &taken)
        };
        assert!(read(many(PARTS_MAX - 1)).is_ok());
        assert_eq!(status(read(many(PARTS_MAX))), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn nothing_is_taken_without_the_token_and_nothing_twice() {
        let taken = Arc::default();
        let of = |parts: &[Vec<u8>]| read(body(whole(parts), &[7], &taken));
        let file = || part("file", Some("a.yaml"), b"x");
        assert_eq!(status(of(&[])), StatusCode::FORBIDDEN);
        assert_eq!(status(of(&[file(), part("csrf", None, b"t")])), StatusCode::FORBIDDEN);
        assert_eq!(status(of(&[part("csrf", None, b"u"), file()])), StatusCode::FORBIDDEN);
        let token = || part("csrf", None, b"t");
        assert_eq!(status(of(&[token(), token()])), StatusCode::BAD_REQUEST);
        assert_eq!(status(of(&[token(), part("colour", None, b"red")])), StatusCode::BAD_REQUEST);
        assert_eq!(status(of(&[token(), part("form", None, b"\xff")])), StatusCode::BAD_REQUEST);
    }

    /// A body that never ends is not read for ever, whatever it holds.
    #[test]
    fn what_never_ends_is_let_go() {
        let part = part("csrf", None, b"t");
        let file = b"--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let head = String::from_utf8_lossy(file).replace("{}", BOUNDARY).into_bytes();
        for begin in [Vec::new(), part.clone(), [part, head].concat()] {
            let taken = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&taken);
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from(begin))]);
            let rest = stream::repeat_with(move || {
                counted.fetch_add(4_096, Ordering::Relaxed);
                Ok(Bytes::from_static(&[b'x'; 4_096]))
            });
            let endless = Body::from_stream(futures_util::StreamExt::chain(first, rest));
            assert_eq!(status(read(endless)), StatusCode::PAYLOAD_TOO_LARGE);
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken <= SHAPE.most() + 64 * 1024, "{taken} bytes were taken");
        }
    }

    proptest! {
        /// Whatever the bytes and however they arrive, they are a form or a refusal, and what is kept has
        /// its limit.
        #[test]
        fn any_bytes_are_a_form_or_a_refusal(
            pieces in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..40),
                    Just(format!("--{BOUNDARY}\r\n").into_bytes()),
                    Just(format!("\r\n--{BOUNDARY}--").into_bytes()),
                    Just(part("csrf", None, b"t")),
                    Just(part("file", Some("a\u{202e}.xlsx"), b"PK")),
                    Just(b"Content-Disposition: form-data; name=\"file\"; filename=\"\"\r\n".to_vec()),
                    Just(b"\r\n\r\n".to_vec()),
                ],
                0..12,
            ),
            sizes in proptest::collection::vec(1usize..64, 1..4),
        ) {
            let taken = Arc::default();
            if let Ok(form) = read(body(pieces.concat(), &sizes, &taken)) {
                prop_assert!(kept(&form) <= taken.load(Ordering::Relaxed));
                prop_assert_eq!(form.get("csrf"), "t");
            }
        }

        /// What was sent arrives, wherever the network cuts it: also in the middle of a boundary.
        #[test]
        fn parts_survive_any_cut(
            content in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'-')],
                0..200,
            ),
            word in "[ -~あ-ん]{0,40}",
            sizes in proptest::collection::vec(1usize..80, 1..5),
        ) {
            let sent = [
                part("csrf", None, b"t"),
                part("form", None, word.as_bytes()),
                part("file", Some("sheet.xlsx"), &content),
                part("version", None, b"7"),
            ];
            let form = read(body(whole(&sent), &sizes, &Arc::default())).ok().unwrap();
            prop_assert_eq!(form.get("form"), word);
            prop_assert_eq!(form.get("version"), "7");
            prop_assert_eq!(form.file("file"), Some(("sheet.xlsx", content.as_slice())));
        }
    }
}
