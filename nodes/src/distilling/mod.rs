//! What several distillations share: the student, how it draws, what judges and watches it.
//!
//! What is absent: kinds. What only one kind does is in its own file.

pub(crate) mod adversary;
pub(crate) mod distillation;
pub(crate) mod feedback;
pub(crate) mod guard;
pub(crate) mod paint;
pub(crate) mod perception;
pub(crate) mod student;
