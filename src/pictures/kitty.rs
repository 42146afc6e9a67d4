//! kitty's graphics protocol: <https://sw.kovidgoyal.net/kitty/graphics-protocol/>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;

/// Bytes of base64 in one command.
const PIECE: usize = 4096;

/// A PNG over so many columns. The terminal is asked for no answer, which nobody would read.
pub(super) fn write(sent: &mut Vec<u8>, picture: &RgbImage, columns: u32) {
    let text = STANDARD.encode(png(picture));
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let more = u8::from(index + 1 < pieces.len());
        let first = if index == 0 { format!("a=T,f=100,q=2,c={columns},") } else { String::new() };
        sent.extend(format!("\x1b_G{first}m={more};").bytes());
        sent.extend(*piece);
        sent.extend(b"\x1b\\");
    }
}

/// A picture as a PNG.
pub(super) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG of bytes is written to memory");
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_what_was_sent() {
        let noise = |x: u32, y: u32| image::Rgb([x * 7 + y * 13, x * y, x ^ (y * 31)].map(|value| value as u8));
        let picture = RgbImage::from_fn(80, 60, noise);
        let mut sent = Vec::new();
        write(&mut sent, &picture, 8);
        let text = String::from_utf8(sent).unwrap();
        let commands: Vec<&str> = text.split_terminator("\x1b\\").collect();
        assert!(commands.len() > 1 && commands[0].starts_with("\x1b_Ga=T,f=100,q=2,c=8,m=1;"));
        assert!(commands.iter().all(|command| command.split_once(';').unwrap().1.len() <= PIECE));
        assert!(commands.last().unwrap().starts_with("\x1b_Gm=0;"));
        let data: String = commands.iter().map(|command| command.split_once(';').unwrap().1).collect();
        let decoded = image::load_from_memory(&STANDARD.decode(data).unwrap()).unwrap();
        assert_eq!(decoded.to_rgb8(), picture);
    }
}
