//! A repository on disk: `metadata/` and `targets/` are served, `staged/` holds drafts.

use anyhow::Context as _;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};
use update::{
    Limits, Metadata, RoleName, Signed, Targets, TopRole,
    repository::{Files, Publication, Repository, Staged},
};

/// A repository's folder.
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// An existing one.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let folder = Self { dir: dir.to_owned() };
        anyhow::ensure!(
            folder.staged().is_dir() && folder.metadata().is_dir(),
            "{} is not a repository of updates; make one with: tegata update init",
            dir.display()
        );
        Ok(folder)
    }

    /// A new one.
    pub(super) fn create(dir: &Path) -> anyhow::Result<Self> {
        let folder = Self { dir: dir.to_owned() };
        anyhow::ensure!(
            !folder.metadata().exists(),
            "{} holds a repository already; choose another folder",
            dir.display()
        );
        for folder in [folder.metadata(), folder.targets(), folder.staged()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(folder)
    }

    /// The folder in whose `staged` a draft lies.
    pub(super) fn around(draft: &Path) -> Option<Self> {
        let absolute = fs::canonicalize(draft).ok()?;
        let staged = absolute.parent().filter(|parent| parent.ends_with("staged"))?;
        Self::open(staged.parent()?).ok()
    }

    pub(super) fn metadata(&self) -> PathBuf {
        self.dir.join("metadata")
    }

    pub(super) fn targets(&self) -> PathBuf {
        self.dir.join("targets")
    }

    fn staged(&self) -> PathBuf {
        self.dir.join("staged")
    }

    /// What is published; `None` before the first publication.
    pub(super) fn repository(&self) -> anyhow::Result<Option<Repository>> {
        let files = self.files()?;
        Repository::open(&files)
            .with_context(|| format!("what is published in {} is damaged", self.dir.display()))
    }

    /// What is published, where something must be.
    pub(super) fn published(&self) -> anyhow::Result<Repository> {
        self.repository()?.context(
            "nothing is published yet; sign the drafts and publish them: tegata update publish",
        )
    }

    pub(super) fn files(&self) -> anyhow::Result<Files> {
        read_folder(&self.metadata())
    }

    /// Where the draft of a role lies.
    pub(super) fn draft_path(&self, role: &RoleName) -> PathBuf {
        self.staged().join(role.file_name(None))
    }

    /// The draft of a role.
    pub(super) fn draft<R: Metadata>(&self, role: &RoleName) -> anyhow::Result<Option<Signed<R>>> {
        let path = self.draft_path(role);
        match fs::read(&path) {
            Ok(bytes) => Signed::parse(&bytes, &Limits::DEFAULT)
                .map(Some)
                .with_context(|| format!("{} is no draft of {role}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes a draft. Signatures on an earlier draft are void.
    pub(super) fn put_draft<R: Metadata>(
        &self,
        role: &RoleName,
        content: R,
    ) -> anyhow::Result<PathBuf> {
        let path = self.draft_path(role);
        if let Some(void) = self.draft::<R>(role)?.filter(|draft| !draft.signatures().is_empty()) {
            eprintln!(
                "{} signatures on the earlier draft of {role} are void: it must be signed again",
                void.signatures().len()
            );
        }
        replace(&path, &Signed::draft(content).to_bytes()?)?;
        Ok(path)
    }

    /// The drafts.
    pub(super) fn all_drafts(&self) -> anyhow::Result<Staged> {
        let mut staged = Staged::default();
        for (name, bytes) in read_folder(&self.staged())? {
            if name == "root.json" {
                staged.root = Some(bytes);
                continue;
            }
            let Some(role) = name.strip_suffix(".json") else { continue };
            Signed::<Targets>::parse(&bytes, &Limits::DEFAULT)
                .with_context(|| format!("staged/{name} is no draft of a targets role"))?;
            staged.targets.insert(RoleName::new(role)?, bytes);
        }
        Ok(staged)
    }

    /// Writes a publication, file by file, the timestamp last; then `staged` is emptied of what was
    /// published. After a power failure anywhere in between it is repeated.
    pub(super) fn write(
        &self,
        publication: &Publication,
        published: &Staged,
    ) -> anyhow::Result<()> {
        for (name, bytes) in &publication.files {
            replace(&self.metadata().join(name), bytes)?;
        }
        if published.root.is_some() {
            remove(&self.draft_path(&TopRole::Root.into()))?;
        }
        for role in published.targets.keys() {
            remove(&self.draft_path(role))?;
        }
        Ok(())
    }
}

/// The files of a folder by name. Files that are no metadata are left alone.
pub(super) fn read_folder(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(".json") && path.is_file() {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(files)
}

/// Writes a file so that it is there wholly or not at all, also after a power failure.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(around(path))?;
        file.write_all(bytes)?;
        publish(file, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Gives a temporary file beside it the name `path`, durably and readable by whoever serves it.
pub(super) fn publish(file: tempfile::NamedTempFile, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(around(path))?.sync_all()
}

/// The folder that a file lies in.
pub(super) fn around(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
