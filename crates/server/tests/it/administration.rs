//! What administrators do over REST: authorities by two people, keys replaced, tokens listed.

use crate::world::{World, id, member, refused};
use api::{
    client::Call,
    wire::{
        KeyRotation, NewOrganisation, NewToken, OrganisationRole, OwnKey, PageQuery,
        scalar::{OrganisationRef, RoleName},
    },
};
use http::Method;
use policy::{Role, Roles};

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_takes_two_administrators() {
    let world = World::new().await;
    let second = member(&world.service, "platform", "second", Roles::ALL).await;
    let rest = world.rest(&world.platform);
    let new = NewOrganisation {
        id: OrganisationRef(id("police")),
        name: "Police".into(),
        roles: vec![OrganisationRole::Authority],
    };
    let made = rest.create_organisation(&new).await.unwrap();
    assert_eq!(
        (made.roles.len(), made.proposed.as_slice()),
        (0, &[OrganisationRole::Authority][..])
    );
    let own = rest.confirm_authority(&id("police")).await.unwrap_err();
    assert_eq!((own.status(), own.problem().unwrap().code.as_str()), (Some(403), "second-person"));
    let stranger = world.org("stranger", device::Roles::NONE).await;
    let other = world.rest(&stranger.admin).confirm_authority(&id("police")).await.unwrap_err();
    assert_eq!(other.status(), Some(403));
    let confirmed = world.rest(&second).confirm_authority(&id("police")).await.unwrap();
    assert_eq!(confirmed.roles, [OrganisationRole::Authority]);
    assert!(confirmed.proposed.is_empty());
    let again = world.rest(&second).confirm_authority(&id("police")).await.unwrap_err();
    assert_eq!(again.status(), Some(409));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_keys_are_replaced() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let thing = world.made(&maker, "gate").await;
    let rest = world.rest(&world.platform);
    for key in [OwnKey::Events, OwnKey::Passports] {
        let rotated = rest.rotate_key(&KeyRotation { key }).await.unwrap();
        assert_ne!(rotated.key, rotated.retired);
        assert_eq!(rotated.certificate.0.public_key().unwrap().fingerprint(), rotated.key.0);
        let denied = world.rest(&maker.admin).rotate_key(&KeyRotation { key }).await.unwrap_err();
        assert_eq!(denied.status(), Some(403));
    }
    let admin = world.rest(&maker.admin);
    admin.suspend_device(&thing.id, device::Cause::Anomaly).await.unwrap();
    let answer =
        admin.client().call(Call::get(format!("/v1/devices/{}/passport", thing.id))).await.unwrap();
    assert_eq!(answer.headers[api::client::WITNESSES], "0/0");
    device::PassportFile::parse(&answer.body).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_devices_know_is_replaced_and_is_offered_where_it_is_shown() {
    let mut world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let rest = world.rest(&world.platform);
    let before = rest.server_key().await.unwrap();
    let denied = world.rest(&maker.admin).rotate_server_key().await.unwrap_err();
    assert_eq!(denied.status(), Some(403));
    assert_eq!(rest.server_key().await.unwrap().key, before.key);
    let rotated = rest.rotate_server_key().await.unwrap();
    let after = rest.server_key().await.unwrap();
    assert_eq!((after.key, &after.public_key), (rotated.key, &rotated.public_key));
    assert_ne!(after.public_key, before.public_key);
    // A server that takes no keys shows none, and offers none.
    world.running.take().unwrap().shutdown().await;
    for coap in [None, Some(([127, 0, 0, 1], 0).into())] {
        let config = server::Config {
            tls: ([127, 0, 0, 1], 0).into(),
            public: ([127, 0, 0, 1], 0).into(),
            coap,
            coap_raw_keys: coap.is_none(),
            ..server::Config::default()
        };
        let running = server::Server::start(config, world.service.clone()).await.unwrap();
        world.tls = running.tls_address();
        let answer = refused(&world.client(None), Call::get("/v1/server-key")).await;
        assert_eq!(answer, (404, "not-found".to_owned()));
        running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_listed_until_they_end() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let other = world.maker("other", "gate").await;
    let rest = world.rest(&maker.admin);
    let new = NewToken { roles: vec![RoleName(Role::Auditor)], lifetime_s: 600 };
    let mut issued = Vec::new();
    for _ in 0..3 {
        issued.push(rest.issue_token(&new).await.unwrap().id);
    }
    let page = PageQuery { limit: Some(2), ..PageQuery::default() };
    let first = rest.tokens(&maker.id, &page).await.unwrap();
    let rest_of = PageQuery { after: first.next.clone(), ..page };
    let last = rest.tokens(&maker.id, &rest_of).await.unwrap();
    let mut listed: Vec<_> = first.items.iter().chain(&last.items).map(|token| token.id).collect();
    assert_eq!((first.items.len(), last.items.len(), last.next), (2, 1, None));
    listed.sort_by_key(ToString::to_string);
    issued.sort_by_key(ToString::to_string);
    assert_eq!(listed, issued);
    let token = &first.items[0];
    assert_eq!(token.member, "admin");
    assert_eq!(token.certificate.0, maker.admin.certificate().fingerprint());
    assert_eq!(token.roles, [RoleName(Role::Auditor)]);
    // Nobody else's, and not for a mere reader.
    let (status, _) = refused(
        &world.client(Some(&other.admin.identity)),
        Call::new(Method::GET, "/v1/organisations/maker/tokens"),
    )
    .await;
    assert_eq!(status, 404);
    let denied = world.rest(&maker.reader).tokens(&maker.id, &PageQuery::default()).await;
    assert_eq!(denied.unwrap_err().status(), Some(403));
    rest.revoke_token(&issued[0].0).await.unwrap();
    let left = rest.tokens(&maker.id, &PageQuery::default()).await.unwrap().items;
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|token| token.id != issued[0]));
}
