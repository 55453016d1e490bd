//! People come in by a link, stay by a session, and leave at once when they are to.

use crate::{
    passkey::{Authenticator, ORIGIN},
    world::{World, config, id, open},
};
use device::OrganisationId;
use policy::{PersonId, Role, Roles};
use service::{
    Caller, Config, ErrorKind, Invited, LinkPurpose, NewPerson, Page, PeopleConfig, PersonState,
    Service, ServiceError, SignedIn, Visitor,
};

pub(crate) fn with_console() -> Config {
    Config { console_url: Some(ORIGIN.into()), ..config() }
}

pub(crate) fn visitor(last: u8) -> Visitor {
    Visitor {
        source: Some(std::net::Ipv4Addr::new(192, 0, 2, last).into()),
        label: "Firefox on Linux".into(),
    }
}

/// A person with its passkey.
pub(crate) struct Human {
    pub(crate) key: Authenticator,
    pub(crate) caller: Caller,
    pub(crate) cookie: String,
    pub(crate) id: PersonId,
}

pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> &'static str {
    outcome.unwrap_err().code()
}

/// Registers by a link.
pub(crate) async fn register(
    service: &Service,
    link: &str,
    key: &mut Authenticator,
    first: Option<(&str, &str)>,
) -> Result<SignedIn, ServiceError> {
    let opened = service.open_link(&visitor(1), link).await?;
    let ticket = opened.ticket.expose();
    assert_eq!(service.opened_link(ticket).await?, opened.link);
    let ceremony = service.begin_registration(&visitor(1), ticket, first).await?;
    let answer = key.create(&ceremony.options);
    service.finish_registration(&visitor(1), &ceremony.id, "phone", &answer).await
}

pub(crate) async fn human(service: &Service, link: &str, first: Option<(&str, &str)>) -> Human {
    let mut key = Authenticator::new();
    key.counter = 1;
    let signed_in = register(service, link, &mut key, first).await.unwrap();
    let cookie = signed_in.cookie.expose().to_owned();
    Human { key, caller: signed_in.caller, cookie, id: signed_in.person.id }
}

pub(crate) async fn first(service: &Service) -> Human {
    let link = service.first_link(&service.local_administrator()).await.unwrap().unwrap();
    human(service, link.secret.expose(), Some(("hanako", "山田 花子"))).await
}

pub(crate) fn new(organisation: &OrganisationId, handle: &str, roles: Roles) -> NewPerson {
    NewPerson {
        organisation: organisation.clone(),
        handle: handle.into(),
        display_name: format!("{handle} of {organisation}"),
        roles,
    }
}

/// Invites and registers, as the machine's own command does: nobody is asked.
pub(crate) async fn person(
    world: &World,
    organisation: &OrganisationId,
    handle: &str,
    roles: Roles,
) -> Human {
    let local = world.service.local_administrator();
    let invited =
        world.service.invite_person(&local, new(organisation, handle, roles)).await.unwrap();
    human(&world.service, invited.link.secret.expose(), None).await
}

pub(crate) async fn sign_in(
    service: &Service,
    key: &mut Authenticator,
) -> Result<SignedIn, ServiceError> {
    let ceremony = service.begin_sign_in(&visitor(1)).await?;
    let answer = key.get(&ceremony.options);
    service.finish_sign_in(&visitor(1), &ceremony.id, &answer).await
}

