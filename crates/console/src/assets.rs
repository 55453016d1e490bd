//! Style sheet, scripts and icons, embedded. The path holds a hash of the contents, so browsers keep
//! them for ever and never show an old one.

use crate::{Console, Failure};
use axum::{
    Router,
    extract::Path,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, header};
use std::{fmt, sync::LazyLock};

/// A file.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    /// start of the SHA-256 of the bytes
    hash: String,
}

macro_rules! assets {
    ($($name:literal, $media_type:literal, $file:literal;)+) => {
        static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| vec![$({
            let bytes: &'static [u8] = include_bytes!(concat!("../assets/", $file));
            Asset { name: $name, media_type: $media_type, bytes, hash: hash(bytes) }
        },)+]);
    };
}

assets! {
    "console.css", "text/css; charset=utf-8", "console.css";
    "console.js", "text/javascript; charset=utf-8", "console.js";
    "passkey.js", "text/javascript; charset=utf-8", "passkey.js";
    "htmx.js", "text/javascript; charset=utf-8", "vendor/htmx-2.0.11.min.js";
    "favicon.svg", "image/svg+xml", "favicon.svg";
}

fn hash(bytes: &[u8]) -> String {
    crypto::sha256(bytes).as_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// URL of a file, for templates.
#[derive(Debug, Clone, Copy)]
pub struct Assets;

impl Assets {
    /// Path with the hash; of a name that is not there, a path that is not found.
    pub fn url(self, name: &str) -> AssetUrl {
        AssetUrl(ASSETS.iter().find(|asset| asset.name == name))
    }
}

/// Where a file is.
#[derive(Debug, Clone, Copy)]
pub struct AssetUrl(Option<&'static Asset>);

impl fmt::Display for AssetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(asset) => write!(f, "/assets/{}/{}", asset.hash, asset.name),
            None => f.write_str("/assets/none"),
        }
    }
}

pub(crate) fn router() -> Router<Console> {
    // Browsers ask for the second one by themselves where a page names no icon.
    Router::new().route("/assets/{hash}/{name}", get(serve)).route("/favicon.ico", get(icon))
}

/// The icon without a hash in its path, hence for a day.
async fn icon() -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == "favicon.svg") else {
        return Failure::not_found().plain();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400")),
    ];
    (headers, asset.bytes).into_response()
}

async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash) else {
        return Failure::not_found().plain();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes).into_response()
}
