//! `sw-description` of SWUpdate, in its JSON form: what to install where, with the hash of every part.
//! The file is signed as a whole, so a hash in it speaks for its part.

use super::{BundleError, PARTS_MAX, check_file_name, check_text};
use crypto::Sha256;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// File name of the description; the first member of the archive.
pub const DESCRIPTION: &str = "sw-description";
/// File name of its signature; the second.
pub const SIGNATURE: &str = "sw-description.sig";
/// Largest description, in bytes; SWUpdate reads it into memory.
const DESCRIPTION_BYTES_MAX: usize = 256 * 1024;

/// What an image installs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// version of the software
    pub version: String,
    /// what it is, for people
    pub text: Option<String>,
    /// the board that it is for: devices that call themselves otherwise find nothing in it
    pub board: Option<String>,
    /// hardware revisions that it is for: exact, or `#RE:` and a regular expression
    pub hardware: Vec<String>,
    /// whether the device restarts afterwards; SWUpdate's default is yes
    pub reboot: Option<bool>,
    /// what is installed, in this order
    pub parts: Vec<Part>,
    /// variables of the boot loader that are set with the installation
    pub bootloader: Vec<(String, String)>,
}

/// Where a part goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// a device, by a handler: `raw`, `ubivol`, …
    Image {
        /// name of the handler
        handler: String,
        /// its device
        device: Option<String>,
        /// its volume
        volume: Option<String>,
    },
    /// a path in a file system
    File {
        /// the path, absolute
        path: String,
        /// device that is mounted for it
        device: Option<String>,
        /// file system of the device
        filesystem: Option<String>,
    },
    /// a program that runs: `shellscript`, `preinstall`, `postinstall`, `lua`
    Script {
        /// name of the handler
        handler: String,
    },
}

/// How a part is compressed before it is enciphered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip
    Zlib,
    /// Zstandard
    Zstd,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// name inside the archive
    pub filename: String,
    /// where it goes
    pub place: Place,
    /// how it is compressed; `None`: it is not
    pub compressed: Option<Compression>,
    /// written while it arrives, without a copy in between; the hash is then known only at the end
    pub installed_directly: bool,
    /// installed only where this name has another version: (name, version)
    pub install_if_different: Option<(String, String)>,
    /// what its handler wants to know besides
    pub properties: Vec<(String, String)>,
}

/// What a part's bytes are, as they lie in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// SHA-256 of the bytes in the archive: of the ciphertext where there is one, so that a device
    /// verifies before it deciphers
    pub sha256: Sha256,
    /// initialisation vector, where it is enciphered with AES-256-CBC
    pub iv: Option<[u8; 16]>,
}

/// Writes the description of parts whose contents are known, in the order of [`Description::parts`].
///
/// # Errors
/// [`BundleError`] names the field and its rule.
pub fn sw_description(
    description: &Description,
    contents: &[Contents],
) -> Result<Vec<u8>, BundleError> {
    check(description, contents)?;
    let mut inner = Map::new();
    inner.insert("hardware-compatibility".into(), json!(description.hardware));
    if let Some(reboot) = description.reboot {
        inner.insert("reboot".into(), json!(reboot));
    }
    for (part, contents) in description.parts.iter().zip(contents) {
        let (list, value) = written(part, contents);
        let list = inner.entry(list).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(value);
        }
    }
    if !description.bootloader.is_empty() {
        let variable = |(name, value): &(String, String)| json!({ "name": name, "value": value });
        let all: Vec<Value> = description.bootloader.iter().map(variable).collect();
        inner.insert("bootenv".into(), json!(all));
    }
    let mut software = Map::new();
    software.insert("version".into(), json!(description.version));
    if let Some(text) = &description.text {
        software.insert("description".into(), json!(text));
    }
    match &description.board {
        // Below the board's name: SWUpdate compares revisions, and would otherwise take those of
        // another board for its own.
        Some(board) => {
            software.insert(board.clone(), Value::Object(inner));
        }
        None => software.extend(inner),
    }
    let bytes = format!("{:#}\n", json!({ "software": software })).into_bytes();
    if bytes.len() > DESCRIPTION_BYTES_MAX {
        return Err(BundleError::TooLarge {
            name: DESCRIPTION.into(),
            length: bytes.len() as u64,
            max: DESCRIPTION_BYTES_MAX as u64,
        });
    }
    Ok(bytes)
}

