use crate::{
    cli::{Language, OrgCommand},
    commands::{credential_pem, key_pem, write_private},
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        EventSigner, FirstAdministrator, Member, NewEventSigner, NewMember, NewMessageKey,
        NewOrganisation, Organisation, OrganisationName, OrganisationReason,
        scalar::{Base64, CsrPem},
    },
};
use crypto::{Signer as _, SoftwareKey};

/// Runs `tegata org …`.
pub async fn run(command: OrgCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        OrgCommand::Create { server, id, name, roles } => {
            let remote = Remote::open(&server, language)?;
            let new = NewOrganisation {
                id: id.parse()?,
                name,
                roles: roles.into_iter().map(Into::into).collect(),
            };
            let created: Organisation = remote.post("/v1/organisations", &new).await?;
            output.one(&created, |organisation| {
                if organisation.proposed.is_empty() {
                    return format!("{} joined", organisation.id);
                }
                format!(
                    "{id} joined; it becomes an authority when another administrator of the \
                     platform confirms it: tegata org confirm {id}",
                    id = organisation.id
                )
            })
        }
        OrgCommand::First { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/first-administrator");
            let found: FirstAdministrator = remote.get(&path).await?;
            output.one(&found, |found| match (found.state.as_str(), &found.person) {
                ("wanted", _) => format!(
                    "nobody is there; invite the first: tegata person invite {organisation}"
                ),
                (_, Some(person)) => format!(
                    "{} is invited and not there yet; a new link: tegata person invite \
                     {organisation} {} --again",
                    person.name, person.handle
                ),
                _ => format!("{organisation} manages itself"),
            })
        }
        OrgCommand::List { server } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<Organisation> = remote.all("/v1/organisations").await?;
            output.list(&all, &["id", "name", "joined"], |organisation| {
                vec![
                    organisation.id.to_string(),
                    organisation.name.clone(),
                    organisation.created.to_string(),
                ]
            })
        }
        OrgCommand::AddSigner { server, organisation, out, algorithm } => {
            let remote = Remote::open(&server, language)?;
            let key = SoftwareKey::generate(algorithm)?;
            // On disk before it is registered: a registered key that is lost signs nothing.
            write_private(&out, key_pem(&key)?.as_bytes())?;
            let signer = register_signer(&remote, &organisation, &key).await?;
            output.one(&signer, |signer| {
                format!("{organisation} signs events with {} ({})", signer.key, out.display())
            })
        }
        OrgCommand::Signers { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/signers");
            let all: Vec<EventSigner> = remote.get(&path).await?;
            output.list(&all, &["key", "algorithm", "since", "retired"], |signer| {
                vec![
                    signer.key.to_string(),
                    signer.algorithm.clone(),
                    signer.not_before.to_string(),
                    signer.retired.map(|at| at.to_string()).unwrap_or_default(),
                ]
            })
        }
        OrgCommand::MessageKey {
            server,
            organisation,
            new,
            destroy,
            reason,
            accept_former_days,
            out,
        } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            let reason = reason.unwrap_or_default();
            if let Some(key) = destroy {
                let why = OrganisationReason { reason };
                rest.destroy_message_key(&organisation, &key, &why).await?;
            } else if new {
                let new = NewMessageKey {
                    reason,
                    accept_former_s: Some(accept_former_days.saturating_mul(86_400)),
                };
                rest.replace_message_key(&organisation, &new).await?;
            }
            let all = rest.message_keys(&organisation).await?;
            let present = all.iter().find(|key| key.accepted_until.is_none());
            if let Some(out) = out {
                let present = present.with_context(|| {
                    format!("{organisation} has no key to encrypt for; make one with --new")
                })?;
                let chain: String = present.chain.iter().map(|one| one.0.to_pem()).collect();
                std::fs::write(&out, chain)
                    .with_context(|| format!("cannot write {}", out.display()))?;
            }
            output.list(&all, &["key", "made", "by", "state", "reason"], |key| {
                let state = match (key.destroyed, key.accepted_until) {
                    (Some(at), _) => format!("destroyed {at}"),
                    (None, Some(until)) => format!("accepted until {until}"),
                    (None, None) => "encrypted for".to_owned(),
                };
                let (name, made) = (key.key.to_string(), key.made.to_string());
                vec![name, made, key.made_by.clone(), state, key.reason.clone()]
            })
        }
        OrgCommand::AddMember { server, organisation, name, roles, out, algorithm } => {
            let remote = Remote::open(&server, language)?;
            let key = SoftwareKey::generate(algorithm)?;
            let member = add_member(&remote, &organisation, &name, &roles, &key).await?;
            let chain: Vec<_> = member.chain.iter().map(|pem| pem.0.clone()).collect();
            write_private(&out, credential_pem(&chain, &key)?.expose())?;
            output.one(&member, |member| {
                format!("{} of {} has the credential {}", member.name, organisation, out.display())
            })
        }
        OrgCommand::Confirm { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/confirmation");
            let confirmed: Organisation = remote.post_empty(&path).await?;
            output.one(&confirmed, |organisation| {
                format!("{} is an authority from now on", organisation.id)
            })
        }
        OrgCommand::Suspend { server, organisation, reason } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            let why = OrganisationReason { reason };
            let done = rest.suspend_organisation(&organisation, true, &why).await?;
            output.one(&done, |organisation| format!("{} is suspended", organisation.id))
        }
        OrgCommand::Resume { server, organisation, reason } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            let why = OrganisationReason { reason };
            let done = rest.suspend_organisation(&organisation, false, &why).await?;
            output.one(&done, |organisation| format!("{} works again", organisation.id))
        }
        OrgCommand::Rename { server, organisation, name } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            let name = OrganisationName { name };
            let done = rest.rename_organisation(&organisation, &name).await?;
            output.one(&done, |organisation| {
                format!("{} is called {}", organisation.id, organisation.name)
            })
        }
        OrgCommand::Members { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<Member> =
                remote.all(&format!("/v1/organisations/{organisation}/members")).await?;
            output.list(&all, &["name", "roles", "fingerprint", "removed"], |member| {
                let roles: Vec<_> = member.roles.iter().map(ToString::to_string).collect();
                vec![
                    member.name.clone(),
                    roles.join(" "),
                    member.fingerprint.to_string(),
                    member.removed.map(|at| at.to_string()).unwrap_or_default(),
                ]
            })
        }
        OrgCommand::RemoveMember { server, organisation, fingerprint } => {
            let remote = Remote::open(&server, language)?;
            let fingerprint: api::wire::scalar::Digest =
                fingerprint.parse().map_err(anyhow::Error::msg)?;
            remote
                .delete(&format!("/v1/organisations/{organisation}/members/{fingerprint}"))
                .await?;
            output.one(&fingerprint.to_string(), |fingerprint| format!("{fingerprint} removed"))
        }
    }
}

/// Registers a key that signs life events, with the proof of its possession.
pub async fn register_signer(
    remote: &Remote,
    organisation: &str,
    key: &SoftwareKey,
) -> anyhow::Result<EventSigner> {
    let content_type = service::SIGNER_PROOF_CONTENT_TYPE;
    let proof = crypto::cose::Sign1::sign(key, content_type, organisation.as_bytes(), b"")?;
    let new = NewEventSigner {
        public_key: Base64(key.public_key().spki().to_vec()),
        proof: Base64(proof),
    };
    remote.post(&format!("/v1/organisations/{organisation}/signers"), &new).await
}

/// Has a member's certificate issued for `key`.
pub async fn add_member(
    remote: &Remote,
    organisation: &str,
    name: &str,
    roles: &[String],
    key: &SoftwareKey,
) -> anyhow::Result<Member> {
    let csr = crate::csr::for_name(name, key)?;
    let new = NewMember {
        name: name.to_owned(),
        roles: roles
            .iter()
            .map(|role| role.parse().map_err(anyhow::Error::msg))
            .collect::<Result<_, _>>()?,
        csr: CsrPem(csr),
    };
    remote.post(&format!("/v1/organisations/{organisation}/members"), &new).await
}
