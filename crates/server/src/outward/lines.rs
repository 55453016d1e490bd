//! Lines of JSON in a file, synced before they count as taken. It is opened for each batch, so that
//! it can be renamed at any time and begins anew.

use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// How far back the end of the last whole line is looked for: no line of ours is longer.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Adds lines, each with its end; where a length is given, as long as the file is shorter than that.
pub(crate) async fn add(path: &Path, lines: String, bytes_max: Option<u64>) -> Result<(), String> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let length = fs::metadata(&path).map_or(0, |it| it.len());
        if bytes_max.is_some_and(|most| length > most) {
            return Err("the file is as long as it may be; take it away".to_owned());
        }
        append(&path, lines.as_bytes())
            .map_err(|error| format!("the file cannot be written: {error}"))
    })
    .await
    .map_err(|error| error.to_string())?
}

fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let fresh = !path.exists();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    cut_torn_line(&mut file)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    if fresh {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A line whose end was never written, because the machine stopped, is written again whole.
fn cut_torn_line(file: &mut fs::File) -> std::io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(LINE_BYTES_MAX).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1);
    if whole < tail.len() as u64 {
        file.set_len(from + whole)?;
    }
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("streams/a.jsonl");
        append(&path, b"{\"a\":1}\n").unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"b\":").unwrap();
        append(&path, b"{\"b\":2}\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"a\":1}\n{\"b\":2}\n");
        // Renamed by whoever rotates files: a new one begins.
        fs::rename(&path, folder.path().join("old")).unwrap();
        append(&path, b"{\"c\":3}\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"c\":3}\n");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
