//! Searching through delegations (section 5.6.7 of the specification).

use crate::world::{DAY, Device, NOW, World, key, path, public, role, signed, target_file};
use update::{
    Paths, Targets, TopRole,
    client::{Answer, Client, Found, Refusal, Settings},
    repository::Staged,
};

/// One role of a little tree: its targets, and its delegations as (role, patterns, terminating).
struct Node {
    name: &'static str,
    targets: &'static [&'static str],
    to: &'static [(&'static str, &'static str, bool)],
}

const fn node(
    name: &'static str,
    targets: &'static [&'static str],
    to: &'static [(&'static str, &'static str, bool)],
) -> Node {
    Node { name, targets, to }
}

fn seed(name: &str) -> u8 {
    name.bytes().fold(100_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) | 128
}

fn world(nodes: &[Node]) -> World {
    let mut world = World::unpublished();
    let mut staged =
        Staged { root: Some(signed(world.first_root(), &world.root_keys())), ..Staged::default() };
    for node in nodes {
        let mut targets = Targets::new(NOW.plus(90 * DAY));
        for target in node.targets {
            let contents = format!("{} says {target}", node.name);
            targets.targets.insert((*target).to_owned(), target_file(contents.as_bytes()));
        }
        for (name, patterns, terminating) in node.to {
            let keys = [public(&key(seed(name)))];
            let patterns = patterns.split(' ').map(str::to_owned).collect();
            let paths = Paths::Patterns(patterns);
            targets.delegate(role(name), &keys, 1, paths, *terminating).unwrap();
        }
        let own = key(seed(node.name));
        let keys = match node.name {
            "targets" => world.targets_keys(),
            _ => vec![&own],
        };
        staged.targets.insert(role(node.name), signed(targets, &keys));
    }
    world.publish(&staged).unwrap();
    world
}

/// Who speaks about a target, or the code of the refusal; and the roles whose files were fetched.
fn ask(world: &World, device: &mut Device, target: &str) -> (String, Vec<String>) {
    let mut client = device.refresh(&world.files, NOW).unwrap();
    let mut asked = Vec::new();
    loop {
        match client.find(&path(target)) {
            Ok(Found::Target(found)) => {
                return (found.roles().last().unwrap().to_string(), asked);
            }
            Ok(Found::Wants(wanted)) => {
                asked.push(wanted.role.to_string());
                let answer = world.files.get(&wanted.file).cloned();
                let kept = client.answer(answer.map_or(Answer::Absent, Answer::File)).unwrap();
                device.keep(kept);
            }
            Err(refusal) => return (refusal.code().to_owned(), asked),
        }
    }
}

