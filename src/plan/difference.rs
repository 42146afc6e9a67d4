//! x
/// x
pub struct Difference;
/// x
pub fn differences() {}
