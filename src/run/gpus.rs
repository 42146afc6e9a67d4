//! Which GPUs there are, by the names that `CUDA_VISIBLE_DEVICES` takes: numbers, `GPU-…`, or `MIG-…` for a part of one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::process::Command;

/// By which of its orders CUDA counts.
const ORDER: &str = "CUDA_DEVICE_ORDER";

/// CUDA's order for whatever computes: that of the bus, as `nvidia-smi` counts, unless the user wants another. By itself CUDA
/// puts the fastest first, and a number would mean another GPU.
pub(super) fn order() -> (&'static str, OsString) {
    (ORDER, std::env::var_os(ORDER).unwrap_or_else(|| "PCI_BUS_ID".into()))
}

/// The GPUs that the environment leaves us, or all.
pub(super) fn found() -> Vec<String> {
    Driver::at(Path::new("/")).gpus(std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref())
}

/// NVIDIA's driver, as it shows in files.
struct Driver {
    root: PathBuf,
}

impl Driver {
    fn at(root: &Path) -> Driver {
        Driver { root: root.to_owned() }
    }

    fn gpus(&self, visible: Option<&str>) -> Vec<String> {
        match visible {
            Some(visible) => visible_of(visible, self.count()),
            None if self.is_parted() || self.is_of_windows() => self.listed(),
            None => (0..self.count()).map(|index| index.to_string()).collect(),
        }
    }

    /// The driver lists its GPUs; containers may show only the device files.
    fn count(&self) -> usize {
        match self.entries("proc/driver/nvidia/gpus").count() {
            0 => self.entries("dev").filter(|entry| is_gpu(&name(entry))).count(),
            listed => listed,
        }
    }

    /// Whether a GPU is parted by MIG: then only its parts compute.
    fn is_parted(&self) -> bool {
        let folders = self.entries("proc/driver/nvidia/capabilities").map(|entry| entry.path().join("mig"));
        let mut parts = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        parts.any(|entry| name(&entry).starts_with("gi"))
    }

    /// Whether this is Linux in Windows, which shows no GPU but a way to those of Windows.
    fn is_of_windows(&self) -> bool {
        self.count() == 0 && self.root.join("dev/dxg").exists() && self.of_windows("libcuda.so.1").exists()
    }

    fn of_windows(&self, file: &str) -> PathBuf {
        self.root.join("usr/lib/wsl/lib").join(file)
    }

    /// As NVIDIA's own program lists them, which knows the names of parts. Where that does not answer, there is one.
    fn listed(&self) -> Vec<String> {
        let own = self.of_windows("nvidia-smi");
        let program = if own.exists() { own } else { "nvidia-smi".into() };
        let answer = Command::new(program).arg("-L").output().ok().filter(|answer| answer.status.success());
        let names = answer.map(|answer| names(&String::from_utf8_lossy(&answer.stdout))).unwrap_or_default();
        if names.is_empty() { vec!["0".to_owned()] } else { names }
    }

    fn entries(&self, path: &str) -> impl Iterator<Item = DirEntry> {
        fs::read_dir(self.root.join(path)).into_iter().flatten().flatten()
    }
}

