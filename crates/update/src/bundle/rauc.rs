//! RAUC bundles of format `plain` (RAUC reference, "Bundle Formats"): a squashfs with
//! `manifest.raucm` and the images, then a detached CMS signature over the squashfs in DER, then the
//! signature's length as eight bytes, big-endian.

use super::{BundleError, PARTS_MAX, check_file_name, check_text};
use crypto::Sha256;
use std::{collections::BTreeSet, fmt::Write as _};

/// File name of the manifest.
pub const MANIFEST: &str = "manifest.raucm";
/// Largest signature that RAUC reads, in bytes.
pub const SIGNATURE_BYTES_MAX: u64 = 64 * 1024;
/// What the squashfs must be padded to, in bytes.
pub const BLOCK_BYTES: u64 = 4096;

/// What a bundle installs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// what devices call themselves in `system.conf`; others refuse the bundle
    pub compatible: String,
    /// version of the software
    pub version: String,
    /// what it is, for people
    pub description: Option<String>,
    /// identifier of the build
    pub build: Option<String>,
    /// images, each for a class of slots
    pub images: Vec<Image>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// class of slots that it is for, such as `rootfs`
    pub slot_class: String,
    /// name inside the bundle; its ending tells RAUC how to write it
    pub filename: String,
    /// SHA-256
    pub sha256: Sha256,
    /// length in bytes
    pub length: u64,
}

impl Manifest {
    /// The manifest as a file.
    ///
    /// # Errors
    /// [`BundleError`] names the field and its rule.
    pub fn to_text(&self) -> Result<String, BundleError> {
        check_text("compatible", &self.compatible)?;
        check_text("version", &self.version)?;
        self.description.iter().try_for_each(|text| check_text("description", text))?;
        self.build.iter().try_for_each(|text| check_text("build", text))?;
        if self.images.is_empty() {
            return Err(BundleError::Empty);
        }
        if self.images.len() > PARTS_MAX {
            return Err(BundleError::field("images", "must be at most 256"));
        }
        let mut out = String::from("[update]\n");
        let mut line = |name: &str, value: &str| {
            // Of a key file's escapes only the backslash can occur in text on one line.
            let _infallible = writeln!(out, "{name}={}", value.replace('\\', "\\\\"));
        };
        line("compatible", &self.compatible);
        line("version", &self.version);
        self.description.iter().for_each(|text| line("description", text));
        self.build.iter().for_each(|text| line("build", text));
        out.push_str("\n[bundle]\nformat=plain\n");
        let (mut names, mut slots) = (BTreeSet::from([MANIFEST]), BTreeSet::new());
        for Image { slot_class, filename, sha256, length } in &self.images {
            check_file_name("file name", filename)?;
            check_file_name("slot class", slot_class)?;
            if slot_class.contains('.') {
                return Err(BundleError::field("slot class", "must not have a '.'"));
            }
            if !names.insert(filename) {
                return Err(BundleError::Twice(filename.clone()));
            }
            if !slots.insert(slot_class) {
                return Err(BundleError::Twice(slot_class.clone()));
            }
            let _infallible = write!(
                out,
                "\n[image.{slot_class}]\nfilename={filename}\nsha256={sha256}\nsize={length}\n"
            );
        }
        Ok(out)
    }
}

/// What follows the squashfs: its signature and the signature's length.
///
/// # Errors
/// [`BundleError::TooLarge`]: leave certificates out that devices have anyway.
pub fn end(signature: &[u8]) -> Result<Vec<u8>, BundleError> {
    let length = signature.len() as u64;
    if length > SIGNATURE_BYTES_MAX {
        let name = "the signature".to_owned();
        return Err(BundleError::TooLarge { name, length, max: SIGNATURE_BYTES_MAX });
    }
    let mut out = signature.to_vec();
    out.extend(length.to_be_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            compatible: "gate-bg1".into(),
            version: "2.4.1".into(),
            description: Some("C:\\gate".into()),
            build: None,
            images: vec![Image {
                slot_class: "rootfs".into(),
                filename: "rootfs.ext4".into(),
                sha256: Sha256([7; 32]),
                length: 4096,
            }],
        }
    }

    #[test]
    fn a_manifest_reads_as_rauc_wants_it() {
        let expected = format!(
            "[update]\ncompatible=gate-bg1\nversion=2.4.1\ndescription=C:\\\\gate\n\n[bundle]\n\
             format=plain\n\n[image.rootfs]\nfilename=rootfs.ext4\nsha256={}\nsize=4096\n",
            "07".repeat(32)
        );
        assert_eq!(manifest().to_text(), Ok(expected));
        assert_eq!(end(b"sig"), Ok(b"sig\0\0\0\0\0\0\0\x03".to_vec()));
        assert!(matches!(end(&vec![0; 65 * 1024]), Err(BundleError::TooLarge { .. })));
    }

    #[test]
    fn no_field_can_add_a_line() {
        let check = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            manifest.to_text().unwrap_err()
        };
        check(&|m| m.version = "1\n[handler]\nfilename=x".into());
        check(&|m| m.compatible = String::new());
        check(&|m| m.images[0].slot_class = "rootfs]\n[handler".into());
        check(&|m| m.images[0].slot_class = "rootfs.0".into());
        check(&|m| m.images[0].filename = "../x".into());
        check(&|m| m.images.push(m.images[0].clone()));
        check(&|m| m.images[0].filename = MANIFEST.into());
        check(&|m| m.images.clear());
    }
}