#[tokio::test]
async fn the_first_link_works_once_and_only_the_newest() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let local = service.local_administrator();
    let old = service.first_link(&local).await.unwrap().unwrap();
    let link = service.first_link(&local).await.unwrap().unwrap();
    assert_eq!(link.purpose, LinkPurpose::First);
    assert!(link.url(ORIGIN).starts_with("https://console.example/invitation/tgi_"));
    let visitor = visitor(1);
    assert_eq!(code(service.open_link(&visitor, old.secret.expose()).await), "link");
    assert_eq!(code(service.open_link(&visitor, "tgi_nothing").await), "link");
    let opened = service.open_link(&visitor, link.secret.expose()).await.unwrap();
    assert_eq!(opened.link.person, None);
    assert_eq!(opened.link.roles, Role::Administrator.into());
    let ticket = opened.ticket.expose();
    let begun = service.begin_registration(&visitor, ticket, None).await;
    assert_eq!(code(begun), "handle");
    let begun = service.begin_registration(&visitor, ticket, Some(("Hanako", "H"))).await;
    assert_eq!(code(begun), "handle");
    let hanako = human(service, link.secret.expose(), Some(("hanako", "山田 花子"))).await;
    assert!(hanako.caller.is_platform_member());
    assert_eq!(hanako.caller.to_string(), "person platform/hanako");
    // The ticket of the other browser is worth nothing now, nor is the link, and there is no more.
    let late = service.begin_registration(&visitor, ticket, Some(("mallory", "M"))).await;
    assert_eq!(code(late), "link");
    assert_eq!(code(service.open_link(&visitor, link.secret.expose()).await), "link");
    assert!(service.first_link(&local).await.unwrap().is_none());
    let people = service.people(&hanako.caller, &id("platform"), &Page::default()).await.unwrap();
    assert_eq!(people.items.len(), 1);
    assert_eq!(people.items[0].state, PersonState::Active);
    // Somebody who only opened the door is nobody.
    let denied = service.first_link(&Caller::Anonymous).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn two_who_opened_the_first_link_do_not_both_become_administrators() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let link = service.first_link(&service.local_administrator()).await.unwrap().unwrap();
    let mut begun = Vec::new();
    for handle in ["hanako", "mallory"] {
        let opened = service.open_link(&visitor(1), link.secret.expose()).await.unwrap();
        let chosen = Some((handle, handle));
        let ticket = opened.ticket.expose();
        let ceremony = service.begin_registration(&visitor(1), ticket, chosen).await.unwrap();
        let mut key = Authenticator::new();
        let answer = key.create(&ceremony.options);
        begun.push((ceremony, answer));
    }
    let finish = |n: usize| {
        let (ceremony, answer) = &begun[n];
        async move { service.finish_registration(&visitor(1), &ceremony.id, "key", answer).await }
    };
    let (one, two) = tokio::join!(finish(0), finish(1));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
    let lost = if one.is_ok() { two } else { one };
    assert_eq!(code(lost), "link");
}

#[tokio::test]
async fn links_expire() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let link = service.first_link(&service.local_administrator()).await.unwrap().unwrap();
    world.clock.advance(3599);
    let opened = service.open_link(&visitor(1), link.secret.expose()).await.unwrap();
    let chosen = Some(("hanako", "Hanako"));
    let ceremony =
        service.begin_registration(&visitor(1), opened.ticket.expose(), chosen).await.unwrap();
    let answer = Authenticator::new().create(&ceremony.options);
    world.clock.advance(1);
    let late = service.finish_registration(&visitor(1), &ceremony.id, "phone", &answer).await;
    assert_eq!(code(late), "link", "it expired between the two steps");
    assert_eq!(code(service.open_link(&visitor(1), link.secret.expose()).await), "link");
}