fn check(world: &World, target: &str, who: &str, asked: &[&str]) {
    let (found, fetched) = ask(world, &mut world.device(), target);
    assert_eq!((found.as_str(), fetched.as_slice()), (who, asked.map_strings().as_slice()));
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for [&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn the_search_is_pre_order_in_the_order_of_the_delegations() {
    let world = world(&[
        node("targets", &["own"], &[("a", "* x/*", false), ("b", "* x/*", false)]),
        node("a", &[], &[("a1", "* x/*", false), ("a2", "*", false)]),
        node("a1", &["deep"], &[]),
        node("a2", &["deep", "both"], &[]),
        node("b", &["both", "deep", "last", "x/y", "own"], &[]),
    ]);
    check(&world, "own", "targets", &[]);
    check(&world, "deep", "a1", &["a", "a1"]);
    check(&world, "both", "a2", &["a", "a1", "a2"]);
    check(&world, "last", "b", &["a", "a1", "a2", "b"]);
    check(&world, "x/y", "b", &["a", "a1", "b"]);
    check(&world, "nobody", "unknown-target", &["a", "a1", "a2", "b"]);
    check(&world, "y/z", "unknown-target", &[]);
}

#[test]
fn a_terminating_delegation_ends_the_search() {
    let world = world(&[
        node("targets", &[], &[("a", "*.img", true), ("b", "*", false)]),
        node("a", &["a.img"], &[("a1", "*", false)]),
        node("a1", &["deep.img"], &[]),
        node("b", &["b.img", "b.txt"], &[]),
    ]);
    check(&world, "a.img", "a", &["a"]);
    check(&world, "deep.img", "a1", &["a", "a1"]);
    check(&world, "b.img", "unknown-target", &["a", "a1"]);
    check(&world, "b.txt", "b", &["b"]);
    // Deeper down it ends the search of those above as well.
    let world = self::world(&[
        node("targets", &[], &[("a", "*", false), ("b", "*", false)]),
        node("a", &[], &[("a1", "*.img", true)]),
        node("a1", &[], &[]),
        node("b", &["b.img", "b.txt"], &[]),
    ]);
    check(&world, "b.img", "unknown-target", &["a", "a1"]);
    check(&world, "b.txt", "b", &["a", "b"]);
}

#[test]
fn a_delegation_in_a_ring_ends() {
    let world = world(&[
        node("targets", &[], &[("a", "*", false)]),
        node("a", &[], &[("b", "*", false)]),
        node("b", &[], &[("a", "*", false), ("c", "*", false)]),
        node("c", &["found"], &[]),
    ]);
    check(&world, "found", "c", &["a", "b", "c"]);
    check(&world, "nothing", "unknown-target", &["a", "b", "c"]);
}

#[test]
fn a_chain_must_cover_the_path_at_every_step() {
    let world = world(&[
        node("targets", &[], &[("a", "a/*", false)]),
        node("a", &[], &[("a1", "* b/*", false)]),
        node("a1", &["b/x", "a/y"], &[]),
    ]);
    check(&world, "b/x", "unknown-target", &[]);
    check(&world, "a/y", "unknown-target", &["a"]);
}

#[test]
fn too_many_roles_are_refused() {
    let world = world(&[
        node("targets", &[], &[("a", "*", false), ("b", "*", false), ("c", "*", false)]),
        node("a", &[], &[]),
        node("b", &["b"], &[]),
        node("c", &["c"], &[]),
    ]);
    let mut device = world.device();
    device.settings.limits.roles_visited_max = 3;
    assert_eq!(ask(&world, &mut device, "b").0, "b");
    assert_eq!(ask(&world, &mut device, "c").0, "too-many-roles");
}

#[test]
fn what_was_kept_is_not_fetched_again() {
    let mut world = World::new();
    let mut device = world.device();
    assert_eq!(ask(&world, &mut device, "kairo/motor.img").1, ["kairo"]);
    assert_eq!(ask(&world, &mut device, "kairo/motor.img").1, [""; 0]);
    // A new version of another file changes nothing about this one.
    world.release(b"newer");
    assert_eq!(ask(&world, &mut device, "kairo/motor.img").1, [""; 0]);
    // A file that was damaged where it was kept is fetched again.
    device.stored.targets.insert(role("kairo"), b"damaged".to_vec());
    assert_eq!(ask(&world, &mut device, "kairo/motor.img").1, ["kairo"]);
    // So are top files.
    device.stored.snapshot = Some(b"damaged".to_vec());
    device.stored.timestamp = Some(b"damaged".to_vec());
    device.stored.targets.insert(role("targets"), b"damaged".to_vec());
    assert_eq!(ask(&world, &mut device, "gate/fw.img").0, "targets");
}

#[test]
fn hash_prefixes_divide_paths() {
    let mut world = World::unpublished();
    let mut targets = Targets::new(NOW.plus(90 * DAY));
    let digest = crypto::sha256(b"gate/fw.img").to_string();
    let prefix = |text: &str| Paths::HashPrefixes(vec![text.to_owned()]);
    let other = if digest.starts_with('0') { "1" } else { "0" };
    targets.delegate(role("bin-a"), &[public(&key(51))], 1, prefix(other), false).unwrap();
    targets.delegate(role("bin-b"), &[public(&key(52))], 1, prefix(&digest[..2]), false).unwrap();
    let mut bin = Targets::new(NOW.plus(90 * DAY));
    bin.targets.insert("gate/fw.img".into(), target_file(b"fw"));
    let staged = Staged {
        root: Some(signed(world.first_root(), &world.root_keys())),
        targets: [
            (role("targets"), signed(targets, &world.targets_keys())),
            (role("bin-a"), signed(bin.clone(), &[&key(51)])),
            (role("bin-b"), signed(bin, &[&key(52)])),
        ]
        .into(),
    };
    world.publish(&staged).unwrap();
    check(&world, "gate/fw.img", "bin-b", &["bin-b"]);
}

#[test]
fn nothing_is_sought_before_the_refresh_is_done() {
    let world = World::new();
    let mut client = Client::begin(world.device().stored, Settings::default(), NOW).unwrap();
    assert!(matches!(client.find(&path("gate/fw.img")), Err(Refusal::OutOfOrder(_))));
    assert!(client.targets().is_none());
    assert_eq!(client.root().role(TopRole::Root).threshold, 2);
}
