//! Images for SWUpdate and RAUC, packed and signed where the key is.

use super::{
    folder::{around, publish},
    keys,
};
use crate::{
    cli::bundle::{BundleCommand, PackArgs},
    clock,
    commands::write_private,
    output::Output,
};
use anyhow::Context as _;
use api::wire::scalar::CsrPem;
use crypto::{
    Digester, HashAlgorithm, Secret, Sha256, UnixTime, cbc,
    sealed::{Cost, SealingKey},
};
use pki::{Certificate, Subject, csr::CsrBuilder, oid, signed_data::sign_detached};
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Write},
    path::{Path, PathBuf},
};
use update::bundle::{
    cpio::{Archive, Sum},
    rauc,
    swupdate::{
        Compression, Contents, DESCRIPTION, Description, Part, Place, SIGNATURE, sw_description,
    },
};

/// What a sealed image key is for, authenticated with it.
const IMAGE_KEY_LABEL: &str = "tegata/image-key";
/// Most certificates in a bundle's signature.
const CHAIN_MAX: usize = 8;
const PIECE_BYTES: usize = 1 << 20;

/// Runs `tegata update bundle …`.
pub(super) fn run(command: BundleCommand, output: Output) -> anyhow::Result<()> {
    match command {
        BundleCommand::Request { key, unlock, name, organisation, out } => {
            let key = keys::open(&key, &unlock)?;
            let organisation = organisation.unwrap_or_default();
            let subject = Subject { organisation, ..Subject::named(name) };
            let der = CsrBuilder { subject, ..CsrBuilder::default() }.build(&key)?;
            std::fs::write(&out, CsrPem(der).to_string())
                .with_context(|| format!("cannot write {}", out.display()))?;
            output.one(&json!({ "file": out }), |_| {
                format!(
                    "{} holds the request; where the root is: tegata ca sign-software",
                    out.display()
                )
            })
        }
        BundleCommand::ImageKey { out, unlock } => {
            let key = crypto::random::secret::<{ cbc::KEY_BYTES }>();
            let unlocking = keys::unlocking(&unlock)?;
            let sealing = SealingKey::new(&unlocking.unlock(), Cost::default())?;
            let sealed = keys::with_ending(&out, "sealed");
            let for_devices = keys::with_ending(&out, "aes");
            write_private(&sealed, &sealing.seal(IMAGE_KEY_LABEL, &key)?)?;
            // SWUpdate wants an initialisation vector beside the key, and takes it only for parts that
            // bring none: every part here brings its own.
            let text = format!("{} {}\n", hex::encode(key.expose()), hex::encode(cbc::new_iv()));
            write_private(&for_devices, Secret::new(text.into_bytes()).expose())?;
            output.one(&json!({ "sealed": sealed, "devices": for_devices }), |_| {
                format!(
                    "{} enciphers images and is sealed\n  {} goes into every device and is as secret: \
                     swupdate -K; erase it here once it is there",
                    sealed.display(),
                    for_devices.display()
                )
            })
        }
        BundleCommand::Swupdate { pack, image_key } => {
            swupdate(&pack, image_key.as_deref(), output)
        }
        BundleCommand::Rauc { pack, mksquashfs } => rauc_bundle(&pack, &mksquashfs, output),
    }
}

