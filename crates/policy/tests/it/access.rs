use crate::{certificate, member, organisation};
use device::DeviceId;
use policy::{
    ACCESS, Action, Answer, Caller, DeviceCredential, EnrolmentSubject, Resource, Role, Roles,
    access_of, access_table, authorize,
};
use proptest::prelude::*;

const DEVICE: [u8; 16] = [7; 16];

fn answer(caller: &Caller, action: Action, resource: &Resource<'_>) -> Result<(), Answer> {
    authorize(caller, action, resource).map(drop).map_err(|denied| denied.answer())
}

#[test]
fn the_documentation_shows_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/access.md");
    let page = std::fs::read_to_string(path).unwrap();
    let table = access_table();
    assert!(page.contains(&table), "docs/access.md should contain\n{table}");
}

#[test]
fn every_action_has_exactly_one_row_and_somebody_who_may() {
    for action in Action::ALL {
        assert_eq!(ACCESS.iter().filter(|row| row.action == *action).count(), 1, "{action}");
        assert_eq!(Action::from_name(action.name()), Some(*action));
        let row = access_of(*action);
        let roles = [row.owner, row.related, row.platform, row.anyone];
        assert!(row.device || roles.iter().any(|roles| !roles.is_empty()), "{action}");
    }
    assert_eq!(ACCESS.len(), Action::ALL.len());
}

#[test]
fn only_one_action_is_open_to_everybody() {
    for action in Action::ALL {
        let expected =
            if *action == Action::ReadPublic { Ok(()) } else { Err(Answer::Unauthenticated) };
        assert_eq!(answer(&Caller::Anonymous, *action, &Resource::platform()), expected);
    }
}

/// What a stranger may do: what is public, what concerns the log, a verdict on a device at hand.
const OPEN_TO_STRANGERS: [Action; 3] =
    [Action::ReadPublic, Action::CheckLog, Action::VerifyStranger];

#[test]
fn a_stranger_learns_nothing_of_anothers_things() {
    let owner = organisation("owner");
    let stranger = member("stranger", Roles::ALL);
    let device = DeviceId::from_bytes(DEVICE);
    for action in Action::ALL {
        if OPEN_TO_STRANGERS.contains(action) {
            continue;
        }
        let ask = |resource: &Resource<'_>| authorize(&stranger, *action, resource).unwrap_err();
        let absent = ask(&Resource::unknown());
        for present in [
            ask(&Resource::organisation(&owner)),
            ask(&Resource::device(device, &owner).related([&owner]).shared_with([&owner])),
        ] {
            assert_eq!(present, absent, "{action}");
            assert_eq!(present.to_string(), absent.to_string());
            assert_eq!(present.answer(), Answer::NotFound, "{action}");
        }
    }
}

#[test]
fn the_platform_sees_no_tenants_devices() {
    let owner = organisation("owner");
    let root = member("platform", Roles::ALL);
    let device = DeviceId::from_bytes(DEVICE);
    for action in [
        Action::ReadDevice,
        Action::ReadHistory,
        Action::VerifyDevice,
        Action::ExportPassport,
        Action::ReportEvent,
        Action::TransferDevice,
        Action::EraseDevice,
    ] {
        let given = answer(&root, action, &Resource::device(device, &owner));
        assert_eq!(given, Err(Answer::NotFound), "{action}");
    }
    let tenant = Resource::organisation(&owner);
    assert_eq!(answer(&root, Action::ReadAuditLog, &tenant), Err(Answer::NotFound));
    assert_eq!(answer(&root, Action::ManageMembers, &tenant), Err(Answer::NotFound));
    assert_eq!(answer(&root, Action::RevokeCertificate, &tenant), Ok(()));
}

