#!/usr/bin/env python3
"""What nodes/libtorch/setup.py makes of drivers and GPUs that this machine does not have: their files are made up."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "nodes/libtorch"))
import driver  # noqa: E402
import setup  # noqa: E402

OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (root@builder)\nGCC version: gcc 12.2.0\n"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Feb 22 01:44:30 UTC 2024\nGCC version:  gcc 12.2.0\n"


def machine(files: dict[str, str]) -> driver.Driver:
    """The driver of a machine with these files."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            path = pathlib.Path(folder, path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        return driver.of(pathlib.Path(folder))


def loaded(version: str, gpus: list[str], text: str = OPEN) -> driver.Driver:
    lines = "\n".join(f"echo '{gpu}, {version}'" for gpu in gpus) or "exit 9"
    program = f"#!/bin/sh\n{lines}\n"
    return machine({"proc/driver/nvidia/version": text.format(version), "usr/lib/wsl/lib/nvidia-smi": program})


class Setup(unittest.TestCase):
    def refused(self, found: driver.Driver, *expected: str) -> None:
        with self.assertRaises(SystemExit) as end:
            setup.wants_cuda("auto", found)
        for text in (*expected, "HYPER_FLOW_CUDA=0"):
            self.assertIn(text, str(end.exception))
        self.assertTrue(setup.wants_cuda("1", found), "who says so gets it")
        self.assertFalse(setup.wants_cuda("0", found))

    def test_without_a_driver_nothing_of_cuda_is_brought(self):
        self.assertFalse(setup.wants_cuda("auto", driver.Driver()))

    def test_a_new_driver_and_gpu_are_taken(self):
        found = loaded("580.65.06", ["NVIDIA H200, 9.0"])
        self.assertEqual(found.gpus, (("NVIDIA H200", (9, 0)),))
        self.assertTrue(setup.wants_cuda("auto", found))
        self.assertTrue(setup.wants_cuda("auto", loaded("590.1", ["NVIDIA GTX 1080, 6.1", "NVIDIA T4, 7.5"])))

    def test_an_old_driver_is_refused(self):
        self.refused(loaded("550.54.14", ["NVIDIA A100, 8.0"]), "the NVIDIA driver is 550.54.14", "580 or newer")
        self.refused(loaded("470.1", [], CLOSED), "the NVIDIA driver is 470.1")

    def test_old_gpus_are_refused(self):
        self.refused(loaded("580.65.06", ["NVIDIA GTX 1080, 6.1"]), "7.5 and newer", "NVIDIA GTX 1080 (6.1)")

    def test_a_driver_that_tells_nothing_is_taken(self):
        self.assertTrue(setup.wants_cuda("auto", machine({"proc/driver/nvidia/version": "?"})))
        self.assertTrue(setup.wants_cuda("auto", loaded("580.65.06", ["[N/A], [N/A]"])))

    def test_linux_in_windows_has_the_driver_of_windows(self):
        files = {"dev/dxg": "", "usr/lib/wsl/lib/libcuda.so.1": ""}
        self.assertTrue(setup.wants_cuda("auto", machine(files)))
        files["usr/lib/wsl/lib/nvidia-smi"] = "#!/bin/sh\necho 'NVIDIA GeForce RTX 3080, 8.6, 537.13'\n"
        self.refused(machine(files), "537.13")


if __name__ == "__main__":
    unittest.main()
