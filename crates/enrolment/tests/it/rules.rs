use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, Verified, random};
use device::DeviceId;
use enrolment::{
    renewal::RenewalWindow,
    rules::{
        Applicant, EARLY_PER_DAY_MAX, GRACE_SECONDS, Grant, GrantKind, Refusal, Renewed, Standing,
        Voucher, enroll, reenroll,
    },
};
use pki::{
    AlternativeName, Certificate, Csr, CsrBuilder, HardwareModuleName, IssuerInfo, Locations,
    ObjectIdentifier, Profile, Request, Serial, Subject, prepare,
};

const NOW: UnixTime = UnixTime(1_795_000_000);
const DAY: i64 = 86_400;
const SERIAL: &str = "SN-0001";

fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn subject(serial_number: &str) -> Subject {
    Subject {
        organisation: "Owner".into(),
        common_name: "gate 1".into(),
        serial_number: serial_number.into(),
        ..Subject::default()
    }
}

fn dns(name: &str) -> AlternativeName {
    AlternativeName::Dns(name.into())
}

fn module(number: u8) -> HardwareModuleName {
    let hw_type = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
    HardwareModuleName { hw_type, hw_serial_num: vec![number] }
}

fn csr(builder: &CsrBuilder) -> Verified<Csr> {
    Csr::parse(&builder.build(&key()).unwrap()).unwrap().verify().unwrap()
}

fn plain(serial_number: &str) -> CsrBuilder {
    CsrBuilder { subject: subject(serial_number), ..CsrBuilder::default() }
}

fn applicant(voucher: Voucher) -> Applicant<'static> {
    Applicant {
        device: DeviceId::from_bytes([1; 16]),
        serial_number: SERIAL,
        hardware_module: None,
        names: &[],
        voucher,
        standing: Standing::Active,
    }
}

/// An LDevID of 90 days from `from`, issued by a root and CA made for it.
fn ldevid(serial_number: &str, names: Vec<AlternativeName>, from: UnixTime) -> Certificate {
    let root_key = key();
    let root_subject = Subject::named("Root");
    let years = (from.plus(-DAY), from.plus(5 * 365 * DAY));
    let root_info =
        IssuerInfo::self_signed(&root_subject, root_key.public_key(), years.0, years.1).unwrap();
    let serial = || Serial::from_random(random::bytes());
    let public = root_key.public_key().clone();
    let request = Request::new(serial(), root_subject, public, years);
    let root = prepare(Profile::Root, &root_info, &request).unwrap().sign(&root_key).unwrap();
    let root_info = IssuerInfo::from_certificate(&root, Locations::default()).unwrap();
    let ca_key = key();
    let public = ca_key.public_key().clone();
    let request = Request::new(serial(), Subject::named("CA"), public, years);
    let ca = prepare(Profile::IssuingCa, &root_info, &request).unwrap().sign(&root_key).unwrap();
    let locations =
        Locations { crl: Some("http://pki.example/a.crl".into()), ..Locations::default() };
    let ca_info = IssuerInfo::from_certificate(&ca, locations).unwrap();
    let validity = (from, from.plus(90 * DAY));
    let mut request =
        Request::new(serial(), subject(serial_number), key().public_key().clone(), validity);
    request.alternative_names = names;
    prepare(Profile::Ldevid, &ca_info, &request).unwrap().sign(&ca_key).unwrap()
}

fn renewed(certificate: &Certificate) -> Renewed<'_> {
    Renewed {
        certificate,
        revoked: false,
        shown: certificate.fingerprint(),
        issued_in_a_day: 0,
        grace_seconds: GRACE_SECONDS,
    }
}

fn kind(grant: Result<Grant, Refusal>) -> Result<GrantKind, Refusal> {
    grant.map(|grant| {
        assert_eq!(grant.device, DeviceId::from_bytes([1; 16]));
        grant.kind
    })
}

#[test]
fn first_certificates_need_a_voucher() {
    let request = csr(&plain(SERIAL));
    for voucher in [Voucher::Chip, Voucher::Idevid, Voucher::Code, Voucher::Station] {
        assert_eq!(kind(enroll(&applicant(voucher), &request)), Ok(GrantKind::First));
    }
    let given = enroll(&applicant(Voucher::Ldevid), &request);
    assert_eq!(given, Err(Refusal::UseReenroll));
    for (standing, refusal) in
        [(Standing::Suspended, Refusal::Suspended), (Standing::Ended, Refusal::Ended)]
    {
        let applicant = Applicant { standing, ..applicant(Voucher::Idevid) };
        assert_eq!(enroll(&applicant, &request), Err(refusal));
        assert_eq!(reenroll(&applicant, None, &request, NOW), Err(refusal));
    }
}

#[test]
fn a_device_enrols_only_itself() {
    let check = |builder: CsrBuilder, expected: Result<GrantKind, Refusal>| {
        let names = [dns("gate-1.example")];
        let own = module(1);
        let applicant =
            Applicant { hardware_module: Some(&own), names: &names, ..applicant(Voucher::Idevid) };
        assert_eq!(kind(enroll(&applicant, &csr(&builder))), expected);
    };
    check(plain(SERIAL), Ok(GrantKind::First));
    check(plain(""), Ok(GrantKind::First));
    check(plain("SN-0002"), Err(Refusal::OtherDevice));
    check(plain("sn-0001"), Err(Refusal::OtherDevice));
    let named = |names: &[&str]| CsrBuilder {
        alternative_names: names.iter().map(|name| dns(name)).collect(),
        ..plain(SERIAL)
    };
    check(named(&["gate-1.example"]), Ok(GrantKind::First));
    check(named(&["bank.example"]), Err(Refusal::Name));
    check(named(&["gate-1.example", "bank.example"]), Err(Refusal::Name));
    let of_module = |number| CsrBuilder { hardware_module: Some(module(number)), ..plain(SERIAL) };
    check(of_module(1), Ok(GrantKind::First));
    check(of_module(2), Err(Refusal::OtherModule));
}

