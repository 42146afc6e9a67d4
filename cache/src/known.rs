//! What many records and manifests say, in one file: a plan of a thousand nodes opens it in place of two thousand.
//!
//! It is a memo, believed by its digest, and of each record only as long as the files of the record and of its manifest have the
//! stamps with which they were read, none of them so young that a change might not show in it. Whatever is not in it is read
//! where it lies, so that losing it costs only time.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use crate::digest::{Digest, Key};
use crate::error::Result;
use crate::files;
use crate::meta::Meta;
use crate::record::Record;
use crate::source::{Stamps, is_settled, stamps};
use crate::store::Store;

/// The name of the memo, with the version of its encoding.
const QUESTION: &[u8] = b"what records and manifests say, 1";
/// Fewer are read one by one sooner than the whole memo, and are not worth writing it anew.
const MANY: usize = 64;
/// What was noted of earlier runs is let go when the memo has more than this.
const MOST: usize = 20_000;

/// A record, and what belongs to its artifact: digests and sizes.
pub(crate) type Found = (Record, Vec<(Digest, u64)>);

/// What is known, once that was worth looking.
#[derive(Debug, Default)]
pub(crate) struct Known {
    asked: AtomicUsize,
    memo: OnceLock<Memo>,
    /// Records that are there and of which nothing was known.
    unknown: Mutex<HashSet<Key>>,
}

/// The memo, and where in it each record is.
#[derive(Debug, Default)]
struct Memo {
    bytes: Vec<u8>,
    places: HashMap<Key, Range<usize>>,
}

impl Store {
    /// The record of a key with what its artifact consists of, from the memo or else from their files.
    pub(crate) fn find(&self, key: &Key) -> Result<Option<Found>> {
        if let Some(found) = self.recollect(key)? {
            return Ok(Some(found));
        }
        let Some(found) = self.read_record(key)? else { return Ok(None) };
        self.inner.known.unknown.lock().unwrap_or_else(PoisonError::into_inner).insert(*key);
        Ok(Some(found))
    }

    /// Writes down what many of the records say that were looked up. For who has looked up what he wanted; where nothing can be
    /// written, nothing is, and nothing fails.
    pub fn remember_records(&self) {
        let unknown = std::mem::take(&mut *self.inner.known.unknown.lock().unwrap_or_else(PoisonError::into_inner));
        let when = SystemTime::now();
        let fresh: HashMap<Key, Vec<u8>> =
            unknown.into_iter().filter_map(|key| Some((key, self.describe(&key, when).ok()??))).collect();
        if fresh.len() < MANY {
            return;
        }
        let memo = self.inner.known.memo.get_or_init(|| self.read_memo());
        let kept = if memo.places.len() < MOST { memo.places.iter().collect() } else { Vec::new() };
        let kept = kept.into_iter().filter(|(key, _)| !fresh.contains_key(key));
        let mut bytes = Vec::new();
        kept.for_each(|(key, place)| put_entry(&mut bytes, key, &memo.bytes[place.clone()]));
        fresh.iter().for_each(|(key, body)| put_entry(&mut bytes, key, body));
        if let Err(error) = self.set_memo(&Digest::of(QUESTION), &bytes) {
            tracing::debug!(%error, "what records say is not remembered");
        }
    }

    fn recollect(&self, key: &Key) -> Result<Option<Found>> {
        let known = &self.inner.known;
        if !self.trusts_stamps || known.asked.fetch_add(1, Ordering::Relaxed) < MANY {
            return Ok(None);
        }
        let memo = known.memo.get_or_init(|| self.read_memo());
        let Some(entry) = memo.places.get(key).and_then(|place| Entry::decode(&memo.bytes[place.clone()])) else {
            return Ok(None);
        };
        let as_read = |path: PathBuf, then: &Stamps| Ok(files::stat(&path)?.is_some_and(|now| stamps(&now) == *then));
        let stands =
            as_read(self.record_path(key), &entry.record)? && as_read(self.tree_path(&entry.artifact), &entry.tree)?;
        Ok(if stands { entry.found(key) } else { None })
    }

