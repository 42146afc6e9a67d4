//! Bytes that nobody meant: arbitrary ones, and good files with changes.

use flate2::Crc;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Numbers at which readers stumble, as text.
const NUMBERS: [&str; 8] =
    ["0", "-1", "1", "65536", "1152921504606846976", "9223372036854775807", "18446744073709551615", "1e999"];
/// What changes move, remove and repeat at once, at most.
const LONGEST: usize = 600;

/// A change of a file's bytes.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Write(Index, Vec<u8>),
    Number(Index, &'static str),
    Truncate(Index),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Splice(Index, Index, usize),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        let lengths = || prop_oneof![1usize..9, 1..LONGEST, Just(512)];
        let numbers = prop_oneof![any::<u64>(), Just(1 << 60), Just(u64::MAX), 0u64..1 << 20];
        let written = prop_oneof![
            vec(any::<u8>(), 1..9),
            (numbers, any::<bool>()).prop_map(|(n, big)| if big { n.to_be_bytes() } else { n.to_le_bytes() }.to_vec()),
        ];
        prop_oneof![
            3 => (at(), 0u8..8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            3 => (at(), written).prop_map(|(at, bytes)| Self::Write(at, bytes)),
            3 => (at(), select(NUMBERS.as_slice())).prop_map(|(at, number)| Self::Number(at, number)),
            1 => at().prop_map(Self::Truncate),
            1 => (at(), lengths()).prop_map(|(at, length)| Self::Remove(at, length)),
            1 => (at(), lengths(), 1usize..5).prop_map(|(at, length, times)| Self::Repeat(at, length, times)),
            1 => (at(), at(), lengths()).prop_map(|(from, to, length)| Self::Splice(from, to, length)),
        ]
    }

    fn apply(self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let size = bytes.len();
        let range = |at: Index, length: usize| at.index(size)..size.min(at.index(size) + length);
        match self {
            Self::Flip(at, bit) => bytes[at.index(size)] ^= 1 << bit,
            Self::Write(at, new) => drop(bytes.splice(range(at, new.len()), new)),
            Self::Number(at, number) => {
                let digits = bytes.iter().skip(at.index(size)).position(u8::is_ascii_digit).map(|p| p + at.index(size));
                let Some(start) = digits else { return };
                let end = bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(size, |p| p + start);
                drop(bytes.splice(start..end, number.bytes()));
            }
            Self::Truncate(at) => bytes.truncate(at.index(size)),
            Self::Remove(at, length) => drop(bytes.drain(range(at, length))),
            Self::Repeat(at, length, times) => {
                let range = range(at, length);
                let again = bytes[range.clone()].repeat(times);
                drop(bytes.splice(range.end..range.end, again));
            }
            Self::Splice(from, to, length) => {
                let piece = bytes[range(from, length)].to_vec();
                let to = to.index(size);
                drop(bytes.splice(to..to, piece));
            }
        }
    }
}

/// Arbitrary bytes, or one of some good files with a few changes. Of half of them `mend` sets checksums right, so that what
/// lies behind those is tried, too.
pub(super) fn foreign(good: Vec<Vec<u8>>, mend: fn(&mut [u8])) -> impl Strategy<Value = Vec<u8>> {
    let damaged =
        (select(good), vec(Change::any(), 1..6), any::<bool>()).prop_map(move |(mut bytes, changes, mended)| {
            changes.into_iter().for_each(|change| change.apply(&mut bytes));
            if mended {
                mend(&mut bytes);
            }
            bytes
        });
    prop_oneof![1 => vec(any::<u8>(), 0..300), 9 => damaged]
}

/// For what has no checksums.
pub(super) fn as_it_is(_: &mut [u8]) {}

/// Sets the checksum of every chunk of a PNG right.
pub(super) fn mend_png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let end = at + 8 + length;
        let Some(body) = bytes.get(at + 4..end) else { return };
        let mut crc = Crc::new();
        crc.update(body);
        let Some(sum) = bytes.get_mut(end..end + 4) else { return };
        sum.copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
}

/// Sets the checksum of every header of a tar right, as far as they follow each other.
pub(super) fn mend_tar(bytes: &mut [u8]) {
    const BLOCK: usize = 512;
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = std::str::from_utf8(&header[124..135]).ok().and_then(|text| usize::from_str_radix(text, 8).ok());
        at += BLOCK + size.unwrap_or(0).next_multiple_of(BLOCK);
    }
}
