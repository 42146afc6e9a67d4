//! What is worth a word of a picture that is read.

use hyper_flow_spec::Level;

/// What is worth a word of a picture that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Remark {
    /// It was not in sRGB.
    Converted,
    /// Its colours may be others.
    Profile,
    /// It is a CMYK JPEG.
    Inks,
    /// There are more in the file.
    Several,
}

impl Remark {
    /// How much it matters.
    pub(crate) fn level(self) -> Level {
        if self == Remark::Converted { Level::Info } else { Level::Warning }
    }

    /// What follows "n pictures ".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Remark::Converted => "are converted to sRGB from the colour profile that they carry",
            Remark::Profile => "have a colour profile that cannot be read, and are taken for sRGB",
            Remark::Inks => "are of four inks (CMYK), and become RGB without a colour profile",
            Remark::Several => "are the first frame or page of a file that has more",
        }
    }
}
