//! Components. Each is a value that a template shows with `{{ … }}`; it escapes what it is given.
//!
//! | component | for |
//! | --- | --- |
//! | [`Badge`] | a state: icon, word and colour together |
//! | [`Tile`] | one figure with its name |
//! | [`Field`] | a form's field with label, hint and error |
//! | [`Button`] | what sends a form, or a link that looks like it |
//! | [`Confirm`] | what will happen, and the button that makes it happen |
//! | [`Pager`] | previous and next page of a list |
//! | [`Tabs`] | parts of a page, as links |
//! | [`Timeline`] | what happened when |
//! | [`Tree`] | parts within parts |
//! | [`Command`] | lines for a terminal, to be copied |
//! | [`Fingerprint`] | a hash in groups, to be copied |
//! | [`Id`] | an identifier to be copied, whole or cut |
//! | [`Term`] | a word that the glossary explains |
//! | [`Empty`] | a list without entries, and what to do |
//! | [`Message`] | something that the reader must know |
//!
//! Cards, definition lists, tables and filters are plain markup with the classes of the style sheet;
//! docs/console.md shows them.

mod badge;
mod button;
mod ceremony;
mod command;
mod confirm;
mod empty;
mod field;
mod fingerprint;
mod icon;
mod id;
mod message;
mod pager;
mod tabs;
mod term;
mod tile;
mod timeline;
mod tree;

pub use badge::{Badge, Tone};
pub use button::{Button, ButtonKind};
pub use ceremony::CeremonyAttributes;
pub use command::Command;
pub use confirm::Confirm;
pub use empty::Empty;
pub use field::{Choice, Field};
pub use fingerprint::Fingerprint;
pub use icon::Icon;
pub use id::Id;
pub use message::Message;
pub use pager::Pager;
pub use tabs::{Tab, Tabs};
pub use term::Term;
pub use tile::Tile;
pub use timeline::{Entry, Timeline};
pub use tree::{Node, Tree};

/// Components show themselves through their template, which escapes.
macro_rules! component {
    ($($name:ident),+) => { $(
        impl askama::filters::HtmlSafe for $name {}
    )+ };
}
pub(crate) use component;
