//! Images for updaters that others wrote: what SWUpdate and RAUC install (docs/bundle.md).
//!
//! - [`cpio`]: the archive around an SWUpdate image.
//! - [`swupdate`]: its `sw-description`, with the hash of every part.
//! - [`rauc`]: the manifest and the end of a bundle of format `plain`.
//!
//! Pure: pieces of bytes, in the order in which they are written. Signatures over `sw-description` and
//! over a bundle's squashfs are those of `pki::signed_data`, made by the caller. Reading
//! such files is what devices do; nothing here does.

pub mod cpio;
pub mod rauc;
pub mod swupdate;

/// Why nothing was packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// A field breaks its rule.
    #[error("{field} {rule}")]
    Field {
        /// which
        field: String,
        /// what it must be
        rule: &'static str,
    },
    /// More than the format can say.
    #[error("{name} has {length} bytes; the format takes at most {max}")]
    TooLarge {
        /// which file
        name: String,
        /// its length in bytes
        length: u64,
        /// the limit in bytes
        max: u64,
    },
    /// Two parts have one name.
    #[error("{0} is there twice; each part needs a file name of its own")]
    Twice(String),
    /// There is nothing to install.
    #[error("the description names nothing to install; add an image, a file or a script")]
    Empty,
}

impl BundleError {
    pub(crate) fn field(field: impl Into<String>, rule: &'static str) -> Self {
        Self::Field { field: field.into(), rule }
    }
}

/// Longest text of one field, in bytes: SWUpdate keeps them in 256 bytes with their end.
pub const TEXT_BYTES_MAX: usize = 255;
/// Most parts of one bundle.
pub const PARTS_MAX: usize = 256;

/// The name of a file inside a bundle: nothing that a path, a shell or a key file could read as more.
pub(crate) fn check_file_name(field: &str, name: &str) -> Result<(), BundleError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    let good = !name.is_empty()
        && name.len() <= TEXT_BYTES_MAX
        && !name.starts_with(['.', '-'])
        && name.bytes().all(plain);
    if good {
        Ok(())
    } else {
        let rule = "must have 1 to 255 letters, digits, '.', '_', '-' or '+', and begin with a letter or digit";
        Err(BundleError::field(format!("{field} {name:?}"), rule))
    }
}

/// Text on one line.
pub(crate) fn check_text(field: &str, text: &str) -> Result<(), BundleError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(BundleError::field(field, "must have 1 to 255 bytes"));
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        let rule = "must not have control characters, nor begin or end with white space";
        return Err(BundleError::field(field, rule));
    }
    Ok(())
}
