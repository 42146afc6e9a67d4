//! Parity with diffusers and peft, by fixtures that the scripts in tests/parity of the repository made.

mod lora;
mod support;
mod unet;
