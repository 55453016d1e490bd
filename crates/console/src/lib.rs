//! The pages that people see: the console of operators and the public page behind a printed code.
//!
//! Rendered on the server (askama), styled by one small design system, in Japanese and English
//! (Fluent), usable without script; htmx enhances, and only the ceremony with a passkey needs
//! script. Everything is embedded. docs/console.md describes the pages, docs/access.md who may what.
//!
//! - [`router`] gives the pages; `server` puts them behind a listener of their own.
//! - [`Visit`] is one request's context, [`Member`] a visitor who signed in, [`Posted`] a form that
//!   really came from our own page, [`Failure`] an error page.
//! - [`i18n`] holds the texts, [`ui`] the components, [`chart`] the charts.
//! - [`label`] prints codes, [`glossary`] explains terms.
//!
//! INVARIANT: no inline script or style, no style attribute: the policy that goes with every page
//! ([`security`]) refuses them, and the browser tests look for refusals. The one exception is a report
//! on paper, a file of its own, whose policy ([`REPORT_POLICY`], [`DIAGNOSIS_REPORT_POLICY`]) names its
//! one style by its hash and allows nothing else.
//!
//! Deliberately absent: sockets, TLS, limits of rate and number (`server`), decisions (`service`).

mod app;
mod assets;
pub mod chart;
mod cookies;
mod failure;
pub mod glossary;
pub mod i18n;
pub mod label;
mod layout;
mod pages;
mod pdf;
mod posted;
pub mod security;
mod session;
pub mod ui;
mod visit;

pub use app::{Console, Origin, OriginError, Setup, Source, router};
pub use failure::{Failure, FailureKind, refusal};
pub use layout::{Frame, Item, NAVIGATION, Notice, Section, Theme};
pub use pages::{
    Audience, DIAGNOSIS_REPORT_POLICY, PdfFailure, REPORT_POLICY, device_report, diagnosis_report,
    diagnosis_report_pdf,
};
pub use posted::{Answer, Asked, FORM_BYTES_MAX, Fields, Posted};
pub use session::{NoSessions, Resuming, ServiceSessions, Sessions, SignedIn};
pub use visit::{Member, Visit};
