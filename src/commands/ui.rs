//! `hyper-flow ui`.

use serde_json::json;

use crate::commands::context::{Context, Format};
use crate::error::Failure;
use crate::page::server::Server;

/// Shows runs and artifacts in a browser: live curves, pictures, comparisons
///
/// Only this machine can reach it, and only who has the address that is printed. Nothing is written. To look from
/// another machine: `ssh -L 8123:127.0.0.1:8123 HOST hyper-flow ui --port 8123`. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port to listen on; any that is free without it.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Opens the address in the browser.
    #[arg(long)]
    open: bool,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let store = context.existing_store()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Output)?;
    runtime.block_on(async {
        let server = Server::bind(store, args.port).await.map_err(|error| {
            let message = format!("failed to listen on port {} of this machine: {error}", args.port);
            Failure::usage(message, "name another one with `--port`, or none")
        })?;
        let address = server.address();
        context.print(|_, out| {
            match context.format {
                Format::Quiet => writeln!(out, "{address}"),
                Format::Json => writeln!(out, "{}", json!({ "address": address })),
                Format::Human => writeln!(out, "{address}\nCtrl-C ends it"),
            }?;
            out.flush()
        })?;
        // It was printed, so that one whose system opens nothing is not lost.
        if args.open
            && let Err(error) = open::that_detached(&address)
        {
            tracing::warn!(%error, "no browser was opened");
        }
        server.serve(stopped()).await.map_err(Failure::Output)
    })
}

/// Until the user or the system asks to stop.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate()).ok();
    let term = async {
        match &mut terminated {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term => {}
    }
}
