//! x
/// x
pub struct Cause;
/// x
pub fn causes() {}