    fn read_memo(&self) -> Memo {
        let bytes = self.memo(&Digest::of(QUESTION)).ok().flatten().unwrap_or_default();
        let mut places = HashMap::new();
        let mut rest = bytes.as_slice();
        while let Some((key, body)) = take_entry(&mut rest) {
            let end = bytes.len() - rest.len();
            places.insert(key, end - body.len()..end);
        }
        Memo { bytes, places }
    }

    fn read_record(&self, key: &Key) -> Result<Option<Found>> {
        let Some(record) = self.record(key)? else { return Ok(None) };
        let Some(tree) = self.find_tree(&record.artifact)? else { return Ok(None) };
        let objects = tree.entries().iter().map(|entry| (entry.digest, entry.size)).collect();
        Ok(Some((record, objects)))
    }

    /// What is to be remembered; nothing of what is too young. The stamps are from before the reading.
    fn describe(&self, key: &Key, when: SystemTime) -> Result<Option<Vec<u8>>> {
        let settled = |path: PathBuf| -> Result<Option<Stamps>> {
            Ok(files::stat(&path)?.filter(|meta| is_settled(meta, when)).map(|meta| stamps(&meta)))
        };
        let Some(record_stamps) = settled(self.record_path(key))? else { return Ok(None) };
        let Some(record) = self.record(key)? else { return Ok(None) };
        let Some(tree_stamps) = settled(self.tree_path(&record.artifact))? else { return Ok(None) };
        let Some(tree) = self.find_tree(&record.artifact)? else { return Ok(None) };
        let mut body = Vec::new();
        record_stamps.iter().chain(&tree_stamps).for_each(|stamp| body.extend(stamp.to_le_bytes()));
        body.extend(record.artifact.as_bytes());
        [record.bytes, record.files].iter().for_each(|number| body.extend(number.to_le_bytes()));
        put_sized(&mut body, record.meta.text().as_bytes());
        for entry in tree.entries() {
            body.extend(entry.digest.as_bytes());
            body.extend(entry.size.to_le_bytes());
        }
        Ok(Some(body))
    }
}

/// What the memo says of a key.
struct Entry<'a> {
    record: Stamps,
    tree: Stamps,
    artifact: Digest,
    bytes: u64,
    files: u64,
    meta: &'a [u8],
    objects: &'a [u8],
}

impl<'a> Entry<'a> {
    fn decode(mut body: &'a [u8]) -> Option<Entry<'a>> {
        let rest = &mut body;
        let (record, tree) = (take_stamps(rest)?, take_stamps(rest)?);
        let artifact = Digest::from_bytes(take(rest)?);
        let (bytes, files) = (u64::from_le_bytes(take(rest)?), u64::from_le_bytes(take(rest)?));
        let meta = take_sized(rest)?;
        Some(Entry { record, tree, artifact, bytes, files, meta, objects: body })
    }

    fn found(&self, key: &Key) -> Option<Found> {
        let meta = Meta::of_text(str::from_utf8(self.meta).ok()?);
        let object = |mut row: &[u8]| Some((Digest::from_bytes(take(&mut row)?), u64::from_le_bytes(take(&mut row)?)));
        let objects = self.objects.chunks(40).map(object).collect::<Option<_>>()?;
        let Entry { artifact, bytes, files, .. } = *self;
        Some((Record { key: *key, artifact, bytes, files, meta }, objects))
    }
}

fn put_entry(bytes: &mut Vec<u8>, key: &Key, body: &[u8]) {
    bytes.extend(key.as_bytes());
    put_sized(bytes, body);
}

fn put_sized(bytes: &mut Vec<u8>, body: &[u8]) {
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
}

fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<(Key, &'a [u8])> {
    Some((Key::from_bytes(take(rest)?), take_sized(rest)?))
}

fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let size = usize::try_from(u64::from_le_bytes(take(rest)?)).ok()?;
    let (taken, left) = rest.split_at_checked(size)?;
    *rest = left;
    Some(taken)
}

fn take_stamps(rest: &mut &[u8]) -> Option<Stamps> {
    let mut stamps = Stamps::default();
    for stamp in &mut stamps {
        *stamp = i64::from_le_bytes(take(rest)?);
    }
    Some(stamps)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}
