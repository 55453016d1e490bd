//! An authority has power over everybody's devices: it takes two people to make one.

use crate::world::{World, config, id};
use device::{Cause, DeviceKind};
use policy::{Role, Roles};
use service::{Caller, ErrorKind, NewOrganisation, Page};

fn authority(name: &str, roles: device::Roles) -> NewOrganisation {
    NewOrganisation { id: id(name), name: name.into(), roles }
}

#[tokio::test]
async fn who_registers_an_authority_does_not_confirm_it() {
    let world = World::new().await;
    let service = &world.service;
    let platform = id("platform");
    let first = &world.platform_admin;
    let (second, second_certificate) = world.member(&platform, "second", Roles::ALL).await;
    // Another certificate, the same name: the same person as far as anybody can tell.
    let (same_name, _) = world.member(&platform, "root admin", Roles::ALL).await;
    let (operator, _) = world.member(&platform, "operator", Role::Operator.into()).await;
    let both = device::Roles::AUTHORITY.and(device::Roles::RECYCLER);
    let made = service.create_organisation(first, authority("police", both)).await.unwrap();
    assert_eq!((made.roles, made.proposed), (device::Roles::RECYCLER, device::Roles::AUTHORITY));

    let confirm = async |caller: &Caller| service.confirm_authority(caller, &id("police")).await;
    let stranger = world.org("stranger", device::Roles::NONE).await;
    let local = service.local_administrator();
    world.clock.advance(1);
    let (newcomer, _) = world.member(&platform, "newcomer", Roles::ALL).await;
    for (who, caller, code) in [
        ("the same", first, "second-person"),
        ("the same name", &same_name, "second-person"),
        ("who joined later", &newcomer, "second-person"),
        ("an operator", &operator, "role"),
        ("another organisation", &stranger.admin, "role"),
        ("a command on the machine", &local, "role"),
    ] {
        let refused = confirm(caller).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Forbidden, code), "{who}");
    }
    assert_eq!(service.organisation(first, &id("police")).await.unwrap(), made);
    // A token of the same person's is the same person.
    let token = service.issue_token(&second, Role::Administrator.into(), 600).await.unwrap();
    let by_token = service.identify_token(token.token.expose(), &second_certificate).await.unwrap();
    let confirmed = confirm(&by_token).await.unwrap();
    assert_eq!((confirmed.roles, confirmed.proposed), (both, device::Roles::NONE));
    let again = confirm(&second).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (ErrorKind::Conflict, "nothing-proposed"));
    let unknown = service.confirm_authority(&second, &id("nobody")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);

    // Both acts and each refusal are on record.
    let page = Page { after: None, limit: 1000 };
    let events = service.audit(first, None, None, &page).await.unwrap().items;
    let told =
        |what: &str| events.iter().filter(|view| view.event.english().contains(what)).count();
    assert_eq!(told("authority-confirmed"), 1);
    assert_eq!(told("second-person"), 3);
}

#[tokio::test]
async fn a_proposed_authority_has_no_power_until_it_is_confirmed() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let (second, _) = world.member(&id("platform"), "second", Roles::ALL).await;
    let new = authority("police", device::Roles::AUTHORITY);
    world.service.create_organisation(&world.platform_admin, new).await.unwrap();
    let (officer, _) = world.member(&id("police"), "officer", Roles::ALL).await;
    let unseen = world.service.device(&officer, device).await.unwrap_err();
    assert_eq!(unseen.kind(), ErrorKind::NotFound);
    let powerless = world.service.suspend_device(&officer, device, Cause::Order).await.unwrap_err();
    assert_eq!(powerless.kind(), ErrorKind::NotFound);
    // Nor after a restart.
    world.service.close();
    let service = crate::world::open(world.path(), config(), &world.clock);
    assert_eq!(service.device(&officer, device).await.unwrap_err().kind(), ErrorKind::NotFound);
    service.confirm_authority(&second, &id("police")).await.unwrap();
    service.suspend_device(&officer, device, Cause::Order).await.unwrap();
    service.close();
}