#[tokio::test]
async fn a_passkey_signs_in_and_nothing_less_does() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let mut hanako = first(service).await;
    let signed_in = sign_in(service, &mut hanako.key).await.unwrap();
    assert_eq!(signed_in.person.handle, "hanako");
    let resumed = service.resume_session(signed_in.cookie.expose()).await.unwrap();
    assert_eq!(resumed.caller, signed_in.caller);
    assert_eq!(resumed.organisation_name, "Test platform");

    // One answer, one use.
    let ceremony = service.begin_sign_in(&visitor(1)).await.unwrap();
    let answer = hanako.key.get(&ceremony.options);
    service.finish_sign_in(&visitor(1), &ceremony.id, &answer).await.unwrap();
    let again = service.finish_sign_in(&visitor(1), &ceremony.id, &answer).await;
    assert_eq!(code(again), "ceremony-over");
    // An answer to another challenge.
    let other = service.begin_sign_in(&visitor(1)).await.unwrap();
    let replay = service.finish_sign_in(&visitor(1), &other.id, &answer).await;
    assert_eq!(code(replay), "passkey-refused");
    // Too late.
    let ceremony = service.begin_sign_in(&visitor(1)).await.unwrap();
    let answer = hanako.key.get(&ceremony.options);
    world.clock.advance(300);
    let late = service.finish_sign_in(&visitor(1), &ceremony.id, &answer).await;
    assert_eq!(code(late), "ceremony-over");

    // Another origin, another relying party, no fingerprint, a stranger's passkey.
    let mut phished = hanako.key.copied();
    phished.counter = 100;
    phished.origin = "https://console.example.evil".into();
    assert_eq!(code(sign_in(service, &mut phished).await), "passkey-refused");
    phished.origin = ORIGIN.into();
    phished.rp_id = "evil".into();
    assert_eq!(code(sign_in(service, &mut phished).await), "passkey-refused");
    phished.rp_id = "console.example".into();
    phished.verifies_user = false;
    assert_eq!(code(sign_in(service, &mut phished).await), "passkey-refused");
    phished.verifies_user = true;
    assert!(sign_in(service, &mut phished).await.is_ok(), "it is these that were refused");
    assert_eq!(code(sign_in(service, &mut Authenticator::new()).await), "passkey-refused");
    let ceremony = service.begin_sign_in(&visitor(1)).await.unwrap();
    let nonsense = service.finish_sign_in(&visitor(1), &ceremony.id, "{}").await;
    assert_eq!(code(nonsense), "passkey-response");

    // The counter went back: somebody copied the passkey.
    assert_eq!(code(sign_in(service, &mut hanako.key).await), "passkey-refused");
    // What is only noted is written before what is committed after it.
    service.set_preferences(&signed_in.caller, None, None).await.unwrap();
    let local = service.local_administrator();
    let page = Page { after: None, limit: 1000 };
    let failures = service
        .audit(&local, Some(&id("platform")), Some(audit::Kind::Authentication), &page)
        .await
        .unwrap();
    let alarm = |event: &audit::SecurityEvent| {
        event.details().any(|(_, value)| value == "passkey-counter-went-back")
            && event.severity_of() == audit::Severity::High
    };
    assert_eq!(failures.items.iter().filter(|view| alarm(&view.event)).count(), 1);
}

#[tokio::test]
async fn two_answers_with_one_counter_are_not_both_accepted() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let hanako = first(service).await;
    let mut copies = [hanako.key.copied(), hanako.key.copied()];
    let [one, two] = &mut copies;
    let (one, two) = tokio::join!(sign_in(service, one), sign_in(service, two));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
}

#[tokio::test]
async fn sessions_end() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let mut hanako = first(service).await;
    // In use it goes on, until its end.
    for _ in 0..47 {
        world.clock.advance(900);
        service.resume_session(&hanako.cookie).await.unwrap();
    }
    world.clock.advance(900);
    assert_eq!(code(service.resume_session(&hanako.cookie).await), "session-ended");
    // Idle it ends.
    let signed_in = sign_in(service, &mut hanako.key).await.unwrap();
    world.clock.advance(901);
    assert_eq!(code(service.resume_session(signed_in.cookie.expose()).await), "session-ended");
    world.clock.advance(-901);
    assert_eq!(
        code(service.resume_session(signed_in.cookie.expose()).await),
        "session-ended",
        "what ended stays ended, though the clock is set back"
    );
    // One ends the others, one by one or all.
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(sign_in(service, &mut hanako.key).await.unwrap());
    }
    let own = &cookies[0].caller;
    let sessions = service.sessions(own).await.unwrap();
    assert_eq!(sessions.len(), 3);
    assert_eq!(sessions.iter().filter(|session| session.current).count(), 1);
    assert_eq!(sessions[0].network, "192.0.2.0/24");
    let Caller::Person { session: second, .. } = &cookies[1].caller else { panic!() };
    service.end_session(own, second).await.unwrap();
    assert_eq!(code(service.end_session(own, second).await), "not-found");
    assert_eq!(code(service.resume_session(cookies[1].cookie.expose()).await), "session-ended");
    assert_eq!(service.end_other_sessions(own).await.unwrap(), 1);
    assert_eq!(code(service.resume_session(cookies[2].cookie.expose()).await), "session-ended");
    service.sign_out(own).await.unwrap();
    service.sign_out(own).await.unwrap();
    assert_eq!(code(service.resume_session(cookies[0].cookie.expose()).await), "session-ended");
    for bad in ["", "tgs_", "tgi_0123", &"x".repeat(10_000)] {
        assert_eq!(code(service.resume_session(bad).await), "session-ended");
    }
}