/// The description as people write it. One form for both updaters; each says what it does not know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Given {
    version: String,
    description: Option<String>,
    board: Option<String>,
    #[serde(default)]
    hardware: Vec<String>,
    reboot: Option<bool>,
    compatible: Option<String>,
    build: Option<String>,
    #[serde(default, rename = "image")]
    images: Vec<GivenPart>,
    #[serde(default, rename = "file")]
    files: Vec<GivenPart>,
    #[serde(default, rename = "script")]
    scripts: Vec<GivenPart>,
    #[serde(default)]
    bootloader: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GivenPart {
    file: PathBuf,
    name: Option<String>,
    slot: Option<String>,
    #[serde(rename = "type")]
    handler: Option<String>,
    device: Option<String>,
    volume: Option<String>,
    filesystem: Option<String>,
    path: Option<String>,
    compressed: Option<GivenCompression>,
    #[serde(default)]
    installed_directly: bool,
    #[serde(default)]
    encrypt: bool,
    install_if_different: Option<GivenName>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum GivenCompression {
    Zlib,
    Zstd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenName {
    name: String,
    version: String,
}

impl GivenPart {
    fn filename(&self) -> anyhow::Result<String> {
        let of_file = || self.file.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        self.name.clone().or_else(of_file).with_context(|| {
            format!("{} has no name that a bundle can carry; give `name`", self.file.display())
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Given> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the description {}", path.display()))?;
    toml::from_str(&text)
        .with_context(|| format!("{} is no description; docs/bundle.md has one", path.display()))
}

/// The signer's certificates, and that devices would accept them now.
fn chain(path: &Path, now: UnixTime) -> anyhow::Result<Vec<Certificate>> {
    let pem = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the certificate {}", path.display()))?;
    let chain = Certificate::from_pem_chain(&pem, CHAIN_MAX)
        .with_context(|| format!("{} holds no certificate", path.display()))?;
    let own = chain.first().context("the file holds no certificate")?;
    anyhow::ensure!(
        own.is_valid_at(now),
        "the signer's certificate is valid from {} to {}: devices would refuse it now",
        own.not_before(),
        own.not_after()
    );
    let usages = own.extensions().extended_key_usage().unwrap_or_default();
    anyhow::ensure!(
        usages.contains(&oid::KP_EMAIL_PROTECTION) && usages.contains(&oid::KP_CODE_SIGNING),
        "the certificate is not for signing software; request one: tegata update bundle request"
    );
    Ok(chain)
}

/// A part that lies on disk.
struct Source {
    path: PathBuf,
    filename: String,
    /// how it is enciphered
    cipher: Option<[u8; cbc::BLOCK_BYTES]>,
    measured: Measured,
}

/// What its bytes in the archive are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Measured {
    sha256: Sha256,
    sum: Sum,
    length: u64,
}

fn swupdate(args: &PackArgs, image_key: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let now = clock::now();
    let given = read(&args.description)?;
    anyhow::ensure!(
        given.compatible.is_none() && given.build.is_none(),
        "`compatible` and `build` are RAUC's; SWUpdate knows `board` and `hardware`"
    );
    let chain = chain(&args.certificate, now)?;
    let signer = keys::open(&args.key, &args.unlock)?;
    let wants_key =
        given.images.iter().chain(&given.files).chain(&given.scripts).any(|p| p.encrypt);
    let image_key = match (image_key, wants_key) {
        (Some(path), true) => Some(keys::open_secret(path, IMAGE_KEY_LABEL, &args.unlock)?),
        (None, false) => None,
        (None, true) => anyhow::bail!(
            "a part says `encrypt = true`; say which key: --image-key, of tegata update bundle image-key"
        ),
        (Some(_), false) => anyhow::bail!(
            "--image-key is given and no part says `encrypt = true`: everybody could read this image"
        ),
    };
    let folder = around(&args.description);
    let mut parts = Vec::new();
    let mut sources = Vec::new();
    let lists =
        [(Kind::Image, given.images), (Kind::File, given.files), (Kind::Script, given.scripts)];
    for (kind, list) in lists {
        for part in list {
            let path = folder.join(&part.file);
            let filename = part.filename()?;
            let cipher = part.encrypt.then(cbc::new_iv);
            let measured = copy(&path, image_key.as_ref(), cipher, &mut std::io::sink())?;
            sources.push(Source { path, filename: filename.clone(), cipher, measured });
            parts.push(kind.part(filename, part)?);
        }
    }
    let description = Description {
        version: given.version,
        text: given.description,
        board: given.board,
        hardware: given.hardware,
        reboot: given.reboot,
        parts,
        bootloader: given.bootloader.into_iter().collect(),
    };
    let contents: Vec<Contents> = sources
        .iter()
        .map(|source| Contents { sha256: source.measured.sha256, iv: source.cipher })
        .collect();
    let text = sw_description(&description, &contents)?;
    let signature = sign_detached(&crypto::sha256(&text), now, &signer, &chain)?;

    let mut file = tempfile::NamedTempFile::new_in(around(&args.out))?;
    let mut archive = Archive::new();
    for (name, bytes) in [(DESCRIPTION, &text), (SIGNATURE, &signature)] {
        let mut sum = Sum::default();
        sum.update(bytes);
        file.write_all(&archive.begin(name, bytes.len() as u64, sum.finish())?)?;
        file.write_all(bytes)?;
        file.write_all(&archive.end_member())?;
    }
    for source in &sources {
        let Measured { sum, length, .. } = source.measured;
        file.write_all(&archive.begin(&source.filename, length, sum.finish())?)?;
        let again = copy(&source.path, image_key.as_ref(), source.cipher, &mut file)?;
        unchanged(&source.path, again == source.measured)?;
        file.write_all(&archive.end_member())?;
    }
    file.write_all(&archive.finish())?;
    publish(file, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    report(args, "swupdate", sources.len(), output)
}

#[derive(Clone, Copy)]
enum Kind {
    Image,
    File,
    Script,
}

impl Kind {
    fn part(self, filename: String, given: GivenPart) -> anyhow::Result<Part> {
        let missing = |field: &str| format!("{filename} needs `{field}`");
        let strange = |field: &str| format!("{filename} has `{field}`, which is nothing for it");
        anyhow::ensure!(given.slot.is_none(), strange("slot"));
        let place = match self {
            Self::Image => {
                anyhow::ensure!(given.path.is_none(), strange("path"));
                anyhow::ensure!(given.filesystem.is_none(), strange("filesystem"));
                Place::Image {
                    handler: given.handler.with_context(|| missing("type"))?,
                    device: given.device,
                    volume: given.volume,
                }
            }
            Self::File => {
                anyhow::ensure!(given.handler.is_none(), strange("type"));
                anyhow::ensure!(given.volume.is_none(), strange("volume"));
                Place::File {
                    path: given.path.with_context(|| missing("path"))?,
                    device: given.device,
                    filesystem: given.filesystem,
                }
            }
            Self::Script => {
                for (field, given) in [
                    ("path", &given.path),
                    ("device", &given.device),
                    ("volume", &given.volume),
                    ("filesystem", &given.filesystem),
                ] {
                    anyhow::ensure!(given.is_none(), strange(field));
                }
                Place::Script { handler: given.handler.with_context(|| missing("type"))? }
            }
        };
        Ok(Part {
            place,
            compressed: given.compressed.map(|how| match how {
                GivenCompression::Zlib => Compression::Zlib,
                GivenCompression::Zstd => Compression::Zstd,
            }),
            installed_directly: given.installed_directly,
            install_if_different: given.install_if_different.map(|it| (it.name, it.version)),
            properties: given.properties.into_iter().collect(),
            filename,
        })
    }
}

/// Copies a file, enciphered where there is a vector, and measures what comes out.
fn copy(
    path: &Path,
    key: Option<&Secret>,
    iv: Option<[u8; cbc::BLOCK_BYTES]>,
    out: &mut dyn Write,
) -> anyhow::Result<Measured> {
    let mut file =
        File::open(path).with_context(|| format!("cannot read the part {}", path.display()))?;
    let mut cipher = match (iv, key) {
        (Some(iv), Some(key)) => Some(cbc::Encryption::new(key, iv)?),
        (Some(_), None) => anyhow::bail!("{} has no key to be enciphered with", path.display()),
        (None, _) => None,
    };
    let mut digester = Digester::new(HashAlgorithm::Sha256);
    let (mut sum, mut length) = (Sum::default(), 0_u64);
    let mut take = |piece: &[u8]| -> anyhow::Result<()> {
        digester.update(piece);
        sum.update(piece);
        length = length.saturating_add(piece.len() as u64);
        Ok(out.write_all(piece)?)
    };
    let mut buffer = vec![0; PIECE_BYTES];
    let mut enciphered = Vec::new();
    loop {
        let read = file.read(&mut buffer)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        match &mut cipher {
            None => take(piece)?,
            Some(cipher) => {
                enciphered.clear();
                cipher.update(piece, &mut enciphered)?;
                take(&enciphered)?;
            }
        }
    }
    if let Some(cipher) = cipher {
        enciphered.clear();
        cipher.finish(&mut enciphered)?;
        take(&enciphered)?;
    }
    let sha256 = Sha256::from_slice(&digester.finish()).context("a digest of another length")?;
    Ok(Measured { sha256, sum, length })
}

fn unchanged(path: &Path, same: bool) -> anyhow::Result<()> {
    anyhow::ensure!(same, "{} changed while it was packed; pack it again", path.display());
    Ok(())
}

fn rauc_bundle(args: &PackArgs, mksquashfs: &Path, output: Output) -> anyhow::Result<()> {
    let now = clock::now();
    let given = read(&args.description)?;
    anyhow::ensure!(
        given.files.is_empty()
            && given.scripts.is_empty()
            && given.bootloader.is_empty()
            && given.board.is_none()
            && given.hardware.is_empty()
            && given.reboot.is_none(),
        "RAUC knows `compatible`, `version`, `description`, `build` and images; the rest is in the \
         device's system.conf"
    );
    let chain = chain(&args.certificate, now)?;
    let signer = keys::open(&args.key, &args.unlock)?;
    let work = tempfile::tempdir_in(around(&args.out))?;
    let tree = work.path().join("tree");
    std::fs::create_dir(&tree)?;
    let folder = around(&args.description);
    let mut images = Vec::new();
    for part in given.images {
        let filename = part.filename()?;
        let plain = part.handler.is_none()
            && part.device.is_none()
            && part.volume.is_none()
            && part.path.is_none()
            && part.filesystem.is_none()
            && part.compressed.is_none()
            && part.install_if_different.is_none()
            && part.properties.is_empty();
        anyhow::ensure!(plain, "{filename}: RAUC knows `file`, `name` and `slot` of an image");
        anyhow::ensure!(
            !part.encrypt,
            "{filename}: a bundle of format `plain` is not encrypted; use tegata update seal"
        );
        let slot_class = part.slot.with_context(|| format!("{filename} needs `slot`"))?;
        // Checked before it names a file here.
        let image = rauc::Image { slot_class, filename, sha256: Sha256::default(), length: 0 };
        rauc::Manifest { images: vec![image.clone()], ..probe() }.to_text()?;
        let mut out = File::create_new(tree.join(&image.filename))
            .with_context(|| format!("{} is there twice", image.filename))?;
        let Measured { sha256, length, .. } = copy(&folder.join(&part.file), None, None, &mut out)?;
        images.push(rauc::Image { sha256, length, ..image });
    }
    let manifest = rauc::Manifest {
        compatible: given.compatible.context("the description needs `compatible`")?,
        version: given.version,
        description: given.description,
        build: given.build,
        images,
    };
    std::fs::write(tree.join(rauc::MANIFEST), manifest.to_text()?)?;

    let squashfs = work.path().join("bundle");
    make_squashfs(mksquashfs, &tree, &squashfs)?;
    let Measured { sha256, length, .. } = copy(&squashfs, None, None, &mut std::io::sink())?;
    anyhow::ensure!(
        length > 0 && length % rauc::BLOCK_BYTES == 0,
        "{} made a file system that is not padded to 4096 bytes; use mksquashfs of squashfs-tools",
        mksquashfs.display()
    );
    let signature = sign_detached(&sha256, now, &signer, &chain)?;
    let mut file = tempfile::NamedTempFile::new_in(around(&args.out))?;
    let again = copy(&squashfs, None, None, &mut file)?;
    unchanged(&squashfs, again.sha256 == sha256)?;
    file.write_all(&rauc::end(&signature)?)?;
    publish(file, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    report(args, "rauc", manifest.images.len(), output)
}

/// A manifest with which one image is checked alone.
fn probe() -> rauc::Manifest {
    rauc::Manifest { compatible: "x".into(), version: "x".into(), ..rauc::Manifest::default() }
}

fn make_squashfs(program: &Path, tree: &Path, out: &Path) -> anyhow::Result<()> {
    let done = std::process::Command::new(program)
        .args([tree, out])
        .args(["-noappend", "-no-progress", "-all-root", "-no-xattrs", "-processors", "1"])
        // No times and no owners: the same parts make the same file system.
        .args(["-mkfs-time", "0", "-all-time", "0"])
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .with_context(|| {
            format!(
                "cannot run {}; install squashfs-tools or say where it is: --mksquashfs",
                program.display()
            )
        })?;
    anyhow::ensure!(
        done.status.success(),
        "{} failed: {}",
        program.display(),
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}

fn report(args: &PackArgs, form: &str, parts: usize, output: Output) -> anyhow::Result<()> {
    let Measured { sha256, length, .. } = copy(&args.out, None, None, &mut std::io::sink())?;
    let summary = json!({
        "file": args.out, "form": form, "parts": parts, "length": length,
        "sha256": sha256.to_string(),
    });
    output.one(&summary, |_| {
        format!(
            "{} is signed: {parts} parts, {length} bytes\n  SHA-256 {sha256}",
            args.out.display()
        )
    })
}
