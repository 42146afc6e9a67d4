//! The memory that this process has, and the most that it has had.

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

/// What libtorch took from the driver, as it says itself.
fn of_gpu(index: usize) -> Option<u64> {
    Some(hyper_flow_torch_ext::device_memory(index).ok()?.reserved)
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
}