#[tokio::test]
async fn a_request_costs_no_commit() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let hanako = first(service).await;
    // The first may write, a minute passed or not.
    service.resume_session(&hanako.cookie).await.unwrap();
    service.integrate_now().await.unwrap();
    let before = service.health().commands;
    for _ in 0..100 {
        service.resume_session(&hanako.cookie).await.unwrap();
    }
    world.clock.advance(59);
    service.resume_session(&hanako.cookie).await.unwrap();
    let between = service.health().commands;
    // The integrator and the jobs have commands of their own now and then; 101 would be ours.
    assert!(between - before < 50, "{} commands", between - before);
    world.clock.advance(1);
    service.resume_session(&hanako.cookie).await.unwrap();
    service.integrate_now().await.unwrap();
    // What was seen but not written is lost with the process: the session ends sooner, not later.
    world.service.close();
    let service = open(world.path(), with_console(), &world.clock);
    world.clock.advance(900);
    assert!(service.resume_session(&hanako.cookie).await.is_ok());
    world.clock.advance(901);
    assert_eq!(code(service.resume_session(&hanako.cookie).await), "session-ended");
    service.close();
}

#[tokio::test]
async fn a_removed_persons_session_dies_at_once() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let hanako = first(service).await;
    let org = id("platform");
    let mut jiro = person(&world, &org, "jiro", Role::Operator.into()).await;
    assert!(service.resume_session(&jiro.cookie).await.is_ok());
    service.remove_person(&hanako.caller, &org, &jiro.id).await.unwrap();
    assert_eq!(code(service.resume_session(&jiro.cookie).await), "session-ended");
    assert_eq!(code(sign_in(service, &mut jiro.key).await), "passkey-refused");
    // A request that was under way does nothing any more.
    let late = service.set_display_name(&jiro.caller, "J").await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::NotFound);
    let view = service.person(&hanako.caller, &org, &jiro.id).await.unwrap();
    assert!(matches!(view.state, PersonState::Removed { .. }));
    // Its handle is nobody else's, ever.
    let again = service.invite_person(&hanako.caller, new(&org, "jiro", Roles::ALL)).await;
    assert_eq!(code(again), "handle-taken");
    // Who never came leaves no account behind.
    let Invited { person, link } = service
        .invite_person(&hanako.caller, new(&org, "saburo", Role::Reader.into()))
        .await
        .unwrap();
    assert!(matches!(person.state, PersonState::Invited { until: Some(_) }));
    service.remove_person(&hanako.caller, &org, &person.id).await.unwrap();
    assert_eq!(code(service.open_link(&visitor(1), link.secret.expose()).await), "link");
    service.invite_person(&hanako.caller, new(&org, "saburo", Role::Reader.into())).await.unwrap();
}

#[tokio::test]
async fn changed_roles_end_sessions() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let hanako = first(service).await;
    let maker = world.org("maker", device::Roles::MAKER).await;
    let jiro = person(&world, &maker.id, "jiro", Role::Operator.into()).await;
    let changed =
        service.change_roles(&maker.admin, &maker.id, &jiro.id, Role::Reader.into()).await.unwrap();
    assert_eq!(changed.roles, Role::Reader.into());
    assert_eq!(code(service.resume_session(&jiro.cookie).await), "session-ended");
    let denied = service.change_roles(&hanako.caller, &maker.id, &jiro.id, Roles::ALL).await;
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::NotFound, "not the platform's to change");
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let org = world.org("maker", device::Roles::MAKER).await;
    let hanako = person(&world, &org.id, "hanako", Role::Administrator.into()).await;
    // The member with its certificate is an administrator too.
    let local = service.local_administrator();
    let members = service.members(&local, &org.id, &Page::default()).await.unwrap();
    let admin = members.items.iter().find(|member| member.name == "admin").unwrap();
    service.remove_member(&local, &org.id, &admin.fingerprint).await.unwrap();
    let last = service.change_roles(&local, &org.id, &hanako.id, Role::Reader.into()).await;
    assert_eq!(code(last), "last-administrator");
    assert_eq!(
        code(service.remove_person(&local, &org.id, &hanako.id).await),
        "last-administrator"
    );
    assert!(service.resume_session(&hanako.cookie).await.is_ok(), "nothing of it happened");
}

