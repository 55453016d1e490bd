//! What the platform signs for others is judged as theirs, and only what it may sign for them.

use crate::{
    state::{Life, commitment},
    support::org,
};
use crypto::UnixTime;
use device::{
    Cause, Context, Event, EventKind, IllegalMoveCode as Code, OnBehalf, Roles, StandingKind, State,
};

fn next(state: &State, kind: EventKind, who: &str, roles: Roles) -> Event {
    Event {
        device: state.device(),
        sequence: state.events(),
        previous: Some(state.head()),
        kind,
        at: UnixTime(1_000),
        reporter: org("tegata"),
        actor: Some(format!("member {who}/alice")),
        place: None,
        evidence: Vec::new(),
        on_behalf: Some(OnBehalf { organisation: org(who), roles }),
        reason: None,
    }
}

fn apply(state: &State, event: &Event, reporter: Roles) -> Result<State, Code> {
    state
        .apply(event, commitment(event), &Context::new(UnixTime(5_000), reporter))
        .map_err(|illegal| illegal.code)
}

fn act(state: &State, kind: EventKind, who: &str, roles: Roles) -> Result<State, Code> {
    apply(state, &next(state, kind, who, roles), Roles::PLATFORM)
}

#[test]
fn a_sale_signed_for_both_sides_moves_the_device_between_them() {
    let state = Life::operating().state;
    let offer = EventKind::TransferOffered { to: org("kaiin") };
    assert_eq!(act(&state, offer.clone(), "kaiin", Roles::NONE).unwrap_err(), Code::NotEntitled);
    assert_eq!(act(&state, offer.clone(), "barrier", Roles::MAKER).unwrap_err(), Code::NotEntitled);
    let offered = act(&state, offer, "mamoru", Roles::NONE).unwrap();
    let accept = EventKind::TransferAccepted { from: org("mamoru") };
    for stranger in ["mamoru", "barrier", "tegata"] {
        let refused = act(&offered, accept.clone(), stranger, Roles::NONE).unwrap_err();
        assert_eq!(refused, Code::NotEntitled, "{stranger}");
    }
    let sold = act(&offered, accept, "kaiin", Roles::NONE).unwrap();
    assert_eq!((sold.owner().as_str(), sold.holder().as_str()), ("kaiin", "kaiin"));
    assert_eq!(offered.ended_by(&sold).former_owner, Some(org("mamoru")));
    assert_eq!(sold.credentials().len(), 1, "the former owner's certificate ends with it");

    let cause = Cause::EndOfLife;
    let retire = EventKind::Retired { cause };
    assert_eq!(act(&sold, retire.clone(), "mamoru", Roles::NONE).unwrap_err(), Code::NotEntitled);
    let retired = act(&sold, retire, "kaiin", Roles::NONE).unwrap();
    let dispose = EventKind::Disposed { erasure_proof: None };
    assert_eq!(
        act(&retired, dispose.clone(), "hakobu", Roles::RECYCLER).unwrap_err(),
        Code::NotEntitled
    );
    act(&retired, dispose, "kaiin", Roles::NONE).unwrap();
}

#[test]
fn a_suspension_belongs_to_whom_it_was_signed_for() {
    let state = Life::operating().state;
    let suspend = EventKind::Suspended { cause: Cause::Lost };
    let held = act(&state, suspend.clone(), "mamoru", Roles::NONE).unwrap();
    assert_eq!(held.standing().kind(), StandingKind::Suspended);
    let released = |who, roles| act(&held, EventKind::Released, who, roles);
    assert_eq!(released("barrier", Roles::MAKER).unwrap_err(), Code::NotEntitled);
    released("mamoru", Roles::NONE).unwrap();
    released("keisatsu", Roles::AUTHORITY).unwrap();
    // An authority may put its own over it, the maker may not.
    let again = act(&held, suspend.clone(), "barrier", Roles::MAKER);
    assert_eq!(again.unwrap_err(), Code::StandingForbids);
    let theirs = act(&held, suspend, "keisatsu", Roles::AUTHORITY).unwrap();
    let mine = act(&theirs, EventKind::Released, "mamoru", Roles::NONE);
    assert_eq!(mine.unwrap_err(), Code::NotEntitled);
}

#[test]
fn nobody_else_signs_for_others_and_the_platform_lends_no_rights() {
    let state = Life::operating().state;
    let suspend = EventKind::Suspended { cause: Cause::Lost };
    let event = next(&state, suspend.clone(), "mamoru", Roles::NONE);
    for signer in [Roles::NONE, Roles::MAKER, Roles::AUTHORITY, Roles::RECYCLER] {
        assert_eq!(apply(&state, &event, signer).unwrap_err(), Code::NotEntitled, "{signer:?}");
    }
    // By itself the platform could; for a stranger it cannot.
    let stranger = act(&state, suspend.clone(), "kaiin", Roles::NONE);
    assert_eq!(stranger.unwrap_err(), Code::NotEntitled);
    let posing = act(&state, suspend, "kaiin", Roles::PLATFORM);
    assert_eq!(posing.unwrap_err(), Code::NotEntitled);
    for kind in [
        EventKind::OperationStarted,
        EventKind::Tested { passed: true, standard: None },
        EventKind::Shipped { to: org("hakobu") },
        EventKind::Erased { sequences: vec![0] },
        EventKind::Reappeared { key: None },
    ] {
        let outcome = act(&state, kind.clone(), "mamoru", Roles::NONE);
        assert!(outcome.is_err(), "{kind:?}");
    }
    let mut first = Life::device().events.remove(0);
    first.on_behalf = Some(OnBehalf { organisation: org("barrier"), roles: Roles::MAKER });
    let context = Context::new(UnixTime(5_000), Roles::PLATFORM.and(Roles::MAKER));
    let begun = State::start(&first, commitment(&first), &context);
    assert_eq!(begun.unwrap_err().code, Code::NotEntitled);
}

#[test]
fn the_platforms_role_is_nobodys_to_claim() {
    let state = Life::operating().state;
    let suspend = EventKind::Suspended { cause: Cause::Lost };
    let event = next(&state, suspend, "mamoru", Roles::AUTHORITY);
    assert_eq!(Event::decode(&event.encode()).unwrap(), event);
    assert_eq!(event.principal(), &org("mamoru"));
    let posing = next(&state, event.kind.clone(), "mamoru", Roles::PLATFORM);
    assert!(Event::decode(&posing.encode()).is_err());
}
