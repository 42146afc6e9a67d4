//! What goes wrong.

/// What goes wrong with the answer to one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The connection ends before the answer.
    Hang,
    /// Silence after so many bytes of the body.
    Stall(usize),
    /// This status, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The length that is announced, and sent, is so many bytes too small, or too large.
    Longer(isize),
    /// Each byte of the body is another.
    WrongBytes,
    /// The whole file, whatever part was asked for, and the connection ends after so many bytes of it.
    Whole(usize),
    /// Another part than was asked for.
    OtherRange,
    /// No length is announced; the body ends with the connection.
    NoLength,
    /// `Content-Encoding: gzip`.
    Compressed,
}
