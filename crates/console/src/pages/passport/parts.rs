//! The parts of a device, as a tree: what its history says, and how each part stands.

use super::{if_allowed, words};
use crate::{
    Console, Failure, Member,
    ui::{Node, Tree},
};
use device::{DeviceId, DeviceKind, EventKind, SignedEvent};
use service::{DeviceView, Page};
use std::{collections::BTreeMap, future::Future, pin::Pin};

/// Levels of parts within parts.
const DEPTH_MAX: usize = 4;
/// Parts shown at most.
const PARTS_MAX: usize = 200;
/// Events read at a time.
const STEP: u32 = 200;

/// The tree; `None` where there are no parts, or where the visitor may not read the history.
pub(super) async fn tree(
    console: &Console,
    member: &Member,
    view: &DeviceView,
) -> Result<Option<Tree>, Failure> {
    let mut left = PARTS_MAX;
    let nodes = nodes(console, member, view.id, DEPTH_MAX, &mut left).await?;
    Ok((!nodes.is_empty()).then(|| Tree::new(nodes)))
}

type Nodes<'a> = Pin<Box<dyn Future<Output = Result<Vec<Node>, Failure>> + Send + 'a>>;

fn nodes<'a>(
    console: &'a Console,
    member: &'a Member,
    device: DeviceId,
    depth: usize,
    left: &'a mut usize,
) -> Nodes<'a> {
    Box::pin(async move {
        let t = member.t;
        let mut nodes = Vec::new();
        for (part, kind) in parts_of(console, member, &device).await? {
            let Some(rest) = left.checked_sub(1) else { break };
            *left = rest;
            let kind = words::device_kind(t, kind);
            let seen = if_allowed(console.service.device(member.caller(), &part).await)?;
            let mut node = match seen {
                Some(view) => Node::new(view.serial_number)
                    .link(format!("/devices/{part}"))
                    .note(kind)
                    .badge(words::standing(t, view.standing)),
                // A part of which the visitor may not learn more than that it is there.
                None => Node::new(part.to_string()).note(kind),
            };
            if depth > 1 {
                for inner in self::nodes(console, member, part, depth - 1, left).await? {
                    node = node.part(inner);
                }
            }
            nodes.push(node);
        }
        Ok(nodes)
    })
}

/// The parts that a device has now.
async fn parts_of(
    console: &Console,
    member: &Member,
    device: &DeviceId,
) -> Result<BTreeMap<DeviceId, DeviceKind>, Failure> {
    let mut parts = BTreeMap::new();
    let mut page = Page { after: None, limit: STEP };
    loop {
        let found = console.service.history(member.caller(), device, &page).await;
        let Some(found) = if_allowed(found)? else { return Ok(parts) };
        for event in &found.items {
            let signed = event.cose.as_deref().and_then(|cose| SignedEvent::parse(cose).ok());
            match signed.map(|signed| signed.unverified().kind.clone()) {
                Some(EventKind::Assembled { parts: all, .. }) => {
                    parts.extend(all.into_iter().map(|part| (part.device, part.kind)));
                }
                Some(EventKind::PartInstalled { part }) => {
                    parts.insert(part.device, part.kind);
                }
                Some(EventKind::PartRemoved { part }) => {
                    parts.remove(&part);
                }
                Some(EventKind::PartExchanged { old, new }) => {
                    parts.remove(&old);
                    parts.insert(new.device, new.kind);
                }
                _ => {}
            }
        }
        match found.next {
            Some(next) => page.after = Some(next),
            None => return Ok(parts),
        }
    }
}