#[tokio::test]
async fn sensitive_acts_want_a_passkey_shown_just_now() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let mut hanako = first(service).await;
    let org = id("platform");
    world.clock.advance(301);
    let resumed = service.resume_session(&hanako.cookie).await.unwrap();
    let stale = resumed.caller;
    let invite = |caller: Caller| async move {
        service.invite_person(&caller, new(&id("platform"), "jiro", Role::Reader.into())).await
    };
    assert_eq!(code(invite(stale.clone()).await), "reauthenticate");
    assert_eq!(code(service.begin_add_passkey(&visitor(1), &stale).await), "reauthenticate");
    assert!(service.people(&stale, &org, &Page::default()).await.is_ok());
    let ceremony = service.begin_reauthentication(&visitor(1), &stale).await.unwrap();
    let answer = hanako.key.get(&ceremony.options);
    let again =
        service.finish_reauthentication(&visitor(1), &stale, &ceremony.id, &answer).await.unwrap();
    assert_eq!(
        code(service.resume_session(&hanako.cookie).await),
        "session-ended",
        "the secret before is worth nothing"
    );
    let fresh = service.resume_session(again.cookie.expose()).await.unwrap().caller;
    assert_eq!(fresh, again.caller);
    let invited = invite(fresh.clone()).await.unwrap();
    let stale_session = invite(stale.clone()).await.unwrap_err();
    assert_eq!(stale_session.code(), "reauthenticate");
    // Another person's passkey does not do.
    let mut jiro = human(service, invited.link.secret.expose(), None).await;
    let ceremony = service.begin_reauthentication(&visitor(1), &fresh).await.unwrap();
    let answer = jiro.key.get(&ceremony.options);
    let other = service.finish_reauthentication(&visitor(1), &fresh, &ceremony.id, &answer).await;
    assert_eq!(code(other), "passkey-refused");
    let ceremony = service.begin_reauthentication(&visitor(1), &fresh).await.unwrap();
    let answer = hanako.key.get(&ceremony.options);
    let crossed =
        service.finish_reauthentication(&visitor(1), &jiro.caller, &ceremony.id, &answer).await;
    assert_eq!(code(crossed), "passkey-refused", "a ceremony belongs to its session");
}

#[tokio::test]
async fn passkeys_are_added_and_removed_but_for_the_last() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let hanako = first(service).await;
    let own = &hanako.caller;
    let only = service.passkeys(own).await.unwrap();
    assert_eq!(code(service.remove_passkey(own, &only[0].id).await), "last-passkey");
    let mut second = Authenticator::new();
    let add = |mut key: Authenticator| async move {
        let ceremony = service.begin_add_passkey(&visitor(1), own).await.unwrap();
        let answer = key.create(&ceremony.options);
        let added =
            service.finish_add_passkey(&visitor(1), own, &ceremony.id, "key", &answer).await;
        (added, key)
    };
    second.discoverable = false;
    let (refused, mut second) = add(second).await;
    assert_eq!(code(refused), "not-discoverable");
    second.discoverable = true;
    second.verifies_user = false;
    let (refused, mut second) = add(second).await;
    assert_eq!(code(refused), "passkey-refused");
    second.verifies_user = true;
    let (added, second) = add(second).await;
    let added = added.unwrap();
    let (twice, mut second) = add(second).await;
    assert!(["passkey-known", "passkey-refused"].contains(&code(twice)));
    assert_eq!(sign_in(service, &mut second).await.unwrap().person.handle, "hanako");
    service.rename_passkey(own, &added.id, "work").await.unwrap();
    service.remove_passkey(own, &only[0].id).await.unwrap();
    let left = service.passkeys(own).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].name, "work");
    let mut key = hanako.key.copied();
    assert_eq!(code(sign_in(service, &mut key).await), "passkey-refused");
}

