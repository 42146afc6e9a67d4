//! Reading a tar shard, sample by sample.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry};

use crate::NodeError;
use crate::artifacts::dataset::is_own;

/// A member that is larger is taken for a mistake: it would be in memory as a whole.
const LARGEST: u64 = 256 << 20;
/// Headers and names between two members that take more are taken for one, too.
const LONGEST_NAME: u64 = 1 << 20;
/// Zeros that may lie between two members or after the last. Two blocks of them mark the end of a tar, but tars are joined,
/// and padded.
const MOST_ZEROS: u64 = 64 << 20;
const BLOCK: u64 = 512;
const END_MARK: u64 = 2 * BLOCK;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Members that follow each other and have one key.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// The name of each member without its extension.
    pub(super) key: String,
    /// What each extension holds, or why it cannot be read.
    pub(super) members: BTreeMap<String, Result<Vec<u8>, String>>,
}

/// Why the reading of a shard ends before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The shard is damaged.
    Damaged(String),
    /// It cannot be opened, or whoever takes the samples gave up.
    Failed(NodeError),
}

/// Calls `each` with every sample of a shard, and `own` with the name of each member that a system made. Only members with one
/// of these extensions are read, and only whole samples are handed on. Nothing that follows an end mark is lost.
pub(super) fn read(
    path: &Path,
    extensions: &[&str],
    mut own: impl FnMut(&str),
    mut each: impl FnMut(Sample) -> Result<(), NodeError>,
) -> Result<(), Stopped> {
    let inner = open(path).map_err(|error| Stopped::Failed(NodeError::io("read", path)(error)))?;
    let watch = Rc::new(Watch::default());
    watch.member(0);
    let mut archive = Archive::new(Watched { inner, watch: watch.clone() });
    archive.set_ignore_zeros(true);
    let (mut sample, mut end) = (Sample::default(), 0);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        // What of the member is not read is skipped on the way to the next.
        watch.member(entry.size());
        end = entry.raw_file_position().saturating_add(entry.size().next_multiple_of(BLOCK));
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if is_own(&name) {
            own(&name);
            continue;
        }
        let Some((key, extension)) = split(&name) else { continue };
        if key != sample.key {
            let key = key.to_owned();
            hand_on(std::mem::replace(&mut sample, Sample { key, ..Sample::default() }), &mut each)?;
        }
        let content = match extensions.contains(&extension.as_str()) {
            true => content(&mut entry).map_err(damaged)?,
            false => Ok(Vec::new()),
        };
        if sample.members.insert(extension, content).is_some() {
            return Err(Stopped::Damaged(format!("{} is in it twice", name.escape_debug())));
        }
    }
    // Without it the shard may be cut between two members, which nothing else tells.
    if watch.read.get().saturating_sub(end) < END_MARK {
        return Err(Stopped::Damaged("it ends without the mark of a tar's end: it is truncated, or no tar".into()));
    }
    hand_on(sample, &mut each)
}

/// What tar or gzip have to say, which may quote what they have read.
fn damaged(error: io::Error) -> Stopped {
    const LONGEST: usize = 120;
    let said: String = error.to_string().escape_debug().take(LONGEST).collect();
    Stopped::Damaged(format!("it is no sound tar: {said}"))
}

fn hand_on(sample: Sample, each: &mut impl FnMut(Sample) -> Result<(), NodeError>) -> Result<(), Stopped> {
    if sample.members.is_empty() { Ok(()) } else { each(sample).map_err(Stopped::Failed) }
}

/// A name as webdataset splits it: at the first dot of its last part. Extensions are in lower case.
fn split(name: &str) -> Option<(&str, String)> {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = last + name[last..].find('.').filter(|&dot| dot > 0)?;
    Some((&name[..dot], name[dot + 1..].to_lowercase()))
}

/// All bytes of a member. The error outside is the shard's.
fn content(entry: &mut Entry<'_, impl Read>) -> io::Result<Result<Vec<u8>, String>> {
    let size = entry.size();
    if size > LARGEST {
        return Ok(Err(format!("has {size} bytes, and at most {LARGEST} are read")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    match bytes.len() as u64 == size {
        true => Ok(Ok(bytes)),
        false => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of a member: it is truncated"))
        }
    }
}

/// The archive in a file, which may be packed.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let packed = file.fill_buf()?.starts_with(&GZIP);
    Ok(if packed { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// How much is read, and how much may be until the next member.
#[derive(Default)]
struct Watch {
    read: Cell<u64>,
    left: Cell<u64>,
    zeros_left: Cell<u64>,
}

impl Watch {
    /// A member of so many bytes begins.
    fn member(&self, size: u64) {
        self.left.set(size.saturating_add(LONGEST_NAME));
        self.zeros_left.set(MOST_ZEROS);
    }

    fn count(&self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        self.read.set(self.read.get() + length);
        let budget = if bytes.iter().all(|&byte| byte == 0) && self.zeros_left.get() > 0 {
            &self.zeros_left
        } else {
            &self.left
        };
        budget.set(budget.get().saturating_sub(length));
    }
}

/// Lets nobody read more than is left: names are read whole, and packed, one of any length is small.
struct Watched<R> {
    inner: R,
    watch: Rc<Watch>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.watch.left.get();
        if left == 0 {
            return Err(io::Error::other("the name of a member is too long"));
        }
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut buffer[..length])?;
        self.watch.count(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures").join(name)
    }

    #[test]
    fn a_packed_name_of_any_length_does_not_fill_the_memory() {
        let mut header = tar::Header::new_gnu();
        header.set_path("././@LongLink").unwrap();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(2 * LONGEST_NAME);
        header.set_cksum();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.tar.gz");
        let mut gzip = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
        gzip.write_all(header.as_bytes()).unwrap();
        gzip.write_all(&vec![b'a'; 2 * LONGEST_NAME as usize]).unwrap();
        gzip.finish().unwrap();
        let stopped = read(&path, &["txt"], |_| {}, |_| Ok(())).unwrap_err();
        assert!(
            matches!(&stopped, Stopped::Damaged(why) if why.ends_with("the name of a member is too long")),
            "{stopped:?}"
        );
    }

    #[test]
    fn names_are_split_as_webdataset_splits_them() {
        let fixture: serde_json::Value = serde_json::from_slice(&fs::read(fixture("shard.json")).unwrap()).unwrap();
        for row in fixture["names"].as_array().unwrap() {
            let expected = row[1].as_str().map(|key| (key, row[2].as_str().unwrap().to_lowercase()));
            assert_eq!(split(row[0].as_str().unwrap()), expected, "{row}");
        }
    }

    #[test]
    fn samples_are_those_that_webdataset_reads() {
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(fixture("shard.json")).unwrap()).unwrap();
        let mut found = Vec::new();
        read(
            &fixture("shard.tar"),
            &["txt"],
            |_| {},
            |Sample { key, members }| {
                let caption = members.get("txt").map(|text| String::from_utf8(text.clone().unwrap()).unwrap());
                found.push((key, members.into_keys().collect::<Vec<_>>(), caption));
                Ok(())
            },
        )
        .unwrap();
        let expected = expected["samples"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for ((key, extensions, caption), expected) in found.iter().zip(expected) {
            assert_eq!(
                (key.as_str(), serde_json::json!(extensions)),
                (expected["key"].as_str().unwrap(), expected["extensions"].clone())
            );
            assert!(caption.as_ref().is_none_or(|text| expected["caption"] == text.trim()), "{key}");
        }
    }
}