fn written(part: &Part, contents: &Contents) -> (&'static str, Value) {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.into(), value);
    };
    put("filename", json!(part.filename));
    put("sha256", json!(contents.sha256.to_string()));
    let list = match &part.place {
        Place::Image { handler, device, volume } => {
            put("type", json!(handler));
            device.iter().for_each(|device| put("device", json!(device)));
            volume.iter().for_each(|volume| put("volume", json!(volume)));
            "images"
        }
        Place::File { path, device, filesystem } => {
            put("path", json!(path));
            device.iter().for_each(|device| put("device", json!(device)));
            filesystem.iter().for_each(|filesystem| put("filesystem", json!(filesystem)));
            "files"
        }
        Place::Script { handler } => {
            put("type", json!(handler));
            "scripts"
        }
    };
    match part.compressed {
        None => {}
        Some(Compression::Zlib) => put("compressed", json!("zlib")),
        Some(Compression::Zstd) => put("compressed", json!("zstd")),
    }
    if part.installed_directly {
        put("installed-directly", json!(true));
    }
    if let Some((name, version)) = &part.install_if_different {
        put("name", json!(name));
        put("version", json!(version));
        put("install-if-different", json!(true));
    }
    if let Some(iv) = contents.iv {
        put("encrypted", json!(true));
        put("ivt", json!(hex::encode(iv)));
    }
    if !part.properties.is_empty() {
        let all: Map<String, Value> =
            part.properties.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        put("properties", Value::Object(all));
    }
    (list, Value::Object(out))
}

fn check(description: &Description, contents: &[Contents]) -> Result<(), BundleError> {
    check_text("version", &description.version)?;
    description.text.iter().try_for_each(|text| check_text("description", text))?;
    if let Some(board) = &description.board {
        check_file_name("board", board)?;
        // What stands beside the board's name in the same object.
        if ["version", "description", "hardware-compatibility", "images", "files", "scripts"]
            .contains(&board.as_str())
        {
            return Err(BundleError::field("board", "must not be a word of sw-description"));
        }
    }
    if description.hardware.is_empty() || description.hardware.len() > 64 {
        let rule = "must name 1 to 64 revisions: what names none would fit every device";
        return Err(BundleError::field("hardware", rule));
    }
    description.hardware.iter().try_for_each(|revision| check_text("hardware", revision))?;
    if description.parts.is_empty() {
        return Err(BundleError::Empty);
    }
    if description.parts.len() > PARTS_MAX || description.parts.len() != contents.len() {
        return Err(BundleError::field("parts", "must be at most 256, each with its contents"));
    }
    let mut names = BTreeSet::from([DESCRIPTION, SIGNATURE]);
    for part in &description.parts {
        check_file_name("file name", &part.filename)?;
        if !names.insert(&part.filename) {
            return Err(BundleError::Twice(part.filename.clone()));
        }
        check_part(part)?;
    }
    for (name, value) in &description.bootloader {
        check_text("bootloader", name)?;
        check_text("bootloader", value)?;
    }
    Ok(())
}

