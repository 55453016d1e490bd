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
use service::{Config, Service};
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
        PersonCommand::Invite { server, organisation, handle, name, roles, again } => {
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
        } => recover_here(&dir, &url, &unlock, &organisation, &handle, output).await,
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
/// in again, alone. The audit log says so with the highest severity.
async fn recover_here(
    dir: &Path,
    console_url: &str,
    unlock: &UnlockArgs,
    organisation: &str,
    handle: &str,
    output: Output,
) -> anyhow::Result<()> {
    let unlocking = Unlocking::read(unlock, dir, false)?;
    let config = Config { console_url: Some(console_url.to_owned()), ..Config::default() };
    let service = Service::open(dir, &unlocking.unlock(), config, Arc::new(clock::SystemClock))?;
    drop(unlocking);
    let local = service.local_administrator();
    let organisation: device::OrganisationId = organisation.parse()?;
    let recovered = async {
        let person = service.person_by_handle(&local, &organisation, handle).await?;
        service.request_recovery(&local, &organisation, &person.id).await
    }
    .await;
    let printed = recovered.map(|invited| {
        let url = service.link_url(&invited.link);
        let expires = invited.link.expires_at;
        output.one(&url, |url| format!("{url}\nfor {handle} alone, until {expires}"))
    });
    tokio::task::spawn_blocking(move || service.close()).await?;
    printed?
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
