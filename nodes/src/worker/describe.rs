//! What this worker is, for the engine to compare with itself.

use hyper_flow_spec::{Description, Kind, KindSpec, KindVisitor, PROTOCOL, VERSION};

use super::device;

/// The version of libtorch that this worker is built against.
pub(crate) const LIBTORCH: &str = env!("HYPER_FLOW_LIBTORCH");

struct VersionOf;

impl KindVisitor for VersionOf {
    type Out = u32;

    fn visit<K: KindSpec>(self) -> u32 {
        K::VERSION
    }
}

/// Describes this worker.
pub fn describe() -> Description {
    let kinds = Kind::NAMES.iter().filter_map(|name| Some(((*name).to_owned(), Kind::visit(name, VersionOf)?)));
    Description {
        worker: VERSION.to_owned(),
        protocol: PROTOCOL,
        kinds: kinds.collect(),
        libtorch: LIBTORCH.to_owned(),
        cpu: device::cpu_class(),
        gpus: device::gpu_classes(),
    }
}
