//! The parts of a device, as a tree: what its history says, and how each part stands.

use super::words;
use crate::{
    i18n::Locale,
    ui::{Badge, Node, Tone, Tree},
};
use service::PartNode;

/// The tree; `None` where there are no parts. `linked`: parts that the reader may see lead to their
/// own passports.
pub(super) fn tree(t: Locale, parts: &[PartNode], linked: bool) -> Option<Tree> {
    let nodes: Vec<Node> = parts.iter().map(|part| node(t, part, linked)).collect();
    (!nodes.is_empty()).then(|| Tree::new(nodes))
}

fn node(t: Locale, part: &PartNode, linked: bool) -> Node {
    let kind = words::device_kind(t, part.kind);
    let mut node = match &part.serial_number {
        Some(serial) if linked => {
            Node::new(serial).note(kind).link(format!("/devices/{}", part.device))
        }
        Some(serial) => Node::new(serial).note(format!("{kind} · {}", part.device)),
        // A part of which the reader may not learn more than that it is there.
        None => Node::new(part.device.to_string()).note(kind),
    };
    if let Some(standing) = part.standing {
        node = node.badge(words::standing(t, standing));
    }
    if part.claimed_elsewhere > 0 {
        node = node.badge(Badge::new(Tone::Bad, t.text("passport-part-elsewhere")));
    }
    if part.cut {
        node = node.badge(Badge::new(Tone::Neutral, t.text("passport-parts-cut")));
    }
    part.parts.iter().fold(node, |node, inner| node.part(self::node(t, inner, linked)))
}
