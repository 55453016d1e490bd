//! Who is known, and what is permitted. Device 1 decides.

use crate::world::{DAY, NOW, World, id, line, org, serial_bytes};
use admission::CommandName;
use crypto::UnixTime;
use peer::{Code, Credential, Decision, Side, TrustBundle};
use pki::{Certificate, Profile};

struct Asked<'a> {
    bundle: &'a TrustBundle,
    side: Side,
    operation: &'a str,
    now: UnixTime,
}

impl<'a> Asked<'a> {
    fn of(bundle: &'a TrustBundle, operation: &'a str) -> Self {
        Self { bundle, side: Side::Serves, operation, now: NOW }
    }

    fn by(&self, chain: &[Certificate]) -> Decision {
        let operation = CommandName::new(self.operation).unwrap();
        self.bundle.judge(chain, self.side, &operation, self.now)
    }

    fn code(&self, chain: &[Certificate]) -> Code {
        let decision = self.by(chain);
        assert_eq!(decision.permitted, decision.code == Code::Permitted);
        decision.code
    }
}

#[test]
fn devices_of_two_makers_decide_by_their_owners_policies() {
    let world = World::new();
    let bundle = world.bundle(&world.contents());
    let gate = [world.plant.leaf(Profile::Ldevid, "plant", &id(2).to_string(), 2)];
    let decision = Asked::of(&bundle, "open").by(&gate);
    assert_eq!((decision.code, decision.because), (Code::Permitted, vec!["gates-open".into()]));
    let peer = decision.peer.unwrap();
    assert_eq!((peer.facts.device, peer.credential), (id(2), Credential::Ldevid));
    assert_eq!(peer.facts.product, Some(line("maker-a", "gate")));
    // The other way round nothing is permitted: the lock does not open the gate.
    let asks = Asked { side: Side::Asks, ..Asked::of(&bundle, "open") };
    assert_eq!(asks.code(&gate), Code::NoPolicy);
    assert_eq!(Asked::of(&bundle, "close").code(&gate), Code::NoPolicy);
    let erase = Asked::of(&bundle, "erase").by(&gate);
    assert_eq!((erase.code, erase.because), (Code::Forbidden, vec!["never-erase".into()]));
    // Another lock is known, and may nothing.
    let lock = [world.plant.leaf(Profile::Ldevid, "plant", &id(3).to_string(), 3)];
    assert_eq!(Asked::of(&bundle, "open").code(&lock), Code::NoPolicy);
}

#[test]
fn strangers_of_each_kind_are_refused_for_what_they_are() {
    let world = World::new();
    let mut contents = world.contents();
    contents.authorities[0].revoked = vec![serial_bytes(20)];
    contents.authorities[0].suspended = vec![serial_bytes(21)];
    let bundle = world.bundle(&contents);
    let open = Asked::of(&bundle, "open");
    let of = |number: u8, serial: u8| {
        [world.plant.leaf(Profile::Ldevid, "plant", &id(number).to_string(), serial)]
    };
    assert_eq!(open.code(&of(2, 19)), Code::Permitted);
    assert_eq!(open.code(&of(2, 20)), Code::CertificateRevoked);
    assert_eq!(open.code(&of(2, 21)), Code::CertificateSuspended);
    assert_eq!(open.code(&of(9, 22)), Code::DeviceUnknown);
    assert_eq!(open.code(&of(1, 23)), Code::SameDevice);
    assert_eq!(open.code(&[]), Code::CertificateWrong);
    let gate = &id(2).to_string();
    // Below the same root, and of nobody whom the owner named.
    let stranger = [world.stranger.leaf(Profile::Ldevid, "plant", gate, 24)];
    assert_eq!(open.code(&stranger), Code::UnknownAuthority);
    let with_ca = [stranger[0].clone(), world.stranger.certificate.clone()];
    assert_eq!(open.code(&with_ca), Code::UnknownAuthority);
    let with_root = [with_ca[0].clone(), with_ca[1].clone(), world.root.certificate.clone()];
    assert_eq!(open.code(&with_root), Code::UnknownAuthority);
    // An authority itself, a server of the owner, an application, a device without a name.
    assert_ne!(open.code(std::slice::from_ref(&world.plant.certificate)), Code::Permitted);
    for (profile, name) in [(Profile::Service, gate.as_str()), (Profile::Ldevid, "gate")] {
        let leaf = [world.plant.leaf(profile, "plant", name, 25)];
        assert_eq!(open.code(&leaf), Code::CertificateWrong, "{profile}");
    }
    // The owner's authority vouches for the owner's devices alone, a maker's for its line alone.
    let other = [world.plant.leaf(Profile::Ldevid, "guest", gate, 26)];
    assert_eq!(open.code(&other), Code::CertificateWrong);
    let maker = [world.lamp.leaf(Profile::Ldevid, "maker-b", gate, 27)];
    assert_eq!(open.code(&maker), Code::CertificateWrong);
    // Nobody shows more than that.
    let many = vec![with_ca[1].clone(); 9];
    assert_eq!(open.code(&many), Code::CertificateWrong);
}

