//! From text to a checked pipeline, or to everything that is wrong with it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::OnceLock;

use super::about::tell_exports;
use super::cycle::tell_cycles;
use super::describe::Description;
use super::draft::{Draft, Findings};
use super::file::{File, Header, NodeSettings, OF_CHECKPOINTS, OF_TRAINING, Reproducibility};
use super::files::{Files, resolved};
use super::finding::PipelineErrors;
use super::fit::tell_unfit;
use super::matrix::{Axes, Swept, sweep, tell_axes_twice};
use super::model::{Node, Overrides, Pipeline, Written, WrittenParams};
use super::nodes::{NodeReader, Sketch};
use super::overrides::{apply_params, apply_set, is_unnamed};
use super::params::Params;
use super::references::{Index, tell_references};
use super::repeated::tell_repeated;
use super::source::{Sources, Span};
use super::suggest::instead;
use super::syntax::{options, read};
use super::tree::{Entry, Shape, Tree};
use super::typed::Reader;

/// The settings of nodes by name, with those for all under `"*"`.
type AllSettings = HashMap<String, NodeSettings>;

/// Checks the text of a pipeline file.
pub(super) fn check(text: &str, path: &Path, overrides: &Overrides) -> Result<Pipeline, PipelineErrors> {
    let mut sources = Sources::default();
    let file = sources.add(&path.display().to_string(), text);
    let mut findings = Findings::default();
    let mut written = Written { text: text.into(), set: overrides.set.clone(), params: None };
    let pipeline = match read(&sources, file, 0).and_then(|root| top_level(&sources, root)) {
        Ok(mut root) => {
            let late = edit(&mut sources, &mut root, overrides, &mut written, &mut findings);
            let mut checker = Checker { sources: &sources, findings: &mut findings };
            let swept = checker.expand(&mut root, &late);
            checker.pipeline(root, swept, path, overrides.store.as_deref())
        }
        Err(draft) => {
            findings.push(*draft);
            None
        }
    };
    let (errors, warnings) = findings.finish(&sources);
    match pipeline {
        Some(pipeline) if errors.is_empty() => Ok(Pipeline { warnings, written, ..pipeline }),
        _ => Err(PipelineErrors { file: path.display().to_string(), findings: errors }),
    }
}

/// What is in a pipeline file must be `Pipeline(…)`.
fn top_level(sources: &Sources, root: Tree) -> Result<Tree, Box<Draft>> {
    let name = root.name().map(|name| sources.slice(name));
    match &root.shape {
        Shape::Fields(..) if name.is_none_or(|name| name == "Pipeline") => Ok(root),
        _ => {
            let span = root.name().unwrap_or(Span { end: root.span.start + 1, ..root.span });
            let draft =
                Draft::error("a pipeline file holds `Pipeline(name: …, nodes: {…})`").at(span, "something else");
            Err(Box::new(draft.help("start it with `Pipeline(`")))
        }
    }
}

/// Makes the changes of the command line, and returns those that are for single nodes of a `matrix`.
fn edit(
    sources: &mut Sources,
    root: &mut Tree,
    overrides: &Overrides,
    written: &mut Written,
    findings: &mut Findings,
) -> Vec<usize> {
    tell_repeated(root, findings);
    if let Some(path) = &overrides.params {
        let source = apply_params(sources, root, path, findings);
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        written.params = source.map(|source| WrittenParams { path, text: sources.text(source).into() });
    }
    let sets: Vec<usize> = overrides.set.iter().map(|argument| sources.add("--set", argument)).collect();
    let (late, now): (Vec<usize>, Vec<usize>) = sets.into_iter().partition(|&set| is_unnamed(sources, root, set));
    now.into_iter().for_each(|set| apply_set(sources, root, set, findings));
    late
}

