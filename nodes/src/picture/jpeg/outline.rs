//! What a JPEG's markers say of it, without its data.

use std::borrow::Cow;

const FILL: u8 = 0xff;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Where the data of a JPEG end, and what they are of.
#[derive(Debug, Default)]
pub(super) struct Outline {
    components: Vec<Component>,
    first_scan: usize,
    data_end: usize,
    ended: bool,
}

#[derive(Debug)]
struct Component {
    id: u8,
    /// Horizontal and vertical factor.
    sampling: [u8; 2],
    /// For each coefficient how many of its bits are still to come, if any have.
    missing: [Option<u8>; 64],
}

impl Outline {
    /// Reads as far as there is a first picture.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (mut outline, mut at) = (Self::default(), 0);
        while let Some((marker, after)) = marker(bytes, at) {
            at = after;
            match marker {
                END => {
                    outline.ended = true;
                    break;
                }
                // Those that stand alone.
                0x01 | 0xd0..=0xd8 => {}
                _ => {
                    let Some(segment) = segment(bytes, after) else { break };
                    at += 2 + segment.len();
                    match marker {
                        SCAN => outline.scan(segment, bytes, &mut at),
                        // All frames, of which DHT, JPG and DAC are none.
                        0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => outline.frame(segment),
                        _ => {}
                    }
                }
            }
        }
        outline
    }

    fn frame(&mut self, segment: &[u8]) {
        let component = |c: &[u8]| Component { id: c[0], sampling: [c[1] >> 4, c[1] & 15], missing: [None; 64] };
        self.components = segment.get(6..).unwrap_or_default().chunks_exact(3).map(component).collect();
    }

    /// Notes what a scan brings, and goes to where its data end.
    fn scan(&mut self, segment: &[u8], bytes: &[u8], at: &mut usize) {
        if let Some((&count, rest)) = segment.split_first()
            && let Some((chosen, &[start, end, bits, ..])) = rest.split_at_checked(2 * usize::from(count))
        {
            for id in chosen.iter().step_by(2) {
                let components = self.components.iter_mut().filter(|component| component.id == *id);
                let those = usize::from(start)..=usize::from(end);
                components
                    .filter_map(|component| component.missing.get_mut(those.clone()))
                    .for_each(|m| m.fill(Some(bits & 15)));
            }
        }
        self.first_scan = if self.data_end == 0 { *at } else { self.first_scan };
        *at = data_end(bytes, *at);
        self.data_end = *at;
    }

    /// Whether the picture has its end mark.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing is left for further scans to bring.
    pub(super) fn has_every_scan(&self) -> bool {
        self.data_end > 0 && self.components.iter().all(|component| component.missing == [Some(0); 64])
    }

    /// Whether a component has more samples than the first, in width or height.
    pub(super) fn has_finer_chroma(&self) -> bool {
        let finest = |axis: usize| self.components.iter().map(|c| c.sampling[axis]).max();
        self.components.first().is_some_and(|luma| [0, 1].map(finest) != luma.sampling.map(Some))
    }

    /// The picture with something behind its data and an end mark.
    pub(super) fn closed<'a>(&self, bytes: &'a [u8], behind: &[u8]) -> Cow<'a, [u8]> {
        match self.ended && behind.is_empty() {
            true => Cow::Borrowed(bytes),
            false => [&bytes[..self.data_end], behind, &[FILL, END]].concat().into(),
        }
    }

    /// Where data begin.
    #[cfg(test)]
    pub(super) fn first_scan(&self) -> usize {
        self.first_scan
    }
}

/// The next marker and the place behind it.
fn marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let found = bytes.get(from..)?.windows(2).position(|pair| pair[0] == FILL && !matches!(pair[1], 0 | FILL))?;
    Some((bytes[from + found + 1], from + found + 2))
}

/// A marker's own bytes, without their length.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    bytes.get(at + 2..at + length.max(2))
}

/// Where the data of a scan end: at a marker that is no restart, or with the file.
fn data_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some((marker, after)) = marker(bytes, at) {
        if !matches!(marker, 0xd0..=0xd7) {
            let fill = bytes[from..after - 2].iter().rev().take_while(|&&byte| byte == FILL).count();
            return after - 2 - fill;
        }
        at = after;
    }
    // Half of a marker is no data.
    bytes.len() - bytes[from..].iter().rev().take_while(|&&byte| byte == FILL).count()
}
