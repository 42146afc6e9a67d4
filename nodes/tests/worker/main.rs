//! The worker as the engine uses it: a job file in, events and an artifact out.

mod bad_inputs;
mod bad_jobs;
mod chain;
mod diffusers;
mod eval;
mod export;
mod exports;
mod golden;
mod hostile_files;
mod hub;
mod image_folder;
mod lab;
mod large;
mod latents;
mod merging;
mod non_finite;
mod precision;
mod pretrained_lora;
mod resume;
mod sameness;
mod samples;
mod scorers;
mod stable_diffusion;
mod tiny_models;
mod tiny_scores;
mod web_dataset;
