//! Signing a draft, on whatever machine the key is: first it is said in words what is signed, and
//! what surprises is refused (UP-1).

use super::{
    folder::{Folder, replace},
    keys,
};
use crate::{cli::update::SignArgs, clock, output::Output};
use anyhow::Context as _;
use crypto::{SoftwareKey, UnixTime, Verified};
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use update::{
    Authority, Key, KeyId, Limits, Metadata, RoleName, Root, Signed, Targets, TopRole, Version,
    repository::{InWords, Repository, describe},
};

const DAY_S: i64 = 86_400;

/// Runs `tegata update sign`.
pub(super) fn run(args: &SignArgs, output: Output) -> anyhow::Result<()> {
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read the draft {}", args.file.display()))?;
    let folder = match &args.dir {
        Some(dir) => Some(Folder::open(dir)?),
        None => Folder::around(&args.file),
    };
    let repository = match &folder {
        Some(folder) => folder.repository()?,
        None => None,
    };
    if let Ok(draft) = Signed::<Root>::parse(&bytes, &Limits::DEFAULT) {
        return root(args, draft, repository.as_ref(), output);
    }
    let draft = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT).with_context(|| {
        format!(
            "{} is a draft of neither root nor targets; snapshot and timestamp are signed by `tegata update publish`",
            args.file.display()
        )
    })?;
    targets(args, draft, folder.as_ref(), repository.as_ref(), output)
}

fn root(
    args: &SignArgs,
    draft: Signed<Root>,
    repository: Option<&Repository>,
    output: Output,
) -> anyhow::Result<()> {
    let old = match (repository, &args.by) {
        (Some(repository), _) => Some(repository.root().clone()),
        (None, Some(path)) => Some(read_root(path)?),
        (None, None) => None,
    };
    let mut authorities = vec![("new".to_owned(), draft.own_authority())];
    if let Some(old) = &old {
        let authority = Authority::of_top_role(old, TopRole::Root);
        authorities.push((format!("version {}", old.header.version), authority));
    }
    let role = RoleName::from(TopRole::Root);
    let expected = old.as_ref().map(|old| next(old.header.version)).transpose()?;
    let expected = expected.or(repository.is_none().then_some(Version::FIRST));
    let content = old.as_deref();
    sign(args, draft, &role, content, expected, old.is_some(), &authorities, output)
}

fn targets(
    args: &SignArgs,
    draft: Signed<Targets>,
    folder: Option<&Folder>,
    repository: Option<&Repository>,
    output: Output,
) -> anyhow::Result<()> {
    // The file's name says whose draft it is; the keys must agree.
    let name = args.file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    // Alone, on another machine, it may have another name.
    let said = args.role.as_deref().filter(|_| folder.is_none());
    let role = RoleName::new(said.unwrap_or(name))?;
    let authority = match (folder, &args.by) {
        (Some(folder), _) => in_folder(folder, repository, &role)?,
        (None, Some(path)) => by_file(path, &role)?,
        (None, None) => anyhow::bail!(
            "who may sign for {role} is not known here; give --dir with the repository, or --by with the root or the delegating file"
        ),
    };
    let published = repository.and_then(|repository| repository.targets(&role));
    let old = published.map(|published| (*published.content).clone());
    let expected = match (repository, folder) {
        (Some(repository), _) => Some(repository.next_version(&role)?),
        (None, Some(_)) => Some(Version::FIRST),
        (None, None) => None,
    };
    let known = folder.is_some();
    let authorities = [(String::new(), authority)];
    sign(args, draft, &role, old.as_ref(), expected, known, &authorities, output)
}

/// Who may sign for a targets role: by the draft of its delegator where there is one, since both are
/// published together, else by what is published.
fn in_folder(
    folder: &Folder,
    repository: Option<&Repository>,
    role: &RoleName,
) -> anyhow::Result<Authority> {
    if role.is(TopRole::Targets) {
        if let Some(draft) = folder.draft::<Root>(&TopRole::Root.into())? {
            return Ok(draft.draft_authority(TopRole::Targets));
        }
        let repository = repository.context("there is no root; make one: tegata update init")?;
        return Ok(Authority::of_top_role(repository.root(), TopRole::Targets));
    }
    for (delegator, bytes) in folder.all_drafts()?.targets {
        let draft = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT)?;
        if let Ok(authority) = draft.draft_authority_of(role) {
            eprintln!("the keys of {role} are those in the draft of {delegator}");
            return Ok(authority);
        }
    }
    let delegator = repository
        .iter()
        .flat_map(|repository| repository.all_targets())
        .find(|(_, published)| published.content.delegation(role).is_some());
    let (_, published) = delegator
        .with_context(|| format!("nobody delegates to {role}; begin with: tegata update delegate {role} --key KEY --paths PATTERN"))?;
    Ok(Authority::of_delegation(&published.content, role)?)
}

fn by_file(path: &std::path::Path, role: &RoleName) -> anyhow::Result<Authority> {
    if role.is(TopRole::Targets) {
        return Ok(Authority::of_top_role(&read_root(path)?, TopRole::Targets));
    }
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let delegator = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT)
        .with_context(|| format!("{} is no targets file", path.display()))?;
    Ok(delegator.draft_authority_of(role)?)
}

