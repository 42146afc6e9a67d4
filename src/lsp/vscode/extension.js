// Starts `hyper-flow lsp`, and leaves the rest to VS Code's own client of the protocol.

const { commands, window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
  const command = workspace.getConfiguration("hyper-flow").get("path");
  const documentSelector = [{ language: "ron", scheme: "file" }, { language: "ron", scheme: "untitled" }];
  client = new LanguageClient("hyper-flow", { command, args: ["lsp"] }, { documentSelector });
  try {
    await client.start();
  } catch (error) {
    window.showErrorMessage(`\`${command} lsp\` did not start: ${error.message}. The setting hyper-flow.path says where the program is.`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  if (running?.isRunning()) {
    await running.stop();
  }
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  const changed = (event) => event.affectsConfiguration("hyper-flow.path") && restart();
  context.subscriptions.push(
    commands.registerCommand("hyper-flow.restart", restart),
    workspace.onDidChangeConfiguration(changed),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
