use crate::{member, organisation};
use crypto::UnixTime;
use device::{DeviceId, ProductId};
use policy::{
    ATTEMPTS_MAX, Action, CODE_SECONDS_MAX, Caller, CodeCheck, CodeError, CodeRecord, CodeRefusal,
    CodeText, EnrolmentSubject, Permit, PresentedCode, ReleasedBy, Resource, Role, authorize,
};

const NOW: UnixTime = UnixTime(1_795_000_000);
const DAY: i64 = 86_400;

fn permit(action: Action) -> Permit {
    let owner = organisation("owner");
    let caller = member("owner", Role::Operator);
    authorize(&caller, action, &Resource::organisation(&owner)).unwrap()
}

fn random() -> [u8; 15] {
    std::array::from_fn(|index| u8::try_from(index * 17).unwrap())
}

fn salt() -> [u8; 16] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

fn subject() -> EnrolmentSubject {
    EnrolmentSubject::parse("SN-0001").unwrap()
}

fn product() -> ProductId {
    ProductId::new("gate-4").unwrap()
}

fn release(random: [u8; 15], seconds: i64) -> Result<(CodeText, CodeRecord), CodeError> {
    CodeRecord::release(
        permit(Action::ReleaseCode),
        random,
        salt(),
        organisation("owner"),
        subject(),
        product(),
        ReleasedBy::Member("alice".to_owned()),
        seconds,
        NOW,
    )
}

fn check(record: &CodeRecord, text: &str, now: UnixTime) -> CodeCheck {
    record.check(&PresentedCode::parse(text).unwrap(), &[subject()], &product(), now)
}

fn refusal(check: &CodeCheck) -> CodeRefusal {
    let CodeCheck::Refused { refusal, record: None } = check else { panic!("{check:?}") };
    *refusal
}

#[test]
fn a_code_is_good_once() {
    let (text, record) = release(random(), DAY).unwrap();
    assert_eq!(text.expose(), "008J4-CT4AN-K7F24-SNAXW-SQFEW");
    assert_eq!(format!("{text:?}"), "CodeText(..)");
    let CodeCheck::Accepted { record: used, caller } = check(&record, text.expose(), NOW) else {
        panic!("refused")
    };
    assert_eq!(used.used_at, Some(NOW));
    assert_eq!(caller, Caller::Code { organisation: organisation("owner"), subject: subject() });
    assert_eq!(refusal(&check(&used, text.expose(), NOW)), CodeRefusal::Used);
}

#[test]
fn a_code_is_refused_with_the_reason_to_one_who_knows_it() {
    let (text, record) = release(random(), DAY).unwrap();
    let text = text.expose();
    assert!(matches!(check(&record, text, NOW.plus(DAY - 1)), CodeCheck::Accepted { .. }));
    assert_eq!(refusal(&check(&record, text, NOW.plus(DAY))), CodeRefusal::Expired);
    let withdrawn = record.clone().withdraw(NOW);
    assert_eq!(refusal(&check(&withdrawn, text, NOW)), CodeRefusal::Withdrawn);
    let presented = PresentedCode::parse(text).unwrap();
    let device = EnrolmentSubject::Device(DeviceId::from_bytes([7; 16]));
    let given = record.check(&presented, std::slice::from_ref(&device), &product(), NOW);
    assert_eq!(refusal(&given), CodeRefusal::OtherDevice);
    let given = record.check(&presented, &[device, subject()], &product(), NOW);
    assert!(matches!(given, CodeCheck::Accepted { .. }));
    let other = ProductId::new("gate-5").unwrap();
    let given = record.check(&presented, &[subject()], &other, NOW);
    assert_eq!(refusal(&given), CodeRefusal::OtherProduct);
}

#[test]
fn wrong_codes_lock_it() {
    let (right, mut record) = release(random(), DAY).unwrap();
    let wrong_bytes = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let (wrong, _) = release(wrong_bytes, DAY).unwrap();
    for attempt in 1..=ATTEMPTS_MAX {
        let CodeCheck::Refused { record: Some(changed), refusal } =
            check(&record, wrong.expose(), NOW)
        else {
            panic!("attempt {attempt} was not counted")
        };
        assert_eq!((changed.attempts, refusal), (attempt, CodeRefusal::Wrong));
        record = changed;
    }
    assert!(!record.is_open(NOW));
    assert_eq!(refusal(&check(&record, right.expose(), NOW)), CodeRefusal::Locked);
    // Locked, used or expired: a wrong code learns nothing, and is counted no further.
    let given = check(&record, wrong.expose(), NOW);
    assert_eq!(given, CodeCheck::Refused { record: None, refusal: CodeRefusal::Wrong });
}

#[test]
fn mistyped_codes_cost_no_attempt() {
    let parse = |text: &str| PresentedCode::parse(text).map(drop);
    assert_eq!(parse("008J4-CT4AN-K7F24-SNAXW-SQFEW"), Ok(()));
    assert_eq!(parse(" oo8j4ct4an k7f24 snaxw sqfew"), Ok(()));
    assert_eq!(parse("008J4-CT4AN-K7F24-SNAXW-SQFEX"), Err(CodeRefusal::Mistyped));
    assert_eq!(parse("080J4-CT4AN-K7F24-SNAXW-SQFEW"), Err(CodeRefusal::Mistyped));
    for bad in ["", "admin", "008J4-CT4AN-K7F24-SNAXW-SQFE", "U08J4-CT4AN-K7F24-SNAXW-SQFEW"] {
        assert_eq!(parse(bad), Err(CodeRefusal::Malformed), "{bad}");
    }
    assert_eq!(parse(&" ".repeat(65)), Err(CodeRefusal::Malformed));
}

#[test]
fn no_default_endless_or_unpermitted_code() {
    assert_eq!(release([0; 15], DAY).unwrap_err(), CodeError::Random);
    assert_eq!(release(random(), 0).unwrap_err(), CodeError::Lifetime);
    assert_eq!(release(random(), CODE_SECONDS_MAX + 1).unwrap_err(), CodeError::Lifetime);
    let with = |action, released_by| {
        CodeRecord::release(
            permit(action),
            random(),
            salt(),
            organisation("owner"),
            subject(),
            product(),
            released_by,
            DAY,
            NOW,
        )
        .map(drop)
    };
    let list = || ReleasedBy::PurchaseList("order 12".to_owned());
    assert_eq!(with(Action::ImportPurchaseList, list()), Ok(()));
    assert_eq!(with(Action::ReleaseCode, list()), Err(CodeError::Permit));
    let alice = ReleasedBy::Member("alice".to_owned());
    assert_eq!(with(Action::ReadDevice, alice), Err(CodeError::Permit));
}

#[test]
fn names_of_devices() {
    let id = "000102030405060708090a0b0c0d0e0f";
    let device: DeviceId = id.parse().unwrap();
    assert_eq!(EnrolmentSubject::parse(id), Ok(EnrolmentSubject::Device(device)));
    assert_eq!(EnrolmentSubject::parse("SN-0001"), Ok(subject()));
    for bad in ["", "a:b", " a", "ä", "a\n", &"1".repeat(65)] {
        assert_eq!(EnrolmentSubject::parse(bad), Err(CodeError::Serial), "{bad:?}");
    }
}
