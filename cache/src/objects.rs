//! Contents by digest.
