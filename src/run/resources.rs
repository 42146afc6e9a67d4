//! What the machine has, what a node needs of it, and who has what now.

use std::collections::BTreeSet;
use std::fs;

use hyper_flow_spec::{Device, Kind};

use super::gpus;
use crate::pipeline::Node;
use crate::worker;

/// What nodes may use together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// CPU threads.
    pub threads: usize,
    /// Bytes of memory; only nodes that declare theirs count against it.
    pub memory: u64,
    /// GPUs, as `CUDA_VISIBLE_DEVICES` names them.
    pub gpus: Vec<String>,
    /// The most nodes at once, whatever they need.
    pub nodes: usize,
}

impl Machine {
    /// This machine.
    pub fn detect() -> Machine {
        Machine {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory().unwrap_or(u64::MAX).min(memory_of_group().unwrap_or(u64::MAX)),
            gpus: gpus::found(),
            nodes: usize::MAX,
        }
    }
}

/// `MemTotal` of Linux, in bytes.
fn memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What a container may take of it.
fn memory_of_group() -> Option<u64> {
    fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
}

/// Which GPUs a node wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gpus {
    /// So many, whichever they are.
    Any(usize),
    /// The one of this index.
    This(usize),
}

/// What a node needs while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) threads: usize,
    pub(crate) memory: u64,
    pub(crate) gpus: Gpus,
}

impl Need {
    /// What `node` needs on `machine`, whatever else runs: the thread count is part of what makes equal
    /// keys give equal bytes. A node on a GPU takes its share of the cores, so that all GPUs can be fed.
    pub(crate) fn of(node: &Node, machine: &Machine) -> Need {
        let settings = &node.settings;
        let wanted = settings.gpus.map(|gpus| gpus as usize);
        let gpus = match (&node.kind, settings.device) {
            (Kind::Command(_), _) => Gpus::Any(wanted.unwrap_or(0)),
            (_, Device::Cpu) => Gpus::Any(0),
            (kind, _) if !kind.computes_on_gpu() => Gpus::Any(0),
            (_, Device::Cuda(index)) => Gpus::This(index as usize),
            (_, Device::Auto) => Gpus::Any(wanted.unwrap_or(machine.gpus.len().min(1))),
        };
        let default = match (&node.kind, gpus) {
            (Kind::Command(_), _) => 1,
            (_, Gpus::Any(0)) => worker::threads(settings),
            (_, Gpus::Any(count)) => machine.threads * count / machine.gpus.len().max(1),
            (_, Gpus::This(_)) => machine.threads / machine.gpus.len().max(1),
        };
        Need { threads: settings.threads.unwrap_or(default).max(1), memory: settings.memory.unwrap_or(0), gpus }
    }

    /// What the machine can never give, in words. Threads are no such thing: too many only run slower.
    pub(crate) fn lacking(&self, machine: &Machine) -> Option<String> {
        let has = match machine.gpus.len() {
            0 => "no GPU is seen here".to_owned(),
            1 => "one GPU is seen here".to_owned(),
            count => format!("{count} GPUs are seen here"),
        };
        match self.gpus {
            Gpus::This(index) if index >= machine.gpus.len() => {
                return Some(format!("it wants Cuda({index}), and {has}"));
            }
            Gpus::Any(count) if count > machine.gpus.len() => return Some(format!("it wants {count} GPUs, and {has}")),
            _ => {}
        }
        let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
        (self.memory > machine.memory).then(|| {
            format!("it declares {:.1} GiB of memory, and there are {:.1}", gib(self.memory), gib(machine.memory))
        })
    }
}

/// What a node was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    threads: usize,
    memory: u64,
    /// Indices into [`Machine::gpus`].
    pub(crate) gpus: Vec<usize>,
}

/// What is free.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    all: usize,
    threads: usize,
    memory: u64,
    gpus: BTreeSet<usize>,
    nodes: usize,
}

impl Pool {
    pub(crate) fn new(machine: &Machine) -> Pool {
        Pool {
            all: machine.threads,
            threads: machine.threads,
            memory: machine.memory,
            gpus: (0..machine.gpus.len()).collect(),
            nodes: machine.nodes,
        }
    }

    /// Nothing can start any more.
    pub(crate) fn exhausted(&self) -> bool {
        self.threads == 0 || self.nodes == 0
    }

