//! Use cases: searches that a person named and comes back to.

use crate::{Service, ServiceError, names::shows_what_it_is, store::fleet as store};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// Most views of one person.
pub const VIEWS_MAX: usize = 50;
/// Longest name, in characters.
const NAME_MAX: usize = 80;
/// Longest query, in bytes.
const QUERY_MAX: usize = 2000;

/// A search that somebody named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// its name, unique for the person
    pub name: String,
    /// the search, as the console writes it into addresses (`phase=operation&attention=expiring`)
    pub query: String,
    /// when it was saved
    pub saved_at: UnixTime,
}

impl Service {
    /// The caller's views of an organisation's devices, by name.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn saved_views(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<SavedView>, ServiceError> {
        let (row, whose) = self.viewer(caller, organisation)?;
        self.read(|connection| store::views(connection, row, &whose))
    }

    /// Saves a view; one of the same name is replaced.
    ///
    /// # Errors
    /// `not-found`, `role`, `view-name`, `view-query`, `too-many-views`.
    pub async fn save_view(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        query: &str,
    ) -> Result<SavedView, ServiceError> {
        let (row, whose) = self.viewer(caller, organisation)?;
        let name = name.trim();
        let count = name.chars().count();
        if !(1..=NAME_MAX).contains(&count) || !shows_what_it_is(name) {
            return Err(ServiceError::malformed(
                "view-name",
                "a view's name has 1 to 80 characters and no control characters",
            ));
        }
        // It becomes part of an address: nothing but what a query may hold (RFC 3986 section 3.4).
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%=&+:,@/?!*();".contains(&byte);
        if query.len() > QUERY_MAX || !query.bytes().all(allowed) {
            return Err(ServiceError::malformed(
                "view-query",
                "a view's query has at most 2000 characters, percent-encoded",
            ));
        }
        let view = SavedView { name: name.into(), query: query.into(), saved_at: self.now() };
        let saved = view.clone();
        self.commit(move |tx| {
            let views = store::views(tx, row, &whose)?;
            let replaces = views.iter().any(|other| other.name == view.name);
            if views.len() >= VIEWS_MAX && !replaces {
                return Err(ServiceError::too_many(
                    "too-many-views",
                    "there are 50 views already; delete one first",
                ));
            }
            store::save_view(tx, row, &whose, &view)
        })
        .await?;
        Ok(saved)
    }

    /// Deletes a view.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn delete_view(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<(), ServiceError> {
        let (row, whose) = self.viewer(caller, organisation)?;
        let name = name.to_owned();
        self.commit(move |tx| {
            if store::delete_view(tx, row, &whose, &name)? {
                Ok(())
            } else {
                Err(ServiceError::not_found("view"))
            }
        })
        .await
    }

    /// Views are nobody's but the caller's: the row of the organisation, and who the caller is.
    fn viewer(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<(i64, String), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        Ok((row, caller.to_string()))
    }
}
