//! Colour profiles: what is not sRGB becomes it.

use image::{DynamicImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

use super::Remark;

/// By how much colours may differ that are taken for the same.
const SAME: u8 = 1;
/// Shades of each channel that profiles are compared at.
const SHADES: [u8; 6] = [0, 20, 51, 102, 180, 255];

/// RGBA → RGBA in sRGB, or nothing if the profile does not do.
type Conversion = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

/// A picture in sRGB, as `ImageCms.profileToProfile` makes it. One that is sRGB by another name stays as it is; so does one
/// whose profile cannot be read or is of other channels, which is remarked.
pub(super) fn to_srgb(picture: &DynamicImage, profile: Option<&[u8]>) -> (RgbaImage, Option<Remark>) {
    let rgba = picture.to_rgba8();
    let Some(profile) = profile else { return (rgba, None) };
    let grey = !picture.color().has_color();
    match ColorProfile::new_from_slice(profile).ok().and_then(|profile| conversion(&profile, grey)) {
        None => (rgba, Some(Remark::Profile)),
        Some(convert) if is_nothing(&convert) => (rgba, None),
        Some(convert) => {
            match convert(rgba.as_raw()).and_then(|done| RgbaImage::from_raw(rgba.width(), rgba.height(), done)) {
                Some(done) => (done, Some(Remark::Converted)),
                None => (rgba, Some(Remark::Profile)),
            }
        }
    }
}

/// RGBA by this profile → RGBA.
fn conversion(profile: &ColorProfile, grey: bool) -> Option<Conversion> {
    let from = match profile.color_space {
        DataColorSpace::Rgb => Layout::Rgba,
        DataColorSpace::Gray if grey => Layout::GrayAlpha,
        _ => return None,
    };
    let options = TransformOptions { rendering_intent: RenderingIntent::Perceptual, ..TransformOptions::default() };
    let transform = profile.create_transform_8bit(from, &ColorProfile::new_srgb(), Layout::Rgba, options).ok()?;
    Some(Box::new(move |rgba| {
        let mut done = vec![0; rgba.len()];
        match from {
            Layout::GrayAlpha => {
                let grey: Vec<u8> = rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[3]]).collect();
                transform.transform(&grey, &mut done).ok()?;
            }
            _ => transform.transform(rgba, &mut done).ok()?,
        }
        Some(done)
    }))
}

/// Whether a conversion changes no colour by more than rounding does.
fn is_nothing(convert: &Conversion) -> bool {
    let greys = SHADES.into_iter().flat_map(|grey| [grey, grey, grey, 255]);
    let pairs = SHADES.into_iter().flat_map(|r| SHADES.into_iter().map(move |g| (r, g)));
    let colours = pairs.flat_map(|(r, g)| SHADES.into_iter().flat_map(move |b| [r, g, b, 255]));
    let samples: Vec<u8> = greys.chain(colours).collect();
    convert(&samples).is_some_and(|done| done.iter().zip(&samples).all(|(to, from)| to.abs_diff(*from) <= SAME))
}
