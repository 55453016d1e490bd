//! Connections that were seen of devices (docs/mud.md): any bytes are flows or not, and what is read is
//! written and read again.
#![no_main]

use behaviour::mud::{Connection, Flow, flows};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(all) = flows(bytes) else { return };
    for Flow { connection, times, .. } in all {
        assert!(times > 0);
        let told = connection.to_string();
        let (_, text) = told.split_once(' ').expect("a direction and a connection");
        assert_eq!(Connection::parse(connection.opened_by, text), Ok(connection));
    }
});
