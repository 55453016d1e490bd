//! A store that cannot be read, or not written. Apart from the world, which the fuzz targets use too, without SQL.

use crate::world::World;

impl World {
    /// Has reads of certificates fail, or work again.
    pub(crate) fn break_reads(&self, broken: bool) {
        let connection = rusqlite::Connection::open(self.dir.path().join("tegata.db")).unwrap();
        let (from, to) = if broken { ("certificate", "away") } else { ("away", "certificate") };
        connection.execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}")).unwrap();
    }

    /// Nothing is committed until this is dropped, or for five seconds.
    pub(crate) fn hold_writes(&self) -> impl Sized {
        let connection = rusqlite::Connection::open(self.dir.path().join("tegata.db")).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        connection
    }
}
