//! What is written for readers: every command in it is run, every block in it is right, and every link leads somewhere.

mod blocks;
mod commands;
mod complete;
mod links;
mod markdown;
mod place;
mod small;
mod stand_ins;
mod walk;
