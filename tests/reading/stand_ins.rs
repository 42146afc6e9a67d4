//! What is run in place of commands that take hours, need a network or another user, or do not end.

/// A command as a document has it, and what a test can run of it. (The command line parses it as it is in any case.)
pub(crate) struct StandIn {
    pub(crate) command: &'static str,
    pub(crate) instead: &'static [&'static str],
    pub(crate) why: &'static str,
}

const fn stand_in(command: &'static str, instead: &'static [&'static str], why: &'static str) -> StandIn {
    StandIn { command, instead, why }
}

pub(crate) const STAND_INS: &[StandIn] = &[
    stand_in(
        "make demo",
        &[
            "make -n demo | grep -qx 'target/release/hyper-flow run pipelines/digits.ron'",
            "hyper-flow run pipelines/digits.ron",
        ],
        "it downloads libtorch and builds",
    ),
    stand_in("make test", &["make -n test | grep -q 'cargo test --workspace'"], "these tests are part of it"),
    stand_in("cargo run -- run pipelines/hello.ron", &["hyper-flow run pipelines/hello.ron"], "it builds"),
    stand_in("cargo test --workspace --test reading", &["test -e tests/reading/main.rs"], "it is this test"),
    stand_in("cargo test --workspace --lib lora", &["cargo test --help"], "it builds"),
    stand_in(".ci/run", &["bash -n .ci/run"], "these tests are part of it"),
    stand_in(
        "hyper-flow run pipelines/digits.ron --set tscd-4.steps=200",
        &["hyper-flow run pipelines/digits.ron --set tscd-4.steps=3"],
        "two steps or three say as much",
    ),
    stand_in(
        "hyper-flow fmt --check pipelines/*.ron",
        &["hyper-flow fmt --check pipelines/hello.ron"],
        "the others are made shorter here, by no formatter; tests/command_line/editing.rs checks all that ship",
    ),
    stand_in(
        "nohup hyper-flow run pipelines/digits.ron &",
        &["nohup hyper-flow run pipelines/digits.ron"],
        "what is left running would be in the way of what follows",
    ),
    stand_in(
        "python3 pipelines/data/emoji.py",
        &["python3 pipelines/data/emoji.py --help"],
        "it needs npm and a network",
    ),
    stand_in(
        "hyper-flow run pipelines/emoji.ron",
        &["hyper-flow plan pipelines/emoji.ron"],
        "the pictures are not there",
    ),
    stand_in(
        "hyper-flow run pipelines/ablation.ron",
        &["hyper-flow plan pipelines/ablation.ron"],
        "338 nodes; tests/shipped/ablation.rs runs a smaller matrix",
    ),
    stand_in(
        "python3 tests/parity/convert_pickle.py ImageReward.pt ImageReward.safetensors",
        &["python3 -c \"import ast; ast.parse(open('tests/parity/convert_pickle.py').read())\""],
        "it needs torch, and weights",
    ),
    stand_in(
        "hyper-flow run pipelines/hyper-sd15.ron --params mine.ron",
        &["hyper-flow plan pipelines/hyper-sd15.ron --params mine.ron"],
        "it needs a GPU for weeks; the worker's tests run it with a tiny model",
    ),
    stand_in(
        "hyper-flow run pipelines/hyper-sd15.ron --params mine.ron --set 'base=Diffusers(path: \"my-model.safetensors\", tokenizer: \"tokenizer\")'",
        &[
            "hyper-flow plan pipelines/hyper-sd15.ron --params mine.ron --set 'base=Diffusers(path: \"my-model.safetensors\", tokenizer: \"tokenizer\")'",
        ],
        "as before",
    ),
    stand_in(
        "hyper-flow run pipelines/style.ron --params mine.ron",
        &["hyper-flow plan pipelines/style.ron --params mine.ron"],
        "it needs a GPU; the worker's tests run it with a tiny model, and export what comes of it",
    ),
    stand_in(
        "hyper-flow export pipelines/style.ron export my-style-in-four-steps --params mine.ron",
        &["hyper-flow plan pipelines/style.ron --params mine.ron"],
        "as before",
    ),
    stand_in(
        "hyper-flow --store /data/store store init --shared --group artists",
        &["hyper-flow --store data/store store init --shared"],
        "nobody here is in a group of artists",
    ),
    stand_in(
        "hyper-flow --store /data/store run pipelines/hello.ron",
        &["hyper-flow --store data/store run pipelines/hello.ron"],
        "the folder is another",
    ),
    stand_in(
        "hyper-flow show pipelines/digits.ron eval --open",
        &["hyper-flow show pipelines/digits.ron eval"],
        "nobody here can look at it",
    ),
    stand_in("pip install tensorboard", &["hyper-flow runs path"], "it needs a network"),
    stand_in(
        "tensorboard --logdir \"$(hyper-flow runs path)\"",
        &["test -d \"$(hyper-flow runs path)\""],
        "it serves until it is stopped, and may not be here",
    ),
    stand_in("pip install \"trackio[tensorboard]\"", &["hyper-flow runs path"], "it needs a network"),
    stand_in(
        "python3 -c 'import trackio; trackio.import_tf_events(\"'\"$(hyper-flow runs path)\"'\", project=\"curves\")'",
        &["test -d \"$(hyper-flow runs path)\""],
        "trackio may not be here",
    ),
    stand_in("trackio show --project curves", &["hyper-flow runs path"], "as before"),
    stand_in("hyper-flow ui", &["hyper-flow ui --help"], "it serves until it is stopped; tests/page drives it"),
    stand_in(
        "ssh -L 8123:127.0.0.1:8123 HOST hyper-flow ui --port 8123",
        &["hyper-flow ui --help"],
        "there is no other machine",
    ),
    stand_in("npm ci", &["python3 -m json.tool src/lsp/vscode/package-lock.json"], "it needs a network"),
    stand_in(
        "npx @vscode/vsce package --allow-missing-repository",
        &["python3 -m json.tool src/lsp/vscode/package.json"],
        "it needs a network",
    ),
    stand_in(
        "code --install-extension hyper-flow-0.1.0.vsix",
        &["test -e src/lsp/vscode/extension.js"],
        "no editor is here",
    ),
    stand_in(
        "echo 'source <(hyper-flow completions bash)' >> ~/.bashrc",
        &["hyper-flow completions bash"],
        "it is for a shell that somebody uses",
    ),
];
