//! iTerm2's inline images: <https://iterm2.com/documentation-images.html>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;

use super::kitty::png;

/// A PNG over so many columns.
pub(super) fn write(sent: &mut Vec<u8>, picture: &RgbImage, columns: u32) {
    let bytes = png(picture);
    let size = bytes.len();
    sent.extend(format!("\x1b]1337;File=inline=1;preserveAspectRatio=1;size={size};width={columns}:").bytes());
    sent.extend(STANDARD.encode(bytes).bytes());
    sent.push(0x07);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_what_was_sent() {
        let picture = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 200]));
        let mut sent = Vec::new();
        write(&mut sent, &picture, 1);
        let text = String::from_utf8(sent).unwrap();
        let (head, data) = text.split_once(':').unwrap();
        let data = STANDARD.decode(data.strip_suffix('\x07').unwrap()).unwrap();
        let size = data.len();
        assert_eq!(head, format!("\x1b]1337;File=inline=1;preserveAspectRatio=1;size={size};width=1"));
        assert_eq!(image::load_from_memory(&data).unwrap().to_rgb8(), picture);
    }
}
