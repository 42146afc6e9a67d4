//! What the reporting commands print.
