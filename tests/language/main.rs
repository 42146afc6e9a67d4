//! The pipeline language: what it means, and every mistake that it tells.

mod commands;
mod documentation;
mod foreign;
mod matrix;
mod meaning;
mod mistakes;
mod properties;
mod size;
mod support;