fn check_part(part: &Part) -> Result<(), BundleError> {
    let texts = |field, texts: &[&Option<String>]| {
        texts.iter().filter_map(|text| text.as_deref()).try_for_each(|text| check_text(field, text))
    };
    match &part.place {
        Place::Image { handler, device, volume } => {
            check_file_name("handler", handler)?;
            texts("device", &[device, volume])?;
        }
        Place::File { path, device, filesystem } => {
            check_text("path", path)?;
            if !path.starts_with('/') || path.split('/').any(|segment| segment == "..") {
                return Err(BundleError::field("path", "must be absolute and without '..'"));
            }
            texts("device", &[device, filesystem])?;
        }
        Place::Script { handler } => check_file_name("handler", handler)?,
    }
    if let Some((name, version)) = &part.install_if_different {
        check_text("name", name)?;
        check_text("version", version)?;
    }
    for (name, value) in &part.properties {
        check_text("properties", name)?;
        check_text("properties", value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(filename: &str) -> Part {
        Part {
            filename: filename.into(),
            place: Place::Image {
                handler: "raw".into(),
                device: Some("/dev/mmcblk0p3".into()),
                volume: None,
            },
            compressed: Some(Compression::Zstd),
            installed_directly: true,
            install_if_different: Some(("rootfs".into(), "2".into())),
            properties: vec![("atomic-install".into(), "true".into())],
        }
    }

    fn description() -> Description {
        Description {
            version: "2.4.1".into(),
            text: Some("改札機の\"ソフト\"".into()),
            board: Some("gate-bg1".into()),
            hardware: vec!["1.0".into(), "#RE:^1\\..*$".into()],
            reboot: Some(true),
            parts: vec![
                part("rootfs.img"),
                Part {
                    place: Place::File {
                        path: "/etc/gate.toml".into(),
                        device: Some("/dev/mmcblk0p5".into()),
                        filesystem: Some("ext4".into()),
                    },
                    compressed: None,
                    installed_directly: false,
                    install_if_different: None,
                    properties: vec![],
                    filename: "gate.toml".into(),
                },
                Part { place: Place::Script { handler: "lua".into() }, ..part("after.lua") },
            ],
            bootloader: vec![("bootslot".into(), "b".into())],
        }
    }

    const CONTENTS: [Contents; 3] = [
        Contents { sha256: Sha256([7; 32]), iv: Some([9; 16]) },
        Contents { sha256: Sha256([8; 32]), iv: None },
        Contents { sha256: Sha256([9; 32]), iv: None },
    ];

    #[test]
    fn every_field_stands_where_swupdate_looks() {
        let bytes = sw_description(&description(), &CONTENTS).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let software = &value["software"];
        assert_eq!(software["version"], "2.4.1");
        assert_eq!(software["description"], "改札機の\"ソフト\"");
        let board = &software["gate-bg1"];
        assert_eq!(board["hardware-compatibility"], json!(["1.0", "#RE:^1\\..*$"]));
        assert_eq!(board["reboot"], true);
        let image = &board["images"][0];
        assert_eq!(
            *image,
            json!({
                "filename": "rootfs.img", "type": "raw", "device": "/dev/mmcblk0p3",
                "sha256": "07".repeat(32), "encrypted": true, "ivt": "09".repeat(16),
                "compressed": "zstd", "installed-directly": true, "install-if-different": true,
                "name": "rootfs", "version": "2", "properties": { "atomic-install": "true" },
            })
        );
        assert_eq!(
            board["files"][0],
            json!({
                "filename": "gate.toml", "path": "/etc/gate.toml", "device": "/dev/mmcblk0p5",
                "filesystem": "ext4", "sha256": "08".repeat(32),
            })
        );
        assert_eq!(board["scripts"][0]["type"], "lua");
        assert_eq!(board["bootenv"], json!([{ "name": "bootslot", "value": "b" }]));
        // Without a board everything stands beside the version.
        let bytes =
            sw_description(&Description { board: None, ..description() }, &CONTENTS).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["software"]["images"][0], *image);
    }

    #[test]
    fn what_would_surprise_a_device_is_refused() {
        let check = |change: &dyn Fn(&mut Description), field: &str| {
            let mut description = description();
            change(&mut description);
            let error = sw_description(&description, &CONTENTS).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error} is not about {field}");
        };
        check(&|d| d.hardware.clear(), "hardware");
        check(&|d| d.hardware[0].push('\n'), "hardware");
        check(&|d| d.version = " 1".into(), "version");
        check(&|d| d.board = Some("images".into()), "board");
        check(&|d| d.board = Some("a b".into()), "board");
        check(&|d| d.parts.clear(), "the description names nothing");
        check(&|d| d.parts[1].filename = "rootfs.img".into(), "rootfs.img is there twice");
        check(&|d| d.parts[1].filename = SIGNATURE.into(), "sw-description.sig is there twice");
        check(&|d| d.parts[0].filename = "../x".into(), "file name");
        check(&|d| d.parts.truncate(2), "parts");
        let path = |path: &str| {
            let place = Place::File { path: path.into(), device: None, filesystem: None };
            move |d: &mut Description| d.parts[1].place = place.clone()
        };
        check(&path("etc/x"), "path");
        check(&path("/a/../../etc/passwd"), "path");
        check(&|d| d.bootloader[0].1 = "b\nbootdelay=0".into(), "bootloader");
        check(&|d| d.text = Some("x".repeat(300)), "description");
    }
}
