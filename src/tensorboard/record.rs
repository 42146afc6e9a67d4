//! The framing of TFRecord files: length, its sum, content, its sum, all little-endian.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

/// Bytes of a record that are not its content: before it, and after.
const BEFORE: usize = 12;
const AFTER: usize = 4;

/// One record.
pub(super) fn framed(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] = [&length, &masked(&length).to_le_bytes(), content, &masked(content).to_le_bytes()];
    parts.concat()
}

/// CRC-32C, turned and moved, as the format wants it: a sum of data that hold sums is else likely to be one of them.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The content of the next record; none at the end, or where what follows is not whole.
pub(super) fn next(file: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut before = [0; BEFORE];
    match file.read_exact(&mut before) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (length, sum) = before.split_at(8);
    if masked(length).to_le_bytes() != sum {
        return Ok(None);
    }
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let mut content = Vec::new();
    file.take(length.saturating_add(AFTER as u64)).read_to_end(&mut content)?;
    let sum = content.split_off(content.len().saturating_sub(AFTER));
    let whole = content.len() as u64 == length && masked(&content).to_le_bytes() == *sum;
    Ok(whole.then_some(content))
}

/// Ends a file before the first record that is not to stay, or is not whole; the bytes that are left.
pub(super) fn cut(path: &Path, stays: impl Fn(&[u8]) -> bool) -> io::Result<u64> {
    let mut file = BufReader::new(File::options().read(true).write(true).open(path)?);
    let mut end = 0;
    while let Some(content) = next(&mut file)?
        && stays(&content)
    {
        end += (BEFORE + content.len() + AFTER) as u64;
    }
    file.get_ref().set_len(end)?;
    Ok(end)
}

/// The contents of the whole records that a file begins with, and whether anything follows them.
#[cfg(test)]
pub(super) fn read(mut file: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut rest = file;
    let mut records = Vec::new();
    while let Some(content) = next(&mut rest).unwrap() {
        records.push(content);
        file = rest;
    }
    (records, !file.is_empty())
}