fn read_root(path: &std::path::Path) -> anyhow::Result<Verified<Root>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("cannot read the root {}", path.display()))?;
    Signed::<Root>::parse(&bytes, &Limits::DEFAULT)
        .and_then(Signed::trust_first)
        .with_context(|| format!("{} is no signed root", path.display()))
}

fn next(version: Version) -> anyhow::Result<Version> {
    version.next().context("no version follows; recover as docs/update-trust.md says")
}

#[expect(clippy::too_many_arguments, reason = "everything that is compared before a signature")]
fn sign<R: Metadata + InWords>(
    args: &SignArgs,
    mut draft: Signed<R>,
    role: &RoleName,
    old: Option<&R>,
    expected: Option<Version>,
    known: bool,
    authorities: &[(String, Authority)],
    output: Output,
) -> anyhow::Result<()> {
    let now = clock::now();
    let header = draft.unverified().header().clone();
    refuse_surprises(args, role, header.version, expected, known)?;
    refuse_odd_ends(args, role, header.expires, now)?;
    let key = keys::open(&args.key, &args.unlock)?;
    let (id, public) = named(&key, role, authorities)?;
    for line in describe(role, draft.unverified(), old, now) {
        eprintln!("  {line}");
    }
    eprintln!("  signed as key {id}");
    if !args.yes {
        confirm()?;
    }
    draft.sign(&id, &public, &key)?;
    replace(&args.file, &draft.to_bytes()?)?;

    let mut complete = true;
    let mut progress = Vec::new();
    for (of, authority) in authorities {
        let (found, needed) = (draft.signed_by(authority).len(), authority.threshold());
        complete &= found >= needed;
        progress.push((of.clone(), found, needed));
    }
    let signatures: Vec<_> = progress
        .iter()
        .map(|(of, found, needed)| json!({ "keys": of, "signatures": found, "threshold": needed }))
        .collect();
    let summary = json!({
        "file": args.file, "role": role.as_str(), "version": header.version.number(),
        "key": id.as_str(), "signatures": signatures, "complete": complete,
    });
    output.one(&summary, |_| {
        let mut text = format!("{} is signed as key {}", args.file.display(), id.short());
        for (of, found, needed) in &progress {
            let of =
                if of.is_empty() { String::new() } else { format!(" by the {of} root's keys") };
            text.push_str(&format!("\n  {found} of {needed} signatures{of}"));
        }
        text.push_str(if complete {
            "\nit may be published: tegata update publish"
        } else {
            "\nit needs more signatures: take the file to the next key"
        });
        text
    })
}

/// Role and version are what was expected, and so it was said or can be seen.
fn refuse_surprises(
    args: &SignArgs,
    role: &RoleName,
    version: Version,
    expected: Option<Version>,
    known: bool,
) -> anyhow::Result<()> {
    if let Some(wanted) = args.role.as_deref().filter(|wanted| *wanted != role.as_str()) {
        anyhow::bail!("this is a draft of {role}, not of {wanted}: nothing was signed");
    }
    if let Some(wanted) = args.expect_version.filter(|wanted| *wanted != version.number()) {
        anyhow::bail!("this is version {version}, not {wanted}: nothing was signed");
    }
    match expected {
        Some(expected) if expected != version && known => anyhow::bail!(
            "this is version {version}, and {expected} must follow what is published: nothing was signed"
        ),
        _ if known || args.expect_version.is_some() => Ok(()),
        Some(expected) if expected == version => Ok(()),
        _ => anyhow::bail!(
            "what is published is not at hand, so say which version you expect: --expect-version {version} if that is right"
        ),
    }
}

/// It has not ended, and does not live longer than a role's file should.
fn refuse_odd_ends(
    args: &SignArgs,
    role: &RoleName,
    expires: UnixTime,
    now: UnixTime,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        expires > now,
        "this draft ended at {expires}, so devices would refuse it; draft it anew: tegata update renew {role}"
    );
    let days_max = if role.is(TopRole::Root) { 3 * 366 } else { 366 };
    anyhow::ensure!(
        args.long || expires.since(now) <= days_max * DAY_S,
        "this draft lives until {expires}, longer than {days_max} days: a stolen or forgotten file would; sign it with --long if that is meant"
    );
    Ok(())
}

/// The id under which the key signs.
fn named(
    key: &SoftwareKey,
    role: &RoleName,
    authorities: &[(String, Authority)],
) -> anyhow::Result<(KeyId, Key)> {
    use crypto::Signer as _;
    authorities
        .iter()
        .flat_map(|(_, authority)| authority.keys())
        .find(|(_, public)| public.public_key() == Some(key.public_key()))
        .map(|(id, public)| (id.clone(), public.clone()))
        .with_context(|| format!("this key may not sign for {role}: nothing was signed"))
}

fn confirm() -> anyhow::Result<()> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "nobody is here to compare; repeat with --yes once it was compared"
    );
    eprint!("is this what you mean to sign? type yes: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    anyhow::ensure!(line.trim() == "yes", "nothing was signed");
    Ok(())
}
