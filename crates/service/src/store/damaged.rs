//! What a row holds as JSON is looked at when it is read: damage is a fault with a place, never a `null`
//! that somebody takes for the truth.

use rusqlite::{Error, Row, types::Type};
use serde::de::{DeserializeOwned, IgnoredAny};

/// A row holds what nobody wrote.
#[derive(Debug, thiserror::Error)]
#[error("table {table}, row {row}: `{column}` holds no JSON of its kind")]
pub(crate) struct Damaged {
    table: &'static str,
    row: String,
    column: &'static str,
}

/// Where a text stands: table, row as an operator finds it, column and its index.
pub(crate) struct At<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a dyn std::fmt::Display,
    pub(crate) column: &'static str,
    pub(crate) index: usize,
}

/// A text that is JSON, as it is.
pub(crate) fn json_text(row: &Row<'_>, at: &At<'_>) -> rusqlite::Result<String> {
    let text: String = row.get(at.index)?;
    json::<IgnoredAny>(&text, at)?;
    Ok(text)
}

/// What a text says.
pub(crate) fn json<T: DeserializeOwned>(text: &str, at: &At<'_>) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|_| {
        let damaged = Damaged { table: at.table, row: at.row.to_string(), column: at.column };
        Error::FromSqlConversionFailure(at.index, Type::Text, Box::new(damaged))
    })
}

/// The damage that `error` tells of.
pub(crate) fn of(error: &Error) -> Option<&Damaged> {
    match error {
        Error::FromSqlConversionFailure(_, _, cause) => cause.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceError;
    use rusqlite::Connection;

    #[test]
    fn damage_names_table_row_and_column() {
        let connection = Connection::open_in_memory().unwrap();
        for (text, good) in
            [("{\"a\": 1}", true), ("null", true), ("", false), ("{\"a\": 1", false)]
        {
            let read = connection.query_row("SELECT 7, ?1", [text], |row| {
                let id: i64 = row.get(0)?;
                json_text(row, &At { table: "command", row: &id, column: "parameters", index: 1 })
            });
            assert_eq!(read.is_ok(), good, "{text}");
            if let Err(error) = read {
                let error = ServiceError::from(error);
                assert_eq!(error.code(), "store-damaged");
                let said = error.to_string();
                assert!(said.contains("table command, row 7: `parameters`"), "{said}");
            }
        }
    }
}