#[tokio::test]
async fn a_network_that_tries_too_often_waits_and_others_do_not() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let mut hanako = first(service).await;
    let try_from = |last: u8| async move {
        let visitor = Visitor {
            source: Some(std::net::Ipv4Addr::new(198, 51, 100, last).into()),
            label: String::new(),
        };
        match service.begin_sign_in(&visitor).await {
            Ok(ceremony) => service.finish_sign_in(&visitor, &ceremony.id, "{}").await,
            Err(error) => Err(error),
        }
    };
    let mut codes = Vec::new();
    for last in 0..40 {
        codes.push(code(try_from(last).await));
    }
    assert_eq!(codes.iter().filter(|code| **code == "passkey-response").count(), 30);
    assert_eq!(codes[39], "too-many-attempts", "one network, whatever the address in it");
    assert!(sign_in(service, &mut hanako.key).await.is_ok());
    world.clock.advance(300);
    assert_eq!(code(try_from(1).await), "passkey-response");
    service.set_preferences(&hanako.caller, None, None).await.unwrap();
    let local = service.local_administrator();
    let page = Page { after: None, limit: 1000 };
    let limits = service.audit(&local, None, Some(audit::Kind::RateLimit), &page).await.unwrap();
    assert_eq!(limits.items.len(), 1, "one line, not one per attempt");
}

#[tokio::test]
async fn recovery_needs_two_and_the_machine_one() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let org = world.org("maker", device::Roles::MAKER).await.id;
    let hanako = person(&world, &org, "hanako", Role::Administrator.into()).await;
    let jiro = person(&world, &org, "jiro", Role::Administrator.into()).await;
    let mut lost = person(&world, &org, "saburo", Role::Reader.into()).await;
    let ask = || service.request_recovery(&hanako.caller, &org, &lost.id);
    let waiting = ask().await.unwrap_err();
    assert_eq!(waiting.code(), "needs-second-person");
    let approval = waiting.approval().unwrap();
    assert_eq!(ask().await.unwrap_err().approval(), Some(approval), "one request, asked twice");
    assert_eq!(code(service.approve(&hanako.caller, &approval).await), "own-request");
    let view = service.approve(&jiro.caller, &approval).await.unwrap();
    assert_eq!(view.state, service::ApprovalState::Approved);
    assert!(view.requester_continues);
    // The approval is the requester's; the one who approved gets nothing by it.
    let other = service.request_recovery(&jiro.caller, &org, &lost.id).await;
    assert_eq!(code(other), "needs-second-person");
    assert!(service.resume_session(&lost.cookie).await.is_ok(), "nothing has happened yet");
    let invited = ask().await.unwrap();
    assert_eq!(invited.link.purpose, LinkPurpose::Recovery);
    assert_eq!(code(service.resume_session(&lost.cookie).await), "session-ended");
    assert_eq!(code(sign_in(service, &mut lost.key).await), "passkey-refused");
    assert_eq!(code(ask().await), "needs-second-person", "used once");
    let back = human(service, invited.link.secret.expose(), None).await;
    assert_eq!(back.id, lost.id);
    let own = service.request_recovery(&back.caller, &org, &back.id).await.unwrap_err();
    assert_eq!(own.kind(), ErrorKind::Forbidden, "a reader recovers nobody");
    // On the machine itself, alone and loudly.
    let local = service.local_administrator();
    service.request_recovery(&local, &org, &hanako.id).await.unwrap();
    let page = Page { after: None, limit: 1000 };
    let changes =
        service.audit(&local, Some(&org), Some(audit::Kind::AccountChange), &page).await.unwrap();
    let loud = changes.items.iter().filter(|view| {
        view.event.severity_of() == audit::Severity::Critical
            && view.event.door_of() == audit::Door::Command
    });
    assert_eq!(loud.count(), 1);
}

