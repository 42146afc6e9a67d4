//! Two pixels a character: `▀` in the colour of the upper one, on that of the lower one.

use std::fmt::Write;

use ansi_colours::ansi256_from_rgb;
use image::{Rgb, RgbImage};

/// Lines with colours, which end with the line.
pub(super) fn write(sent: &mut Vec<u8>, picture: &RgbImage, true_color: bool) {
    for y in (0..picture.height()).step_by(2) {
        let mut line = String::from("  ");
        let mut before = None;
        for x in 0..picture.width() {
            let pixels = (picture.get_pixel(x, y), picture.get_pixel_checked(x, y + 1));
            if before != Some(pixels) {
                color(&mut line, pixels.0, pixels.1, true_color);
                before = Some(pixels);
            }
            line.push('▀');
        }
        line += "\x1b[0m\n";
        sent.extend(line.bytes());
    }
}

/// Sets both colours; below an odd last line that of the terminal.
fn color(line: &mut String, upper: &Rgb<u8>, lower: Option<&Rgb<u8>>, true_color: bool) {
    let shade = |of: &Rgb<u8>| match (of.0, true_color) {
        ([r, g, b], true) => format!("2;{r};{g};{b}"),
        (rgb, false) => format!("5;{}", ansi256_from_rgb(rgb)),
    };
    let below = lower.map_or_else(|| "49".to_owned(), |of| format!("48;{}", shade(of)));
    let _ = write!(line, "\x1b[38;{};{below}m", shade(upper));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(true_color: bool) -> String {
        let picture = RgbImage::from_fn(2, 3, |x, y| if y == 1 { Rgb([0, 0, 255]) } else { Rgb([255, 0, x as u8]) });
        let mut sent = Vec::new();
        write(&mut sent, &picture, true_color);
        String::from_utf8(sent).unwrap()
    }

    #[test]
    fn two_pixels_are_a_character() {
        assert_eq!(
            sent(true),
            "  \x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[38;2;255;0;1;48;2;0;0;255m▀\x1b[0m\n  \
             \x1b[38;2;255;0;0;49m▀\x1b[38;2;255;0;1;49m▀\x1b[0m\n"
        );
        assert!(sent(false).starts_with("  \x1b[38;5;196;48;5;21m▀"));
    }
}
