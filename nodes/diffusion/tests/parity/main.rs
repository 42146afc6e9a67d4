//! Parity with diffusers and peft, by fixtures that the scripts in tests/parity of the repository made.

mod adversarial;
mod bootstrap;
mod checkpointing;
mod clip;
mod export;
mod feedback;
mod folders;
mod full_size;
mod half;
mod image_processor;
mod lora;
mod lora_dropout;
mod lora_fuse;
mod lora_keys;
mod lora_trained;
mod losses;
mod metrics;
mod optim;
mod scheduler;
mod scores;
mod segmentation;
mod support;
mod text_encoders;
mod tokenizer;
mod unet;
mod vae;