#[tokio::test]
async fn nothing_of_people_crosses_between_organisations() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.org("maker", device::Roles::MAKER).await;
    let stranger = world.org("stranger", device::Roles::MAKER).await;
    let hanako = person(&world, &maker.id, "hanako", Role::Administrator.into()).await;
    let other = person(&world, &stranger.id, "hanako", Roles::ALL).await;
    let waiting = service.request_recovery(&maker.admin, &maker.id, &hanako.id).await.unwrap_err();
    let approval = waiting.approval().unwrap();
    let page = Page::default();
    let not_found = |what: &str, kind: ErrorKind| assert_eq!(kind, ErrorKind::NotFound, "{what}");
    let platform = first(service).await;
    for caller in [&stranger.admin, &stranger.reader, &other.caller, &platform.caller] {
        let (org, person) = (&maker.id, &hanako.id);
        let kind = |error: ServiceError| error.kind();
        not_found("people", service.people(caller, org, &page).await.map_err(kind).unwrap_err());
        not_found("person", service.person(caller, org, person).await.map_err(kind).unwrap_err());
        let roles = service.change_roles(caller, org, person, Roles::ALL).await;
        not_found("roles", roles.map_err(kind).unwrap_err());
        let removed = service.remove_person(caller, org, person).await;
        not_found("remove", removed.map_err(kind).unwrap_err());
        let recovered = service.request_recovery(caller, org, person).await;
        not_found("recover", recovered.map_err(kind).unwrap_err());
        let sessions = service.person_sessions(caller, org, person).await;
        not_found("sessions", sessions.map_err(kind).unwrap_err());
        let ended = service.end_person_sessions(caller, org, person).await;
        not_found("end sessions", ended.map_err(kind).unwrap_err());
        let handle = service.person_by_handle(caller, org, "hanako").await;
        not_found("handle", handle.map_err(kind).unwrap_err());
        let approvals =
            service.approvals(caller, org, &service::ApprovalQuery::default(), &page).await;
        not_found("approvals", approvals.map_err(kind).unwrap_err());
        for outcome in [
            service.approval(caller, &approval).await,
            service.approve(caller, &approval).await,
            service.reject(caller, &approval).await,
            service.withdraw_request(caller, &approval).await,
        ] {
            not_found("approval", outcome.map_err(kind).unwrap_err());
        }
        let policy = service.approval_policy(caller, org).await;
        not_found("policy", policy.map_err(kind).unwrap_err());
        let set = service.set_approval_policy(caller, org, policy::Act::Erase, true).await;
        not_found("set policy", set.map_err(kind).unwrap_err());
        if !caller.is_platform_member() {
            let invited = service.invite_person(caller, new(org, "mole", Roles::ALL)).await;
            not_found("invite", invited.map_err(kind).unwrap_err());
            let again = service.invite_again(caller, org, person).await;
            not_found("invite again", again.map_err(kind).unwrap_err());
        }
    }
    // One's own organisation, and another's person in it.
    let crossed = service.person(&stranger.admin, &stranger.id, &hanako.id).await.unwrap_err();
    assert_eq!(crossed.kind(), ErrorKind::NotFound);
    // The platform invites the first administrator of an organisation that has nobody, no more.
    let mole = service.invite_person(&platform.caller, new(&maker.id, "mole", Roles::ALL)).await;
    assert_eq!(code(mole), "not-first-administrator");
    let empty = service::NewOrganisation {
        id: id("empty"),
        name: "Empty".into(),
        roles: device::Roles::NONE,
    };
    service.create_organisation(&platform.caller, empty).await.unwrap();
    let reader = new(&id("empty"), "boss", Role::Reader.into());
    assert_eq!(
        code(service.invite_person(&platform.caller, reader).await),
        "not-first-administrator"
    );
    let boss = new(&id("empty"), "boss", Role::Administrator.into());
    service.invite_person(&platform.caller, boss).await.unwrap();
    let mole = new(&id("empty"), "mole", Roles::ALL);
    assert_eq!(
        code(service.invite_person(&platform.caller, mole).await),
        "not-first-administrator"
    );
}

#[tokio::test]
async fn settings_have_bounds() {
    let world = World::new().await;
    world.service.close();
    let try_open = |config: Config| {
        let secret = crate::world::key_file();
        let unlock = crypto::sealed::Unlock::KeyFile(&secret);
        Service::open(world.path(), &unlock, config, world.clock.clone()).map(|open| open.close())
    };
    let endless = PeopleConfig { absolute_s: 1_000_000, ..PeopleConfig::default() };
    assert_eq!(code(try_open(Config { people: endless, ..with_console() })), "people-config");
    for url in [
        "http://console.example",
        "https://192.0.2.1",
        "https://console.example/path",
        "https://user@console.example",
        "console.example",
        "javascript:alert(1)",
    ] {
        let config = Config { console_url: Some(url.into()), ..config() };
        assert_eq!(code(try_open(config)), "console-url", "{url}");
    }
    for url in ["http://localhost:8082", "https://console.example:8443"] {
        let config = Config { console_url: Some(url.into()), ..config() };
        assert_eq!(try_open(config), Ok(()), "{url}");
    }
}
