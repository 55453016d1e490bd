//! Tests of the public interface.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod certificate;
mod chain;
mod crl;
mod issue;
mod limbo;
mod ocsp;
mod openssl;
mod page;
mod path;
mod revocation;
mod signed_data;
mod world;

/// A file of the vectors that we did not write; without them the test says so and passes.
fn testdata(path: &str) -> Option<String> {
    let folder = std::env::var_os("TEGATA_TESTDATA").map_or_else(
        || {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            root.join("../shared/testdata")
        },
        Into::into,
    );
    match std::fs::read_to_string(folder.join(path)) {
        Ok(text) => Some(text),
        Err(_) => {
            eprintln!("SKIPPED: {} is absent; set TEGATA_TESTDATA", folder.join(path).display());
            None
        }
    }
}

/// Contents of a PEM block that is the whole text.
fn pem(label: &str, text: &str) -> Vec<u8> {
    let (found, der) = der::Document::from_pem(text.trim_end()).unwrap();
    assert_eq!(found, label);
    der.as_bytes().to_vec()
}
