//! Parity with diffusers and peft, by fixtures that the scripts in tests/parity of the repository made.

mod clip;
mod export;
mod folders;
mod lora;
mod lora_keys;
mod losses;
mod metrics;
mod optim;
mod scheduler;
mod support;
mod text_encoders;
mod tokenizer;
mod unet;
mod vae;