#[test]
fn nobody_else_creates_organisations() {
    for name in ["owner", "platform2"] {
        let caller = member(name, Roles::ALL);
        let own = organisation(name);
        for resource in [Resource::platform(), Resource::organisation(&own)] {
            let denied = authorize(&caller, Action::CreateOrganisation, &resource).unwrap_err();
            assert_eq!(denied.answer(), Answer::Forbidden);
            assert_eq!(denied.to_string(), "create-organisation is not open to you");
        }
    }
    let root = member("platform", Role::Administrator);
    assert_eq!(answer(&root, Action::CreateOrganisation, &Resource::platform()), Ok(()));
    let reader = member("platform", Role::Reader);
    let denied = authorize(&reader, Action::CreateOrganisation, &Resource::platform()).unwrap_err();
    assert_eq!(denied.to_string(), "create-organisation needs one of these roles: administrator");
}

#[test]
fn how_one_stands_to_a_device_decides() {
    let (owner, maker, friend) =
        (organisation("owner"), organisation("maker"), organisation("friend"));
    let authority = organisation("authority");
    let device = Resource::device(DeviceId::from_bytes(DEVICE), &owner)
        .related([&maker])
        .shared_with([&friend])
        .authorities([&authority]);
    let check = |name: &str, role: Role, action, expected| {
        assert_eq!(
            answer(&member(name, role), action, &device),
            expected,
            "{name} {role} {action}"
        );
    };
    let forbidden = Err(Answer::Forbidden);
    check("owner", Role::Reader, Action::ReadDevice, Ok(()));
    check("friend", Role::Reader, Action::ReadHistory, Ok(()));
    check("friend", Role::Administrator, Action::SuspendDevice, forbidden);
    check("friend", Role::Administrator, Action::ShareDevice, forbidden);
    check("friend", Role::Operator, Action::ReportEvent, forbidden);
    check("maker", Role::Operator, Action::ReportEvent, Ok(()));
    check("maker", Role::Administrator, Action::TransferDevice, forbidden);
    check("maker", Role::Operator, Action::AcceptTransfer, Ok(()));
    check("owner", Role::Operator, Action::AcceptTransfer, forbidden);
    check("owner", Role::Station, Action::ReportEvent, Ok(()));
    check("owner", Role::Station, Action::ReadHistory, forbidden);
    check("owner", Role::Station, Action::SuspendDevice, forbidden);
    check("owner", Role::Operator, Action::RevokeDevice, forbidden);
    check("owner", Role::Auditor, Action::SuspendDevice, forbidden);
    check("authority", Role::Administrator, Action::RevokeDevice, Ok(()));
    check("authority", Role::Administrator, Action::EraseDevice, forbidden);
    check("stranger", Role::Administrator, Action::ReadDevice, Err(Answer::NotFound));
}

#[test]
fn a_device_acts_only_for_itself() {
    let owner = organisation("owner");
    let caller = Caller::Device {
        device: DeviceId::from_bytes(DEVICE),
        organisation: owner.clone(),
        credential: DeviceCredential::Ldevid,
        certificate: certificate(),
    };
    let own = Resource::device(DeviceId::from_bytes(DEVICE), &owner);
    let other = Resource::device(DeviceId::from_bytes([8; 16]), &owner);
    assert_eq!(answer(&caller, Action::ReenrolDevice, &own), Ok(()));
    assert_eq!(answer(&caller, Action::ReadDevice, &own), Ok(()));
    assert_eq!(answer(&caller, Action::ReadHistory, &own), Err(Answer::Forbidden));
    for action in Action::ALL.iter().filter(|action| **action != Action::ReadPublic) {
        assert_eq!(answer(&caller, *action, &other), Err(Answer::NotFound), "{action}");
        let organisation = Resource::organisation(&owner);
        assert_eq!(answer(&caller, *action, &organisation), Err(Answer::NotFound), "{action}");
    }
}