#[test]
fn renewal_by_the_newest_ldevid() {
    let old = ldevid(SERIAL, vec![dns("gate-1.example")], NOW);
    let same = CsrBuilder { alternative_names: vec![dns("gate-1.example")], ..plain(SERIAL) };
    let request = csr(&same);
    let window =
        RenewalWindow::of(DeviceId::from_bytes([1; 16]), old.not_before(), old.not_after());
    let by_ldevid = applicant(Voucher::Ldevid);
    let at = |now, renewed: &Renewed<'_>| kind(reenroll(&by_ldevid, Some(renewed), &request, now));
    assert_eq!(at(NOW, &renewed(&old)), Ok(GrantKind::EarlyRenewal));
    assert_eq!(at(window.from, &renewed(&old)), Ok(GrantKind::Renewal));
    assert_eq!(at(old.not_after(), &renewed(&old)), Ok(GrantKind::Renewal));
    assert_eq!(at(old.not_after().plus(1), &renewed(&old)), Err(Refusal::UseEnroll));
    let often = Renewed { issued_in_a_day: EARLY_PER_DAY_MAX, ..renewed(&old) };
    assert_eq!(at(NOW, &often), Err(Refusal::TooEarly { due: window.from }));
    assert_eq!(at(window.from, &often), Ok(GrantKind::Renewal));
    let revoked = Renewed { revoked: true, ..renewed(&old) };
    assert_eq!(at(NOW, &revoked), Err(Refusal::Revoked));
    let other = ldevid(SERIAL, vec![], NOW);
    let superseded = Renewed { shown: other.fingerprint(), ..renewed(&old) };
    assert_eq!(at(NOW, &superseded), Err(Refusal::Superseded));
    for voucher in [Voucher::Code, Voucher::Station, Voucher::Chip] {
        let given = reenroll(&applicant(voucher), Some(&renewed(&old)), &request, NOW);
        assert_eq!(given, Err(Refusal::UseEnroll));
    }
    let given = reenroll(&by_ldevid, None, &request, NOW);
    assert_eq!(given, Err(Refusal::UseEnroll));
}

#[test]
fn renewal_changes_no_names_and_takes_over_no_device() {
    let old = ldevid(SERIAL, vec![dns("gate-1.example"), dns("gate.example")], NOW);
    let names = |names: &[&str]| names.iter().map(|name| dns(name)).collect::<Vec<_>>();
    let check = |builder: CsrBuilder, expected: Result<GrantKind, Refusal>| {
        let given =
            reenroll(&applicant(Voucher::Ldevid), Some(&renewed(&old)), &csr(&builder), NOW);
        assert_eq!(kind(given), expected);
    };
    let with = |subject: Subject, alternative_names| CsrBuilder {
        subject,
        alternative_names,
        ..CsrBuilder::default()
    };
    let both = || names(&["gate-1.example", "gate.example"]);
    check(with(subject(SERIAL), both()), Ok(GrantKind::EarlyRenewal));
    let turned = names(&["gate.example", "gate-1.example"]);
    check(with(subject(SERIAL), turned), Ok(GrantKind::EarlyRenewal));
    check(with(subject(SERIAL), vec![]), Err(Refusal::Changed));
    check(with(subject(SERIAL), names(&["gate.example"])), Err(Refusal::Changed));
    check(
        with(Subject { common_name: "x".into(), ..subject(SERIAL) }, both()),
        Err(Refusal::Changed),
    );
    check(with(subject(""), both()), Err(Refusal::Changed));
    check(with(subject("SN-0002"), both()), Err(Refusal::OtherDevice));
    // The service found another device's certificate: nothing is issued, whatever the request says.
    let strange = ldevid("SN-0002", vec![], NOW);
    for serial_number in [SERIAL, "SN-0002"] {
        let request = csr(&plain(serial_number));
        let given = reenroll(&applicant(Voucher::Ldevid), Some(&renewed(&strange)), &request, NOW);
        assert_eq!(given, Err(Refusal::OtherDevice));
    }
}

#[test]
fn an_ended_ldevid_comes_back_through_the_idevid() {
    let old = ldevid(SERIAL, vec![], NOW);
    let request = csr(&plain(SERIAL));
    let idevid = applicant(Voucher::Idevid);
    let at = |now| kind(reenroll(&idevid, Some(&renewed(&old)), &request, now));
    let end = old.not_after();
    assert_eq!(at(NOW), Err(Refusal::StillValid));
    assert_eq!(at(end), Err(Refusal::StillValid));
    assert_eq!(at(end.plus(1)), Ok(GrantKind::Return));
    assert_eq!(at(end.plus(GRACE_SECONDS)), Ok(GrantKind::Return));
    assert_eq!(at(end.plus(GRACE_SECONDS + 1)), Err(Refusal::GraceOver));
    let revoked = Renewed { revoked: true, ..renewed(&old) };
    let given = reenroll(&idevid, Some(&revoked), &request, end.plus(1));
    assert_eq!(given, Err(Refusal::Revoked));
    // Without any LDevID it is a first enrolment.
    for voucher in [Voucher::Idevid, Voucher::Chip] {
        let given = reenroll(&applicant(voucher), None, &request, NOW);
        assert_eq!(kind(given), Ok(GrantKind::First));
    }
    let other = csr(&plain("SN-0002"));
    assert_eq!(reenroll(&idevid, None, &other, NOW), Err(Refusal::OtherDevice));
}
