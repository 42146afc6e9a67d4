//! Which node is next.
//!
//! A node is *ready* when its inputs are there. It is then looked up; if the store does not have it, it
//! *waits* for resources, and *runs*. Nodes start in topological order, by name among equals. Nothing here
//! recurses or looks at all nodes for the sake of one, so that graphs may be long and wide.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hyper_flow_cache::{Digest, Key, Record, StoreError};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::attempt::{Step, Work, look_again, look_up, perform, work};
use super::context::{Context, blocking};
use super::error::NodeError;
use super::event::{Event, Outcome};
use super::filing;
use super::helm::{Order, Orders};
use super::log::node_directory;
use super::resources::{Grant, Pool};
use super::stop::{Stop, Urgency};
use super::unfit;
use crate::plan::{Planned, Provenance, State};
use crate::runs::Use;

/// How often to look whether another run is done with a key.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What became of the nodes.
pub(super) struct Ends {
    /// By node; those that were not started have none.
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// What the nodes that are done yielded.
    pub(super) records: Vec<Option<Record>>,
    /// Why the run cannot go on.
    pub(super) fatal: Option<StoreError>,
}

/// What a task comes back with.
enum Done {
    /// A node is a step further.
    Step(usize, Step),
    /// What was waiting for the disk is there.
    Published(Vec<(usize, Step)>),
}

pub(super) struct Scheduler {
    context: Arc<Context>,
    ends: Ends,
    /// How many inputs of each node are still to come.
    open: Vec<usize>,
    ready: BTreeSet<usize>,
    looking: BTreeSet<usize>,
    waiting: BTreeMap<usize, Box<Work>>,
    /// What each node that runs was given, and its key.
    grants: HashMap<usize, (Grant, Key)>,
    pool: Pool,
    /// The node that is at a key, and those that will take what it yields.
    leaders: HashMap<Key, (usize, BTreeSet<usize>)>,
    /// The key that a leader is at.
    led: HashMap<usize, Key>,
    /// Nodes that run again because what they yielded is damaged, and who waits for each.
    repairs: BTreeMap<usize, Vec<usize>>,
    /// The inputs that were made anew for a node: a second time for the same one means that it does not help.
    repaired_for: BTreeSet<(usize, Digest)>,
    told_waiting: BTreeMap<usize, String>,
    tasks: JoinSet<Done>,
    /// What was made and is not there yet.
    fresh: filing::Queue,
    stop: Stop,
    orders: Orders,
    urgency: Urgency,
    /// Whether a failure or an order keeps more nodes from starting.
    halted: bool,
}

impl Scheduler {
    /// Of all nodes, at most so `many` of which may wait for the disk.
    pub(super) fn new(context: Arc<Context>, orders: Orders, many: usize) -> Scheduler {
        let graph = &context.plan.graph;
        let open: Vec<usize> = (0..graph.len()).map(|index| graph.dependencies(index).len()).collect();
        let ready = (0..graph.len()).filter(|index| open[*index] == 0).collect();
        let nothing = |_| None;
        let ends = Ends {
            outcomes: (0..graph.len()).map(|_| None).collect(),
            records: (0..graph.len()).map(nothing).collect(),
            fatal: None,
        };
        Scheduler {
            ends,
            open,
            ready,
            looking: BTreeSet::new(),
            waiting: BTreeMap::new(),
            grants: HashMap::new(),
            pool: Pool::new(&context.options.machine),
            leaders: HashMap::new(),
            led: HashMap::new(),
            repairs: BTreeMap::new(),
            repaired_for: BTreeSet::new(),
            told_waiting: BTreeMap::new(),
            tasks: JoinSet::new(),
            fresh: filing::Queue::new(many),
            stop: context.stop.clone(),
            orders,
            urgency: Urgency::None,
            halted: false,
            context,
        }
    }

