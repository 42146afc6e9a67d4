//! Which commits branches mean now.
//!
//! Only a pipeline that is refused anyway is looked at: to plan a good one, nobody is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper_flow_hub::{Hub, HubError, Patience, Settings};

use crate::pipeline::{Branch, PipelineErrors};

/// How long a hub may be asked.
const LIMIT: Duration = Duration::from_secs(5);

/// Says of each revision that is no commit which one it means now, as far as the hub tells.
pub(crate) fn with_commits(mut errors: PipelineErrors) -> PipelineErrors {
    let mut asker = None;
    for finding in &mut errors.findings {
        let Some(branch) = &finding.branch else { continue };
        let advice = asker.get_or_insert_with(Asker::new).advice(branch);
        let lines: Vec<String> = finding.help.take().into_iter().chain([advice]).collect();
        finding.help = Some(lines.join("\n"));
    }
    errors
}

/// Asks a hub until it gives no answer, or the time is over.
struct Asker {
    hub: Result<Hub, String>,
    since: Instant,
    told: BTreeMap<Branch, String>,
}

impl Asker {
    fn new() -> Asker {
        let settings = Settings::from_env().map(|settings| Settings { patience: Patience::brief(LIMIT), ..settings });
        let hub = settings.and_then(Hub::new).map_err(|error| error.to_string());
        Asker { hub, since: Instant::now(), told: BTreeMap::new() }
    }

    /// What to write in place of a branch.
    fn advice(&mut self, branch: &Branch) -> String {
        if let Some(told) = self.told.get(branch) {
            return told.clone();
        }
        let advice = match &self.hub {
            Ok(hub) if self.since.elapsed() < LIMIT => self.ask(hub, branch),
            Ok(hub) => by_hand(hub, branch),
            Err(why) => why.clone(),
        };
        self.told.insert(branch.clone(), advice.clone());
        advice
    }

    fn ask(&self, hub: &Hub, branch: &Branch) -> String {
        match branch.repo.parse().and_then(|repo| hub.commit_of(&repo, &branch.revision)) {
            Ok(commit) => format!("`{}` means this one now: `revision: \"{commit}\"`", branch.revision),
            Err(error @ (HubError::Repo { .. } | HubError::Missing { .. })) => error.to_string(),
            Err(error) => format!("{}\n{error}", by_hand(hub, branch)),
        }
    }
}

fn by_hand(hub: &Hub, Branch { repo, revision }: &Branch) -> String {
    format!("{}/{repo}/commits/{revision} shows which one `{revision}` means now", hub.address())
}
