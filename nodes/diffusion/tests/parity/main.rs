//! Parity with diffusers and peft, by fixtures that the scripts in tests/parity of the repository made.

mod export;
mod lora;
mod metrics;
mod optim;
mod scheduler;
mod support;
mod unet;
