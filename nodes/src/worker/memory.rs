//! The memory that this process has, and the most that it has had.

use std::process::Command;

use hyper_flow_spec::Memory;
use tch::Device;

/// What the system tells of the resident set's high-water mark.
const PEAK: &str = "VmHWM:";
/// And of what is resident now.
const NOW: &str = "VmRSS:";

/// The most, as the system tells it; `None` where that is not Linux.
pub(crate) fn peak(device: Device) -> Option<Memory> {
    let gpu = if let Device::Cuda(index) = device { of_gpu(index) } else { None };
    Some(Memory { peak: bytes(&status()?, PEAK)?, gpu })
}

/// What is resident now; `None` where that is not Linux.
pub(crate) fn resident() -> Option<u64> {
    bytes(&status()?, NOW)
}

fn status() -> Option<String> {
    std::fs::read_to_string("/proc/self/status").ok()
}

/// What a line says.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// What the driver gave this process. libtorch keeps what it once had, so that asking late is enough.
fn of_gpu(index: usize) -> Option<u64> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let name = visible.split(',').nth(index).filter(|name| !name.is_empty()).map_or(index.to_string(), str::to_owned);
    let query = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"];
    let answer = Command::new("nvidia-smi").args(query).arg(format!("--id={name}")).output().ok()?;
    of_process(&String::from_utf8_lossy(&answer.stdout), std::process::id())
}

/// The share of a process in lines of a number and MiB. In a container its number is another: there the only one on the
/// GPU must be it.
fn of_process(lines: &str, process: u32) -> Option<u64> {
    let parse = |line: &str| {
        let (pid, mib) = line.split_once(',')?;
        Some((pid.trim().parse().ok()?, mib.trim().parse::<u64>().ok()? << 20))
    };
    let shares: Vec<(u32, u64)> = lines.lines().filter_map(parse).collect();
    let own = shares.iter().find(|(pid, _)| *pid == process);
    let only = shares.first().filter(|_| shares.len() == 1);
    own.or(only).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_no_less_than_what_was_held() {
        let before = peak(Device::Cpu).unwrap().peak;
        let held = vec![1_u8; 200 << 20];
        assert!(held.iter().step_by(4096).all(|byte| *byte == 1));
        assert!(resident().unwrap() >= 200 << 20);
        drop(held);
        let after = peak(Device::Cpu).unwrap();
        assert!(after.peak >= before.max(200 << 20), "{} then {}", before, after.peak);
        assert_eq!(after.gpu, None);
        assert_eq!(bytes("Name:\tx\nVmHWM:\t  116 kB\n", PEAK), Some(116 << 10));
    }

    #[test]
    fn a_share_of_the_gpu_is_that_of_the_process_or_of_the_only_one() {
        let two = "17, 300\n4, 20\n";
        assert_eq!(of_process(two, 4), Some(20 << 20));
        assert_eq!(of_process(two, 5), None);
        assert_eq!(of_process("17, 300\n", 5), Some(300 << 20));
        assert_eq!(of_process("17, [N/A]\n", 17), None);
        assert_eq!(of_process("", 17), None);
    }
}
