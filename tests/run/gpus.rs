//! Which GPU a node is given and what its worker is told, on machines whose GPUs are made up: the worker is a shell script.

use std::os::unix::fs::PermissionsExt;

use crate::lab::Lab;

/// It writes what it was given into its artifact, and says that its GPU is `$GPU`.
const WORKER: &str = r#"#!/bin/sh
if [ "$1" = describe ]; then
    echo '{"worker":"VERSION","protocol":1,"kinds":{},"libtorch":"none","cpu":"cpu:none","gpus":["cuda:sm_90(A)","cuda:sm_75(B)"]}'
    exit
fi
out=$(sed -n 's|^ *"output": "\([^"]*\)",*$|\1|p' "$2")
told=$(tr -d ' \n' < "$2" | grep -o '"device":[^,]*')
echo "[$CUDA_VISIBLE_DEVICES] $CUDA_DEVICE_ORDER $told $CUBLAS_WORKSPACE_CONFIG" > "$out/x"
used=cpu:nonex1
[ -n "$CUDA_VISIBLE_DEVICES" ] && used=$GPU
echo '{"event":"started","device":"'"$used"'","libtorch":"none","worker":"VERSION"}'
DOES
"#;

/// Pictures, and a training that computes on a GPU.
fn lab(does: &str, settings: &str, more: &str) -> Lab {
    let lab = Lab::new();
    lab.write("worker", &WORKER.replace("VERSION", env!("CARGO_PKG_VERSION")).replace("DOES", does));
    std::fs::set_permissions(lab.path("worker"), PermissionsExt::from_mode(0o755)).unwrap();
    lab.write("data", "");
    lab.write(
        "p.ron",
        &format!(
            r#"Pipeline(name: "p", {more} nodes: {{"a": Digits(file: "data"), "b": TrainClip(data: "a", steps: 1)}},
                settings: {{"*": ({settings})}})"#
        ),
    );
    let worker = lab.text_path("worker");
    lab.with("HYPER_FLOW_WORKER", &worker)
}

#[test]
fn only_what_computes_on_a_gpu_is_given_one() {
    for (settings, visible, expected) in [
        ("device: Cuda(1)", "4,7", r#"[7] PCI_BUS_ID "device":{"Cuda":0} "#),
        ("device: Auto", "MIG-1a,GPU-2b", r#"[MIG-1a] PCI_BUS_ID "device":{"Cuda":0} "#),
        ("device: Auto", "", r#"[] PCI_BUS_ID "device":"Cpu" "#),
        ("device: Cpu", "4,7", r#"[] PCI_BUS_ID "device":"Cpu" "#),
    ] {
        let lab = lab("", settings, "");
        lab.run_with(&[], &[("CUDA_VISIBLE_DEVICES", visible)]).expect_ran(&["a", "b"]);
        assert_eq!(lab.artifact("a", "x"), "[] PCI_BUS_ID \"device\":\"Cpu\" \n", "{settings}");
        assert_eq!(lab.artifact("b", "x"), format!("{expected}\n"), "{settings}");
    }
}

#[test]
fn who_wants_another_order_gets_it() {
    let lab = lab("", "device: Auto", "");
    lab.run_with(&[], &[("CUDA_VISIBLE_DEVICES", "1"), ("CUDA_DEVICE_ORDER", "FASTEST_FIRST")]).expect_ran(&["a", "b"]);
    assert_eq!(lab.artifact("b", "x"), "[1] FASTEST_FIRST \"device\":{\"Cuda\":0} \n");
}

#[test]
fn a_gpu_without_room_is_not_tried_again() {
    let fails = r#"[ -z "$CUDA_VISIBLE_DEVICES" ] && exit
        echo tried >> "$HOME/tries"
        echo '{"event":"out_of_memory"}'; echo '{"event":"message","level":"error","text":"the GPU has no room"}'; exit 1"#;
    let lab = lab(fails, "retries: 3", "");
    let ended = lab.run_with(&[], &[("CUDA_VISIBLE_DEVICES", "0")]);
    assert_eq!(ended.failure("b"), "the GPU has no room");
    assert_eq!(lab.tallied("tries"), 1);
}

#[test]
fn what_is_exact_is_computed_where_its_key_says() {
    let exact = |arguments: &[&str], gpu: &str| {
        let lab = lab("", "threads: 1", "reproducibility: Exact,");
        let ended = lab.run_with(arguments, &[("CUDA_VISIBLE_DEVICES", "0,1"), ("GPU", gpu)]);
        (lab, ended)
    };
    let (lab, ended) = exact(&[], "cuda:sm_90(A)x1");
    ended.expect_ran(&["a", "b"]);
    assert!(lab.artifact("b", "x").ends_with(" :4096:8\n"), "products are the same each time");
    for (arguments, gpu, used) in
        [(&[][..], "cuda:sm_75(B)x1", "cuda:sm_75(B)x1 libtorch none"), (&["--gpus", "0"], "", "the CPU")]
    {
        let message = exact(arguments, gpu).1.failure("b").to_owned();
        let expected = format!("its key is of `cuda:sm_90(A)x1 libtorch none`, and it would be computed on `{used}`");
        assert!(message.contains(&expected) && message.contains("`device: Cpu`"), "{message}");
    }
}
