//! Running nodes although the store has what they yield.

use std::collections::BTreeSet;

use hyper_flow_cache::Key;

use super::graph::unknown;
use super::{Plan, PlanError, State};
use crate::pipeline::Pipeline;

impl Plan {
    /// Plans these nodes to run in any case, and what needs them to be looked up then. Gives all that run: of two
    /// nodes of one key either yields what both take.
    pub fn force(&mut self, pipeline: &Pipeline, names: &[String]) -> Result<BTreeSet<String>, PlanError> {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let mut forced: BTreeSet<String> = BTreeSet::new();
        let all = |name: &String| pipeline.swept.get(name).cloned().unwrap_or_else(|| vec![name.clone()]);
        for name in names.iter().flat_map(all) {
            if !pipeline.nodes.contains_key(&name) {
                return Err(unknown(pipeline, &name));
            }
            let Some(planned) = self.get(&name) else { return Err(PlanError::NotSelected { node: name }) };
            keys.extend(planned.key);
            forced.insert(name);
        }
        for index in 0..self.nodes.len() {
            let uncached = |at: &usize| self.nodes[*at].state != State::Cached;
            let input = self.graph.dependencies(index).into_iter().find(uncached);
            let input = input.map(|at| format!("input {} will run", self.graph.name(at)));
            let planned = &mut self.nodes[index];
            if planned.key.is_some_and(|key| keys.contains(&key)) {
                forced.insert(planned.name.clone());
            }
            let is_forced = forced.contains(&planned.name);
            if planned.state != State::Cached || (!is_forced && input.is_none()) {
                continue;
            }
            planned.record = None;
            (planned.state, planned.reason, planned.key) = match input {
                Some(input) => (State::Maybe, input, None),
                None => (State::Run, "forced".to_owned(), planned.key),
            };
        }
        Ok(forced)
    }
}
