use crate::{
    cli::{Language, PersonCommand, UnlockArgs},
    clock,
    commands::Unlocking,
    output::Output,
    remote::Remote,
};
use api::{
    client::percent_encode,
    wire::{Invitation, NewPerson, NewRoles, Person, Session, scalar::RoleName},
};
use service::{Caller, Config, Invited, Service, ServiceError};
use std::{path::Path, sync::Arc};

/// Runs `tegata person …`.
pub async fn run(command: PersonCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let of = |organisation: &str, handle: &str, what: &str| {
        let (organisation, handle) = (percent_encode(organisation), percent_encode(handle));
        format!("/v1/organisations/{organisation}/people/{handle}{what}")
    };
    match command {
        PersonCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let organisation = percent_encode(&organisation);
            let people: Vec<Person> =
                remote.all(&format!("/v1/organisations/{organisation}/people")).await?;
            output.list(&people, &["handle", "name", "roles", "state"], |person| {
                vec![
                    person.handle.clone(),
                    person.name.clone(),
                    names(&person.roles),
                    person.state.clone(),
                ]
            })
        }
        PersonCommand::Invite {
            organisation,
            handle,
            name,
            roles,
            data: Some(dir),
            console_url: Some(url),
            unlock,
            ..
        } => {
            let roles: Vec<policy::Role> = read(&roles)?.into_iter().map(|role| role.0).collect();
            let new = service::NewPerson {
                organisation: organisation.parse()?,
                handle: handle.clone(),
                display_name: name.unwrap_or_default(),
                roles: policy::Roles::of(&roles),
            };
            let here = Here { dir: &dir, console_url: &url, unlock: &unlock, handle: &handle };
            here.link(output, async |service, local| service.invite_person(local, new).await).await
        }
        PersonCommand::Invite { server, organisation, handle, name, roles, again, .. } => {
            let remote = Remote::open(&server, language)?;
            let invited: Invitation = if again {
                remote.post_empty(&of(&organisation, &handle, "/invitation")).await?
            } else {
                let new =
                    NewPerson { handle, name: name.unwrap_or_default(), roles: read(&roles)? };
                let organisation = percent_encode(&organisation);
                remote.post(&format!("/v1/organisations/{organisation}/people"), &new).await?
            };
            show(output, &invited)
        }
        PersonCommand::Roles { server, organisation, handle, roles } => {
            let remote = Remote::open(&server, language)?;
            let path = of(&organisation, &handle, "/roles");
            remote.put(&path, &NewRoles { roles: read(&roles)? }).await?;
            let person: Person = remote.get(&of(&organisation, &handle, "")).await?;
            output
                .one(&person, |person| format!("{} may be {}", person.handle, names(&person.roles)))
        }
        PersonCommand::Remove { server, organisation, handle } => {
            let remote = Remote::open(&server, language)?;
            remote.delete(&of(&organisation, &handle, "")).await?;
            output.one(&handle, |handle| format!("{handle} is removed"))
        }
        PersonCommand::Recover {
            organisation,
            handle,
            data: Some(dir),
            console_url: Some(url),
            unlock,
            ..
        } => {
            let organisation: device::OrganisationId = organisation.parse()?;
            let here = Here { dir: &dir, console_url: &url, unlock: &unlock, handle: &handle };
            let recover = async |service: &Service, local: &Caller| {
                let person = service.person_by_handle(local, &organisation, &handle).await?;
                service.request_recovery(local, &organisation, &person.id).await
            };
            here.link(output, recover).await
        }
        PersonCommand::Recover { server, organisation, handle, .. } => {
            let remote = Remote::open(&server, language)?;
            let invited: Invitation =
                remote.post_empty(&of(&organisation, &handle, "/recovery")).await?;
            show(output, &invited)
        }
        PersonCommand::Sessions { server, organisation, handle, end } => {
            let remote = Remote::open(&server, language)?;
            let path = of(&organisation, &handle, "/sessions");
            if end {
                remote.delete(&path).await?;
                return output.one(&handle, |handle| format!("all sessions of {handle} ended"));
            }
            let sessions: Vec<Session> = remote.get(&path).await?;
            output.list(&sessions, &["since", "last seen", "ends", "browser", "network"], |one| {
                vec![
                    one.since.to_string(),
                    one.last_seen.to_string(),
                    one.expires.to_string(),
                    one.label.clone(),
                    one.network.clone(),
                ]
            })
        }
    }
}

/// The last resort: whoever has the machine, the data directory and its passphrase lets a person
/// in, alone. The audit log says so loudly.
struct Here<'a> {
    dir: &'a Path,
    console_url: &'a str,
    unlock: &'a UnlockArgs,
    handle: &'a str,
}

impl Here<'_> {
    /// Makes a link in the data directory itself, and prints it.
    async fn link(
        &self,
        output: Output,
        make: impl AsyncFnOnce(&Service, &Caller) -> Result<Invited, ServiceError>,
    ) -> anyhow::Result<()> {
        let unlocking = Unlocking::read(self.unlock, self.dir, false)?;
        let config = Config { console_url: Some(self.console_url.to_owned()), ..Config::default() };
        let service =
            Service::open(self.dir, &unlocking.unlock(), config, Arc::new(clock::SystemClock))?;
        drop(unlocking);
        let made = make(&service, &service.local_administrator()).await;
        let printed = made.map(|invited| {
            let url = service.link_url(&invited.link);
            let expires = invited.link.expires_at;
            output.one(&url, |url| format!("{url}\nfor {} alone, until {expires}", self.handle))
        });
        tokio::task::spawn_blocking(move || service.close()).await?;
        printed?
    }
}

fn show(output: Output, invited: &Invitation) -> anyhow::Result<()> {
    output.one(invited, |invited| {
        format!("{}\nfor {} alone, until {}", invited.link, invited.person.handle, invited.expires)
    })
}

fn read(roles: &[String]) -> anyhow::Result<Vec<RoleName>> {
    roles.iter().map(|role| role.parse().map_err(anyhow::Error::msg)).collect()
}

fn names(roles: &[RoleName]) -> String {
    roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