    /// Runs what can be run.
    pub(super) async fn drive(mut self) -> Ends {
        if let Err(error) = self.note_cached() {
            self.ends.fatal = Some(error);
            return self.ends;
        }
        loop {
            self.look_up_ready();
            self.start_what_fits();
            self.publish_what_is_due();
            if self.tasks.is_empty() {
                break;
            }
            tokio::select! {
                Some(done) = self.tasks.join_next() => self.joined(done),
                () = reached(self.fresh.next()) => {}
                () = self.stop.reaches(more_than(self.urgency)), if self.urgency < Urgency::Now => self.stopping(),
                order = self.orders.next() => self.obey(order),
            }
        }
        self.touch().await;
        self.ends
    }

    fn look_up_ready(&mut self) {
        let mut cached = Vec::new();
        while self.urgency == Urgency::None
            && let Some(index) = self.ready.pop_first()
        {
            match &self.context.plan.nodes[index].record {
                // Planned a moment ago, under the same lock of the store.
                Some(record) if !self.repairs.contains_key(&index) => {
                    cached.push(self.told(index, record, Outcome::Cached));
                    let record = record.clone();
                    self.settle(index, record, Outcome::Cached);
                }
                // Planned to run a moment ago: whether another run was quicker is looked at when it has its lock.
                _ if self.runs_for_sure(index) => {
                    let work = work(&self.context, index, self.inputs(index));
                    self.apply(index, Step::Miss(work));
                }
                _ => {
                    let inputs = self.inputs(index);
                    let context = Arc::clone(&self.context);
                    self.looking.insert(index);
                    self.tasks.spawn(async move { Done::Step(index, look_up(context, index, inputs).await) });
                }
            }
        }
        self.context.emit_all(&cached);
    }

    fn runs_for_sure(&self, index: usize) -> bool {
        let planned = &self.context.plan.nodes[index];
        planned.state == State::Run && planned.key.is_some() && !self.repairs.contains_key(&index)
    }

    fn inputs(&self, index: usize) -> BTreeMap<String, Record> {
        let record = |node: &String| {
            let index = self.context.plan.graph.index(node).expect("what a selected node takes is selected");
            self.ends.records[index].clone().expect("a ready node has its inputs")
        };
        self.context.node(index).inputs.iter().map(|(port, node)| (port.clone(), record(node))).collect()
    }

    /// Starts waiting nodes in order. A node that does not fit yet keeps its place: what it waits for is
    /// not given to those after it. Nodes after one that is still being looked up have to wait for that.
    fn start_what_fits(&mut self) {
        if self.halted || self.urgency > Urgency::None || self.fresh.is_full() {
            return;
        }
        let gate = self.looking.first().copied().unwrap_or(usize::MAX);
        let mut rest = self.pool.clone();
        let mut starts = Vec::new();
        for (index, work) in self.waiting.range(..gate) {
            if rest.exhausted() {
                break;
            }
            match rest.grant(&work.need) {
                Some(grant) => {
                    rest.take(&grant);
                    starts.push((*index, grant));
                }
                None => rest.reserve(&work.need),
            }
        }
        for (index, grant) in starts {
            self.start(index, grant);
        }
    }

    fn start(&mut self, index: usize, grant: Grant) {
        let work = self.waiting.remove(&index).expect("only waiting nodes are started");
        // Before it starts: whatever becomes of this engine, what the node makes is known to be of use.
        if let Err(error) = self.note(index, work.key, false) {
            return self.failed(index, NodeError::Store(error));
        }
        self.pool.take(&grant);
        self.orders.begin(work.key);
        self.grants.insert(index, (grant.clone(), work.key));
        let context = Arc::clone(&self.context);
        self.tasks.spawn(async move { Done::Step(index, perform(context, work, grant).await) });
    }

    fn publish_what_is_due(&mut self) {
        if let Some(batch) = self.fresh.due(self.grants.is_empty()) {
            let context = Arc::clone(&self.context);
            self.tasks.spawn(async move { Done::Published(filing::publish(context, batch).await) });
        }
    }