fn name(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

fn is_gpu(name: &str) -> bool {
    name.strip_prefix("nvidia").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// What CUDA makes of the variable: it stops at the first name that is none. Of a GPU that is named twice it sees nothing at
/// all; here that is once, so that no two nodes share it.
fn visible_of(visible: &str, count: usize) -> Vec<String> {
    let is_there = |name: &str| match name.parse::<usize>() {
        Ok(index) => count == 0 || index < count,
        Err(_) => name.starts_with("GPU-") || name.starts_with("MIG-"),
    };
    let mut seen = BTreeSet::new();
    let names = visible.split(',').map(str::trim).take_while(|name| is_there(name));
    names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

/// The identities in `nvidia-smi -L`: those of its parts for a GPU that has some, which follow it further in.
fn names(listed: &str) -> Vec<String> {
    let identity = |line: &str| Some(line.split_once("(UUID: ")?.1.split_once(')')?.0.trim().to_owned());
    let mut names: Vec<String> = Vec::new();
    let mut whole = false;
    for (line, identity) in listed.lines().filter_map(|line| Some((line, identity(line)?))) {
        let is_part = line.starts_with(char::is_whitespace);
        if is_part && std::mem::take(&mut whole) {
            names.pop();
        }
        whole |= !is_part;
        names.push(identity);
    }
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    /// A root that has these files; folders end with a slash.
    fn root(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        root
    }

    fn seen(files: &[(&str, &str)], visible: Option<&str>) -> Vec<String> {
        Driver::at(root(files).path()).gpus(visible)
    }

    const TWO: [(&str, &str); 2] = [
        ("proc/driver/nvidia/gpus/0000:17:00.0/information", "Model: x"),
        ("proc/driver/nvidia/gpus/0000:65:00.0/information", "Model: x"),
    ];

    #[test]
    fn gpus_are_counted_by_the_driver_or_by_device_files() {
        assert_eq!(seen(&[], None), [""; 0]);
        assert_eq!(seen(&TWO, None), ["0", "1"]);
        assert_eq!(
            seen(&[("dev/nvidia0", ""), ("dev/nvidia1", ""), ("dev/nvidiactl", ""), ("dev/nvidia-uvm", "")], None)
                .len(),
            2
        );
    }

    #[test]
    fn the_variable_is_understood_as_cuda_does() {
        for (visible, expected) in [
            ("1", &["1"][..]),
            ("1,0", &["1", "0"]),
            ("0,7,1", &["0"]),
            ("", &[]),
            ("-1", &[]),
            ("NoDevFiles", &[]),
            ("1,1", &["1"]),
            ("GPU-5d5ba0d6, MIG-3a2b,x", &["GPU-5d5ba0d6", "MIG-3a2b"]),
        ] {
            assert_eq!(seen(&TWO, Some(visible)), expected, "{visible}");
        }
        assert_eq!(seen(&[], Some("3")), ["3"], "nothing is known of how many there are");
    }

    const LISTED: &str = "#!/bin/sh\ncat <<'END'\n\
        GPU 0: NVIDIA A100 (UUID: GPU-a)\n  MIG 3g.20gb     Device  0: (UUID: MIG-b)\n  MIG 3g.20gb     Device  1: (UUID: MIG-c)\n\
        GPU 1: NVIDIA A100 (UUID: GPU-d)\nEND\n";

    #[test]
    fn of_a_parted_gpu_the_parts_are_named() {
        let parts = ("proc/driver/nvidia/capabilities/gpu0/mig/gi1/access", "");
        let program = ("usr/lib/wsl/lib/nvidia-smi", LISTED);
        assert_eq!(seen(&[TWO[0], TWO[1], parts, program], None), ["MIG-b", "MIG-c", "GPU-d"]);
        let whole = ("proc/driver/nvidia/capabilities/mig/config", "");
        assert_eq!(seen(&[TWO[0], whole, program], None), ["0"], "a driver that could part its GPUs");
    }

    #[test]
    fn linux_in_windows_has_those_of_windows() {
        let library = ("usr/lib/wsl/lib/libcuda.so.1", "");
        let program = ("usr/lib/wsl/lib/nvidia-smi", "#!/bin/sh\necho 'GPU 0: NVIDIA RTX (UUID: GPU-e)'\n");
        assert_eq!(seen(&[("dev/dxg", ""), library, program], None), ["GPU-e"]);
        let broken = ("usr/lib/wsl/lib/nvidia-smi", "#!/bin/sh\nexit 9\n");
        assert_eq!(seen(&[("dev/dxg", ""), library, broken], None), ["0"]);
        assert_eq!(seen(&[("dev/dxg", "")], None), [""; 0], "Windows has no driver of NVIDIA");
    }
}