#[test]
fn other_owners_and_makers_need_a_policy_that_names_them() {
    let world = World::new();
    let bundle = world.bundle(&world.contents());
    let guest = [world.guest.leaf(Profile::Ldevid, "guest", &id(40).to_string(), 40)];
    let greet = Asked::of(&bundle, "greet").by(&guest);
    assert_eq!((greet.code, greet.because), (Code::Permitted, vec!["guests-greet".into()]));
    assert_eq!(greet.peer.unwrap().facts.owner, Some(org("guest")));
    assert_eq!(Asked::of(&bundle, "open").code(&guest), Code::NoPolicy);
    // That it says of itself that it is one of ours helps it nothing: another's authority vouches for it.
    let gate = [world.guest.leaf(Profile::Ldevid, "guest", &id(2).to_string(), 41)];
    assert_eq!(Asked::of(&bundle, "open").code(&gate), Code::CertificateWrong);
    assert_eq!(Asked::of(&bundle, "greet").code(&gate), Code::CertificateWrong);
    // A lamp by its maker's certificate: whose it is nobody knows, unless it is the owner's own.
    let of =
        |number: u8| [world.lamp.leaf(Profile::Idevid, "maker-b", &id(number).to_string(), number)];
    let stranger = Asked::of(&bundle, "greet").by(&of(50));
    assert_eq!((stranger.code, stranger.because), (Code::Permitted, vec!["lamps-greet".into()]));
    let peer = stranger.peer.unwrap();
    assert_eq!((peer.facts.owner, peer.credential), (None, Credential::Idevid));
    let own = Asked::of(&bundle, "dim").by(&of(4));
    assert_eq!((own.code, own.because), (Code::Permitted, vec!["lamps-dim".into()]));
    assert_eq!(own.peer.unwrap().facts.owner, Some(org("plant")));
    // What is written for the owner's own devices opens nothing to others, whoever they are.
    for (operation, chain) in [("dim", of(50)), ("ring", of(50)), ("ring", guest)] {
        assert_eq!(Asked::of(&bundle, operation).code(&chain), Code::NoPolicy, "{operation}");
    }
    assert_eq!(Asked::of(&bundle, "ring").code(&of(4)), Code::Permitted);
    // The CA of one product line makes no device of another the owner's.
    let gate = of(2);
    assert_eq!(Asked::of(&bundle, "ring").code(&gate), Code::CertificateWrong);
    // One that was the owner's, and was sold: its maker still vouches for it, and nobody for whose it is.
    let mut contents = world.contents();
    contents.lines.retain(|line| !line.devices.contains(&id(4)));
    let later = world.bundle(&contents);
    let sold = Asked::of(&later, "dim").by(&of(4));
    assert_eq!((sold.code, sold.peer.unwrap().facts.owner), (Code::NoPolicy, None));
}

#[test]
fn time_that_is_over_or_runs_backwards_decides_nothing() {
    let world = World::new();
    let bundle = world.bundle(&world.contents());
    let gate = [world.plant.leaf(Profile::Ldevid, "plant", &id(2).to_string(), 2)];
    let at = |now: UnixTime| Asked { now, ..Asked::of(&bundle, "open") }.code(&gate);
    assert_eq!(at(NOW), Code::Permitted);
    assert_eq!(at(NOW.plus(7 * DAY)), Code::Permitted);
    assert_eq!(at(NOW.plus(7 * DAY + 1)), Code::BundleExpired);
    assert_eq!(at(NOW.plus(-60 - 300)), Code::Permitted);
    assert_eq!(at(NOW.plus(-60 - 301)), Code::ClockBehind);
    assert_eq!(at(UnixTime(0)), Code::ClockBehind);
    // A certificate that ends before the bundle does.
    let mut contents = world.contents();
    contents.version = 8;
    let bytes = contents.encode().unwrap();
    let statement = peer::Statement { expires: NOW.plus(60 * DAY), ..world.statement(&bytes) };
    let long = TrustBundle::of(statement, contents).unwrap();
    let late = Asked { now: NOW.plus(31 * DAY), ..Asked::of(&long, "open") };
    assert_eq!(late.code(&gate), Code::CertificateExpired);
    // What was authenticated before the end is not permitted after it.
    let peer = bundle.authenticate(&gate, NOW).unwrap();
    let open = CommandName::new("open").unwrap();
    let late = bundle.decide(&peer, Side::Serves, &open, NOW.plus(8 * DAY));
    assert_eq!((late.permitted, late.code), (false, Code::BundleExpired));
}

#[test]
fn without_policies_nothing_is_permitted() {
    let world = World::new();
    let mut contents = world.contents();
    (contents.version, contents.policies) = (0, String::new());
    let bundle = world.bundle(&contents);
    let gate = [world.plant.leaf(Profile::Ldevid, "plant", &id(2).to_string(), 2)];
    assert_eq!(Asked::of(&bundle, "open").code(&gate), Code::NoPolicy);
    // One that permits everything was not written for this.
    contents.policies = r#"@id("all") permit(principal, action, resource);"#.into();
    let bundle = world.bundle(&contents);
    assert_eq!(Asked::of(&bundle, "open").code(&gate), Code::NoPolicy);
}

#[test]
fn codes_have_names_of_their_own() {
    let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
    let page = include_str!("../../../../docs/device-to-device.md");
    for code in Code::ALL {
        assert!(page.contains(&format!("`{}`", code.name())), "{}", code.name());
    }
}