struct Checker<'a> {
    sources: &'a Sources,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    fn pipeline(&mut self, root: Tree, swept: Option<Swept>, path: &Path, store: Option<&Path>) -> Option<Pipeline> {
        let header = self.header(&root);
        let Swept { axes, nodes: swept, seeds } = swept?;
        let nodes = self.map(&root, "nodes");
        let sketches: Vec<Sketch> = nodes.iter().map(|entry| self.nodes().read(entry)).collect();
        let index: Index<'_> = sketches.iter().enumerate().map(|(i, sketch)| (sketch.name.as_str(), i)).collect();
        tell_references(&sketches, &index, &axes, self.findings);
        tell_cycles(&sketches, &index, self.findings);
        tell_unfit(&sketches, &index, self.findings);
        let settings = self.settings(&root, &sketches, &index);
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let base = path.parent().unwrap_or(Path::new(""));
        let files = Files { base, sources: self.sources, store: store.map(resolved) };
        let mut checked = BTreeMap::new();
        for (entry, sketch) in nodes.iter().zip(sketches) {
            files.tell_unlisted(entry, &sketch, self.findings);
            let files = files.of(&sketch, self.findings);
            if let Some(kind) = sketch.kind {
                let settings = settings_of(&settings, &sketch.name, seeds.get(&sketch.name).copied());
                let inputs = sketch.references.into_iter().map(|reference| (reference.port, reference.name)).collect();
                checked.insert(sketch.name.clone(), Node { name: sketch.name, kind, settings, inputs, files });
            }
        }
        tell_exports(&mut checked);
        let Header { name, seed, reproducibility } = header?;
        let exact = reproducibility == Reproducibility::Exact;
        Some(Pipeline {
            name,
            path: path.clone(),
            seed,
            exact,
            nodes: checked,
            swept,
            warnings: Vec::new(),
            written: Written::default(),
        })
    }

    fn nodes(&mut self) -> NodeReader<'_> {
        NodeReader { sources: self.sources, findings: self.findings }
    }

    /// Puts in parameters, and the values of `matrix`; `None` if that is not right.
    fn expand(&mut self, root: &mut Tree, late: &[usize]) -> Option<Swept> {
        let params = self.map(root, "params").to_vec();
        let axes = self.map(root, "matrix");
        tell_axes_twice(axes, &params, self.findings);
        let names = axes.iter().map(|axis| axis.key.text.clone()).collect();
        let mut params = Params::new(self.sources, params, names, self.findings);
        self.put_params_in(root, &mut params);
        let swept = self.sweep(root);
        late.iter().for_each(|&set| apply_set(self.sources, root, set, self.findings));
        if !late.is_empty() {
            self.put_params_in(root, &mut params);
        }
        params.tell_unused(self.findings);
        swept
    }

    /// Puts parameters in everywhere but in `params` itself.
    fn put_params_in(&mut self, root: &mut Tree, params: &mut Params) {
        for entry in root.entries_mut().into_iter().flatten().filter(|entry| entry.key.text != "params") {
            params.resolve(self.sources, &mut entry.value, self.findings);
        }
    }

    /// Makes one node many.
    fn sweep(&mut self, root: &mut Tree) -> Option<Swept> {
        let axes = root.entry("matrix").map(|axes| axes.value.clone());
        let axes = Axes::read(self.sources, axes.as_ref().and_then(Tree::map).unwrap_or_default(), self.findings)?;
        let swept = sweep(self.sources, &axes, root, self.findings);
        tell_repeated(root, self.findings);
        Some(swept)
    }

    /// The plain fields.
    fn header(&mut self, root: &Tree) -> Option<Header> {
        static DESCRIPTION: OnceLock<Description> = OnceLock::new();
        let description = DESCRIPTION.get_or_init(Description::of::<File>);
        let span = root.name().unwrap_or(Span { end: root.span.start + 1, ..root.span });
        let reader = Reader { sources: self.sources, description, owner: "`Pipeline`", place: span.into() };
        let before = self.findings.count();
        let known = reader.known(root.entries().unwrap_or_default(), self.findings);
        let complete = self.findings.count() == before;
        let plain: Vec<&Entry> = known
            .into_iter()
            .filter(|entry| !matches!(entry.key.text.as_str(), "params" | "matrix" | "nodes" | "settings"))
            .collect();
        reader.values(&plain, complete, self.findings, |text| options().from_str::<Header>(text))
    }

    /// The entries of a top-level map.
    fn map<'t>(&mut self, root: &'t Tree, name: &str) -> &'t [Entry] {
        let Some(Entry { value, .. }) = root.entry(name) else { return &[] };
        match &value.shape {
            Shape::Map(entries) => return entries,
            Shape::Broken => {}
            _ => {
                let draft = Draft::error(format!("`{name}` is a map")).at(value.place(), "not a map");
                self.findings.push(draft.help(format!("write `{name}: {{\"name\": …}}`")));
            }
        }
        &[]
    }

    fn settings(&mut self, root: &Tree, sketches: &[Sketch], index: &Index<'_>) -> AllSettings {
        static DESCRIPTION: OnceLock<Description> = OnceLock::new();
        let description = DESCRIPTION.get_or_init(Description::of::<NodeSettings>);
        let names: Vec<&str> = sketches.iter().map(|sketch| sketch.name.as_str()).collect();
        let mut all = AllSettings::new();
        for entry in self.map(root, "settings") {
            let name = entry.key.text.as_str();
            match index.get(name) {
                Some(&node) => self.tell_idle(entry, &sketches[node]),
                None if name == "*" => {}
                None => {
                    let draft = Draft::error(format!("there is no node `{name}` to set"));
                    let draft = draft.at(entry.key.place(), "unknown node").help(instead(name, &names, "nodes"));
                    self.findings.push(draft);
                }
            }
            if let Some(settings) = self.node_settings(entry, description) {
                all.insert(name.to_owned(), settings);
            }
        }
        all
    }

    fn node_settings(&mut self, entry: &Entry, description: &Description) -> Option<NodeSettings> {
        let Shape::Fields(None, entries) = &entry.value.shape else {
            if !entry.value.broken() {
                let draft = Draft::error("settings are fields in `(…)`").at(entry.value.place(), "something else");
                self.findings.push(draft.help("write for example `(threads: 2, memory: \"2 GiB\")`"));
            }
            return None;
        };
        let place = entry.key.place();
        Reader { sources: self.sources, description, owner: "`settings`", place }.read(entries, self.findings)
    }

    /// Warns of settings that the node does not obey.
    fn tell_idle(&mut self, entry: &Entry, node: &Sketch) {
        let Some(kind) = node.kind_name else { return };
        let settings = [
            (OF_TRAINING, node.trains, "only a training obeys this"),
            (OF_CHECKPOINTS, node.checkpoints, "it keeps no checkpoints"),
        ];
        for (name, _, why) in settings.into_iter().filter(|(_, obeyed, _)| !obeyed) {
            let Some(field) = entry.value.entry(name) else { continue };
            let draft = Draft::warning(format!("`{name}` has no effect on a `{kind}`"));
            self.findings.push(draft.at(field.key.place(), why).help("remove it"));
        }
    }
}

/// A node's own settings, then its seed in the matrix, then those for all.
fn settings_of(all: &AllSettings, name: &str, seed: Option<u64>) -> super::model::Settings {
    let of = |name: &str| all.get(name).cloned().unwrap_or_default();
    of(name).or_seed(seed).or(&of("*"))
}
