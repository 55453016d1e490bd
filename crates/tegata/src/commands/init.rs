use crate::{
    cli::InitArgs,
    clock,
    commands::{Unlocking, credential_pem, read_passphrase, write_private},
    output::Output,
};
use anyhow::Context as _;
use crypto::{KeyAlgorithm, SoftwareKey, sealed::Unlock};
use device::OrganisationId;
use policy::{Role, Roles};
use serde_json::json;
use service::{
    CaKind, Config, NewMember, Service, Setup,
    ceremony::{CaSpec, Root, RootSpec},
};
use std::{path::Path, sync::Arc};

/// Runs `tegata init`.
pub async fn run(args: &InitArgs, output: Output) -> anyhow::Result<()> {
    let passphrase = read_passphrase(&args.root_passphrase_file)?;
    make_private(&args.dir)?;
    let unlocking = Unlocking::read(&args.unlock, &args.dir, true)?;
    let plan = Plan {
        name: &args.name,
        root_dir: &args.root,
        root_unlock: Unlock::Passphrase(&passphrase),
        algorithm: args.algorithm,
        witness_keys: &args.witness_keys,
    };
    let made = prepare(&args.dir, &unlocking.unlock(), &plan).await?;
    write_private(&args.admin, made.admin_pem.expose())?;
    std::fs::write(args.dir.join("root.pem"), made.root.certificate().to_pem())?;
    let summary = json!({
        "dir": args.dir,
        "root": args.root,
        "root_fingerprint": made.root.certificate().fingerprint().to_string(),
        "admin": args.admin,
        "log_key": made.log_key,
    });
    output.one(&summary, |_| {
        format!(
            "{dir} is ready; {root} holds the root key: take it offline\n  root fingerprint {print}\n  \
             log key {log}\n  administrator {admin}\nserve it with: tegata serve --dir {dir}",
            dir = args.dir.display(),
            root = args.root.display(),
            print = made.root.certificate().fingerprint(),
            log = made.log_key,
            admin = args.admin.display(),
        )
    })
}

/// Makes a folder that only its owner may enter: it holds sealed keys and organisations' data.
fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))
}

/// What a new installation needs to know.
pub struct Plan<'a> {
    /// name of the installation
    pub name: &'a str,
    /// where root key and certificate go
    pub root_dir: &'a Path,
    /// what seals the root key
    pub root_unlock: Unlock<'a>,
    /// algorithm of root and platform CA
    pub algorithm: KeyAlgorithm,
    /// witnesses whose cosignatures every checkpoint needs
    pub witness_keys: &'a [String],
}

/// What a new installation consists of.
pub struct Made {
    /// the root, unlocked
    pub root: Root,
    /// credential of the first administrator
    pub admin_pem: crypto::Secret,
    /// the log's vkey
    pub log_key: String,
}

/// Makes an installation: root ceremony, store, platform CA, first administrator.
pub async fn prepare(dir: &Path, unlock: &Unlock<'_>, plan: &Plan<'_>) -> anyhow::Result<Made> {
    let now = clock::now();
    let spec = RootSpec {
        common_name: format!("{} root", plan.name),
        organisation: plan.name.to_owned(),
        algorithm: plan.algorithm,
        years: 0,
    };
    let mut root = Root::create(&spec, now)?;
    root.save(plan.root_dir, &plan.root_unlock)?;
    let setup = Setup {
        origin: format!("{}/log", plan.name),
        platform: OrganisationId::new(policy::PLATFORM)?,
        platform_name: plan.name.to_owned(),
        witness_keys: plan.witness_keys.to_vec(),
        quorum: u32::try_from(plan.witness_keys.len())?,
    };
    Service::create(dir, unlock, &setup, &clock::SystemClock)?;
    let service = Service::open(dir, unlock, Config::default(), Arc::new(clock::SystemClock))?;
    let made = first_steps(&service, &root, plan).await;
    service.close();
    let (admin_pem, log_key) = made?;
    Ok(Made { root, admin_pem, log_key })
}

async fn first_steps(
    service: &Service,
    root: &Root,
    plan: &Plan<'_>,
) -> anyhow::Result<(crypto::Secret, String)> {
    let local = service.local_administrator();
    let platform = OrganisationId::new(policy::PLATFORM)?;
    service.import_root(&local, root.certificate().clone()).await?;
    let spec = CaSpec {
        organisation: platform.clone(),
        product: None,
        kind: CaKind::Platform,
        name: format!("{} platform CA", plan.name),
        algorithm: plan.algorithm,
        years: 10,
    };
    let request = service.request_ca(&local, spec).await?;
    let certificate = root.sign_ca(&request, pki::Locations::default(), clock::now())?;
    service.install_ca(&local, certificate).await?;
    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
    let member = NewMember {
        organisation: platform,
        name: "administrator".to_owned(),
        roles: Roles::of(&[Role::Administrator]),
        csr: crate::csr::for_name("administrator", &key)?,
    };
    let member = service.add_member(&local, member).await?;
    let trust = service.trust_store().await?;
    let chain: Vec<_> = std::iter::once(member.certificate).chain(member.chain).collect();
    Ok((credential_pem(&chain, &key)?, trust.log_key))
}