    /// What `need` asks for, if all of it is free. A node that wants more threads than there are gets the
    /// machine for itself.
    pub(crate) fn grant(&self, need: &Need) -> Option<Grant> {
        let threads = need.threads.min(self.all);
        let gpus: Vec<usize> = match need.gpus {
            Gpus::Any(count) => {
                Some(self.gpus.iter().copied().take(count).collect::<Vec<_>>()).filter(|g| g.len() == count)
            }
            Gpus::This(index) => self.gpus.contains(&index).then(|| vec![index]),
        }?;
        (threads <= self.threads && need.memory <= self.memory).then_some(Grant { threads, memory: need.memory, gpus })
    }

    pub(crate) fn take(&mut self, grant: &Grant) {
        self.nodes -= 1;
        self.threads -= grant.threads;
        self.memory -= grant.memory;
        self.gpus.retain(|gpu| !grant.gpus.contains(gpu));
    }

    pub(crate) fn give_back(&mut self, grant: &Grant) {
        self.nodes += 1;
        self.threads += grant.threads;
        self.memory += grant.memory;
        self.gpus.extend(&grant.gpus);
    }

    /// Keeps what `need` waits for from those that come after it, so that many small nodes never starve a
    /// large one.
    pub(crate) fn reserve(&mut self, need: &Need) {
        self.threads = self.threads.saturating_sub(need.threads);
        self.memory = self.memory.saturating_sub(need.memory);
        match need.gpus {
            Gpus::Any(count) => self.gpus = self.gpus.iter().copied().skip(count).collect(),
            Gpus::This(index) => self.gpus.retain(|gpu| *gpu != index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(gpus: usize) -> Machine {
        Machine { threads: 4, memory: 100, gpus: (0..gpus).map(|i| i.to_string()).collect(), nodes: 4 }
    }

    fn need(threads: usize, memory: u64, gpus: Gpus) -> Need {
        Need { threads, memory, gpus }
    }

    #[test]
    fn what_is_taken_comes_back() {
        let mut pool = Pool::new(&machine(2));
        let grant = pool.grant(&need(3, 60, Gpus::Any(1))).unwrap();
        pool.take(&grant);
        assert_eq!(grant.gpus, [0]);
        assert_eq!(pool.grant(&need(2, 0, Gpus::Any(0))), None, "threads");
        assert_eq!(pool.grant(&need(1, 41, Gpus::Any(0))), None, "memory");
        assert_eq!(pool.grant(&need(1, 0, Gpus::Any(2))), None, "GPUs");
        assert_eq!(pool.grant(&need(1, 0, Gpus::This(0))), None, "this GPU");
        assert_eq!(pool.grant(&need(1, 40, Gpus::This(1))).unwrap().gpus, [1]);
        pool.give_back(&grant);
        assert_eq!(pool.grant(&need(4, 100, Gpus::Any(2))).unwrap().gpus, [0, 1]);
    }

    #[test]
    fn too_many_threads_get_the_whole_machine() {
        let mut pool = Pool::new(&machine(0));
        let grant = pool.grant(&need(64, 0, Gpus::Any(0))).unwrap();
        pool.take(&grant);
        assert!(pool.exhausted());
    }

    #[test]
    fn no_more_nodes_at_once_than_there_may_be() {
        let mut pool = Pool::new(&Machine { nodes: 1, ..machine(0) });
        let grant = pool.grant(&need(1, 0, Gpus::Any(0))).unwrap();
        pool.take(&grant);
        assert!(pool.exhausted());
        pool.give_back(&grant);
        assert!(!pool.exhausted());
    }

    #[test]
    fn an_elder_that_waits_is_not_overtaken_for_what_it_waits_for() {
        let mut pool = Pool::new(&machine(1));
        pool.take(&pool.grant(&need(1, 0, Gpus::Any(1))).unwrap());
        pool.reserve(&need(2, 0, Gpus::Any(1)));
        assert!(pool.grant(&need(2, 0, Gpus::Any(0))).is_none(), "one thread is left besides the reserved two");
        assert!(pool.grant(&need(1, 0, Gpus::Any(0))).is_some());
    }

    #[test]
    fn what_can_never_be_had_is_said() {
        let machine = machine(1);
        assert_eq!(need(64, 100, Gpus::This(0)).lacking(&machine), None);
        let said = need(1, 0, Gpus::This(1)).lacking(&machine).unwrap();
        assert_eq!(said, "it wants Cuda(1), and one GPU is seen here");
        assert!(need(1, 101, Gpus::Any(0)).lacking(&machine).unwrap().contains("memory"));
    }
}