#[test]
fn a_code_enrols_its_device_and_nothing_else() {
    let (owner, other) = (organisation("owner"), organisation("other"));
    let device = DeviceId::from_bytes(DEVICE);
    let serial = EnrolmentSubject::parse("SN-1").unwrap();
    for subject in [EnrolmentSubject::Device(device), serial] {
        let caller = Caller::Code { organisation: owner.clone(), subject };
        let own = Resource::device(device, &owner).serial_number("SN-1");
        assert_eq!(answer(&caller, Action::EnrolDevice, &own), Ok(()));
        assert_eq!(answer(&caller, Action::ReenrolDevice, &own), Err(Answer::Forbidden));
        assert_eq!(answer(&caller, Action::ReadDevice, &own), Err(Answer::Forbidden));
        for foreign in [
            Resource::device(device, &other).serial_number("SN-1"),
            Resource::device(DeviceId::from_bytes([8; 16]), &owner).serial_number("SN-2"),
            Resource::organisation(&owner),
            Resource::unknown(),
        ] {
            assert_eq!(answer(&caller, Action::EnrolDevice, &foreign), Err(Answer::NotFound));
        }
    }
}

#[test]
fn the_platform_itself_reads_and_reports_nothing_of_tenants() {
    let caller = Caller::Platform { task: "test" };
    let owner = organisation("owner");
    let device = Resource::device(DeviceId::from_bytes(DEVICE), &owner);
    assert_eq!(answer(&caller, Action::ReadHistory, &device), Err(Answer::Forbidden));
    assert_eq!(answer(&caller, Action::ReportEvent, &device), Err(Answer::Forbidden));
    assert_eq!(answer(&caller, Action::SuspendDevice, &device), Ok(()));
    assert_eq!(answer(&caller, Action::CreateOrganisation, &Resource::platform()), Ok(()));
}

#[test]
fn permits_are_for_one_action() {
    let owner = organisation("owner");
    let permit = || {
        let caller = member("owner", Role::Administrator);
        authorize(&caller, Action::CreateProduct, &Resource::organisation(&owner)).unwrap()
    };
    assert!(permit().spend(Action::CreateProduct));
    assert!(!permit().spend(Action::ManageMembers));
}

#[test]
fn events_need_what_they_do() {
    use device::Kind;
    assert_eq!(Action::for_event(Kind::Suspended), Action::SuspendDevice);
    assert_eq!(Action::for_event(Kind::TransferAccepted), Action::AcceptTransfer);
    assert_eq!(Action::for_event(Kind::Tested), Action::ReportEvent);
    // By whichever door: who may not revoke a certificate cannot do it by an event either.
    assert_eq!(Action::for_event(Kind::CredentialRevoked), Action::RevokeCertificate);
    let maker = organisation("maker");
    let resource = Resource::organisation(&maker);
    let station = member("maker", Role::Station);
    let action = Action::for_event(Kind::CredentialRevoked);
    assert!(authorize(&station, action, &resource).is_err());
    assert!(authorize(&member("maker", Role::Operator), action, &resource).is_ok());
}

proptest! {
    /// More roles never take a right away, and no role gives no right (but what is public).
    #[test]
    fn rights_grow_with_roles(
        few in proptest::collection::vec(0..5_usize, 0..3),
        more in proptest::collection::vec(0..5_usize, 0..3),
        action in 0..Action::ALL.len(),
        name in 0..4_usize,
    ) {
        let few: Roles = few.into_iter().map(|index| Role::ALL[index]).collect();
        let more: Roles = more.into_iter().map(|index| Role::ALL[index]).chain(few.iter()).collect();
        let (owner, maker) = (organisation("owner"), organisation("maker"));
        let resource = Resource::device(DeviceId::from_bytes(DEVICE), &owner).related([&maker]);
        let action = Action::ALL[action];
        let name = ["owner", "maker", "stranger", "platform"][name];
        if answer(&member(name, few), action, &resource).is_ok() {
            prop_assert!(answer(&member(name, more), action, &resource).is_ok());
        }
        let nothing = answer(&member(name, Roles::NONE), action, &resource);
        prop_assert_eq!(nothing.is_ok(), action == Action::ReadPublic);
    }
}