    fn joined(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Step(index, step)) => self.apply(index, step),
            Ok(Done::Published(steps)) => {
                self.fresh.published();
                steps.into_iter().for_each(|(index, step)| self.apply(index, step));
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn apply(&mut self, index: usize, step: Step) {
        self.looking.remove(&index);
        if let Some((grant, key)) = self.grants.remove(&index) {
            self.orders.end(&key);
            self.pool.give_back(&grant);
        }
        match self.judged(index, step) {
            Step::Hit(record) => self.done(index, record, Outcome::Cached),
            Step::Made(held) => self.fresh.push(*held),
            Step::Ran(record) => self.done(index, record, Outcome::Ran),
            Step::Miss(work) => self.missed(index, work),
            Step::Busy(work, holder) => self.wait_for(index, work, holder),
            Step::Failed(NodeError::Damaged(artifact)) if self.repaired_for.insert((index, artifact)) => {
                self.repair(index, artifact)
            }
            Step::Failed(error) => self.failed(index, error),
        }
    }

    /// Whatever a node has made, or another one has, is held to what is asked of it.
    fn judged(&self, index: usize, step: Step) -> Step {
        let (Step::Hit(record) | Step::Ran(record)) = &step else { return step };
        match unfit::told(&self.context, index, record) {
            Ok(None) => step,
            Ok(Some(told)) => Step::Failed(NodeError::Unfit(told)),
            Err(error) => Step::Failed(error.into()),
        }
    }

    /// The first node of a key runs; the others take what it yields. Which of them is looked up first is
    /// chance, so that one that comes before a leader that has not started takes its place.
    fn missed(&mut self, index: usize, work: Box<Work>) {
        if let Some(lacking) = work.need.lacking(&self.context.options.machine) {
            // An attempt all the same, which is to be known as one.
            let _ = self.note(index, work.key, false);
            return self.failed(index, NodeError::Lacking(lacking));
        }
        let (leader, followers) = self.leaders.entry(work.key).or_insert((index, BTreeSet::new()));
        if index < *leader && self.waiting.remove(leader).is_some() {
            self.led.remove(leader);
            followers.insert(std::mem::replace(leader, index));
        }
        if *leader == index {
            self.led.insert(index, work.key);
            self.waiting.insert(index, work);
        } else {
            followers.insert(index);
        }
    }

    /// Holds nothing while it waits, so that two runs never wait for each other.
    fn wait_for(&mut self, index: usize, work: Box<Work>, holder: String) {
        if self.told_waiting.get(&index) != Some(&holder) {
            self.told_waiting.insert(index, holder.clone());
            self.context.emit(Event::NodeWaiting { node: self.context.name(index).to_owned(), holder });
        }
        let (context, mut stop) = (Arc::clone(&self.context), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stop.reaches(Urgency::Gracefully) => {}
            }
            Done::Step(index, look_again(context, work).await)
        });
    }

    fn done(&mut self, index: usize, record: Record, outcome: Outcome) {
        self.context.emit(self.told(index, &record, outcome));
        self.settle(index, record, outcome);
    }

    /// Lets those go on that waited for it.
    fn settle(&mut self, index: usize, record: Record, outcome: Outcome) {
        if self.context.plan.nodes[index].record.as_ref().is_none_or(|planned| planned.key != record.key) {
            // The record that is there says it, too.
            let _ = self.note(index, record.key, true);
        }
        let followers = self.leave(index);
        self.ends.records[index] = Some(record.clone());
        self.ends.outcomes[index] = Some(outcome);
        let graph = &self.context.plan.graph;
        let dependents = self.repairs.remove(&index).unwrap_or_else(|| graph.dependents(index));
        for dependent in dependents {
            self.open[dependent] -= 1;
            if self.open[dependent] == 0 {
                self.ready.insert(dependent);
            }
        }
        for follower in followers {
            // It has no followers itself, so that this goes no deeper.
            self.apply(follower, Step::Hit(record.clone()));
        }
    }

    fn told(&self, index: usize, record: &Record, outcome: Outcome) -> Event {
        let node = self.context.name(index).to_owned();
        let (key, artifact) = (record.key, record.artifact);
        match outcome {
            Outcome::Ran => {
                let made = Provenance::of(record);
                let (seconds, memory) = made.map_or((0.0, None), |made| (made.seconds, made.memory));
                Event::NodeRan { node, key, artifact, bytes: record.bytes, files: record.files, seconds, memory }
            }
            _ => Event::NodeCached { node, key, artifact },
        }
    }

    /// Gives up the lead of a key; returns who followed.
    fn leave(&mut self, index: usize) -> BTreeSet<usize> {
        let key = self.led.remove(&index);
        key.and_then(|key| self.leaders.remove(&key)).map(|(_, followers)| followers).unwrap_or_default()
    }

    fn failed(&mut self, index: usize, error: NodeError) {
        let followers = self.leave(index);
        let node = self.context.name(index).to_owned();
        let interrupted = matches!(error, NodeError::Interrupted { .. });
        self.ends.outcomes[index] = Some(if interrupted { Outcome::Interrupted } else { Outcome::Failed });
        if let NodeError::Interrupted { checkpoint } = error {
            self.context.emit(Event::NodeInterrupted { node, checkpoint });
            return;
        }
        self.halted |= !self.context.options.keep_going;
        let log = Some(node_directory(&self.context.directory, &node)).filter(|path| path.is_dir());
        // More may be asked of one than of another, of what both have made.
        let unfit = matches!(error, NodeError::Unfit(_));
        let (message, output) = (error.to_string(), error.output().map(str::to_owned));
        self.context.emit(Event::NodeFailed { node: node.clone(), message, output, log });
        if let NodeError::Store(error) | NodeError::Kept(error) = error {
            self.halted = true;
            self.ends.fatal.get_or_insert(error);
        }
        if unfit {
            return self.ready.extend(followers);
        }
        for follower in followers {
            self.failed(follower, NodeError::Twin(node.clone()));
        }
    }

    /// An input that was taken for whole is not: the nodes that yield it run again, then this one.
    fn repair(&mut self, index: usize, artifact: Digest) {
        let followers = self.leave(index);
        self.ready.extend(followers);
        let message = NodeError::Damaged(artifact).to_string();
        for source in self.context.plan.graph.dependencies(index) {
            let yields_it = self.ends.records[source].as_ref().is_some_and(|record| record.artifact == artifact);
            if !yields_it && !self.repairs.contains_key(&source) {
                continue;
            }
            self.open[index] += 1;
            if let Some(waiting) = self.repairs.get_mut(&source) {
                waiting.push(index);
                continue;
            }
            self.repairs.insert(source, vec![index]);
            self.ready.insert(source);
            let node = self.context.name(source).to_owned();
            self.context.emit(Event::NodeRepaired { node, message: message.clone() });
        }
        if self.open[index] == 0 {
            // Another node had it repaired meanwhile.
            self.ready.insert(index);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Tell(message) => self.context.emit(Event::Warning { message }),
            Order::Finish(message) => {
                self.halted = true;
                self.context.emit(Event::Changed { message });
            }
            Order::Stop(message) => {
                self.context.emit(Event::Changed { message });
                self.context.stop.ask();
            }
        }
    }

    fn stopping(&mut self) {
        self.urgency = self.stop.urgency();
        let (now, running) = (self.urgency == Urgency::Now, self.grants.len());
        self.context.emit(Event::Stopping { now, running });
    }

    /// Writes down what was found when planning, all at once.
    fn note_cached(&self) -> Result<(), StoreError> {
        let cached = |planned: &Planned| {
            let key = planned.record.as_ref()?.key;
            Some(Use { node: planned.name.clone(), key, done: true })
        };
        self.context.note(&self.context.plan.nodes.iter().filter_map(cached).collect::<Vec<_>>())
    }

    fn note(&self, index: usize, key: Key, done: bool) -> Result<(), StoreError> {
        self.context.note(&[Use { node: self.context.name(index).to_owned(), key, done }])
    }

    /// Tells the store what was of use, and what it may remember of it. What is lost of it when the engine is killed, the log of the run still has.
    async fn touch(&self) {
        let store = self.context.store.clone();
        let keys: Vec<Key> = self.ends.records.iter().flatten().map(|record| record.key).collect();
        blocking(move || {
            store.touch(&keys);
            store.remember_records();
        })
        .await;
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn more_than(urgency: Urgency) -> Urgency {
    match urgency {
        Urgency::None => Urgency::Gracefully,
        _ => Urgency::Now,
    }
}
