//! `--set` and `--params`: edits of the file's tree, before parameters are put in.

use std::path::Path;

use super::draft::{Draft, Findings};
use super::repeated::repeated_inside;
use super::source::{Sources, Span, Unreadable, read_text};
use super::suggest::instead;
use super::syntax::read;
use super::tree::{Entry, Key, Shape, Tree};

/// Top-level fields that `--set` reaches by their own name; everything else is in a node.
const RESERVED: [&str; 7] = ["params", "matrix", "settings", "nodes", "seed", "name", "reproducibility"];

type Outcome = Result<(), Box<Draft>>;

/// Replaces or adds the parameters that a file holds; gives its text, if it could be read.
pub(super) fn apply_params(
    sources: &mut Sources,
    root: &mut Tree,
    path: &Path,
    findings: &mut Findings,
) -> Option<usize> {
    let name = path.display().to_string();
    let text = match read_text(path) {
        Ok(text) => text,
        Err(Unreadable { why, help }) => {
            let draft = Draft::error(format!("failed to read the parameters in {name}: {why}"));
            let advice = || "`--params` takes a file that holds a map: `{\"guidance\": 2.0}`".to_owned();
            findings.push(draft.help(help.unwrap_or_else(advice)));
            return None;
        }
    };
    let source = sources.add(&name, &text);
    let mut tree = match read(sources, source, 0) {
        Ok(tree) => tree,
        Err(draft) => {
            findings.push(*draft);
            return None;
        }
    };
    repeated_inside(&mut tree, findings);
    match tree.shape {
        Shape::Map(entries) => {
            let params = top_level(root, "params", Span { source, start: 0, end: 0 });
            entries.into_iter().for_each(|entry| replace(params, entry));
        }
        _ => {
            let draft = Draft::error("a file of parameters holds a map").at(tree.place(), "no map");
            findings.push(draft.help("write for example `{\"guidance\": 2.0}`"));
        }
    }
    Some(source)
}

/// Whether a `--set` is for a node or setting that the file does not name, which may be one of a `matrix`.
pub(super) fn is_unnamed(sources: &Sources, root: &Tree, source: usize) -> bool {
    let argument = sources.text(source);
    let path = ["nodes.", "settings."].iter().find_map(|start| argument.strip_prefix(start)).unwrap_or(argument);
    let named = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '=']));
    let entries = ["nodes", "settings"].into_iter().filter_map(|field| root.entry(field)?.value.entries()).flatten();
    !named("*") && !RESERVED.iter().any(|name| named(name)) && !entries.into_iter().any(|entry| named(&entry.key.text))
}

/// Carries out one `--set`.
pub(super) fn apply_set(sources: &Sources, root: &mut Tree, source: usize, findings: &mut Findings) {
    let argument = sources.text(source);
    let outcome = Edit { sources, source, argument, findings }.apply(root);
    if let Err(draft) = outcome {
        findings.push(*draft);
    }
}

/// The map in a top-level field, added when it is absent.
fn top_level<'t>(root: &'t mut Tree, name: &str, span: Span) -> &'t mut Tree {
    if root.entry(name).is_none() {
        let value = Tree { span, via: None, shape: Shape::Map(Vec::new()) };
        push(root, Entry { key: Key { span, text: name.to_owned(), quoted: false }, value });
    }
    let entries = root.entries_mut().into_iter().flatten();
    let found = entries.map(|entry| (entry.key.text == name, &mut entry.value)).find(|(found, _)| *found);
    found.map(|(_, value)| value).expect("it was added if it was absent")
}

fn push(tree: &mut Tree, entry: Entry) {
    if let Some(entries) = tree.entries_mut() {
        entries.push(entry);
    }
}

fn replace(tree: &mut Tree, entry: Entry) {
    let Some(entries) = tree.entries_mut() else { return };
    match entries.iter_mut().find(|old| old.key.text == entry.key.text) {
        Some(old) => old.value = entry.value,
        None => entries.push(entry),
    }
}

struct Edit<'a> {
    sources: &'a Sources,
    source: usize,
    argument: &'a str,
    findings: &'a mut Findings,
}

impl Edit<'_> {
    fn apply(&mut self, root: &mut Tree) -> Outcome {
        let reserved = RESERVED.into_iter().find(|name| self.at_end_of(0, name).is_some());
        match reserved {
            Some("settings") => self.setting(root),
            Some(map @ ("params" | "matrix")) => {
                let at = map.len();
                let values = top_level(root, map, self.span(0, at));
                if self.argument[at..].starts_with('=') { self.put(root, 0) } else { self.put(values, at + 1) }
            }
            Some(_) => self.put(root, 0),
            None => self.put(top_level(root, "nodes", self.span(0, 0)), 0),
        }
    }

    /// A node may have no settings in the file.
    fn setting(&mut self, root: &mut Tree) -> Outcome {
        let at = "settings".len();
        if self.argument[at..].starts_with('=') {
            return self.put(root, 0);
        }
        let names = |tree: &Tree| tree.entries().unwrap_or_default().iter().map(|e| e.key.text.clone()).collect();
        let mut nodes: Vec<String> = root.entry("nodes").map(|nodes| names(&nodes.value)).unwrap_or_default();
        nodes.push("*".to_owned());
        let settings = top_level(root, "settings", self.span(0, at));
        let start = at + 1;
        let node = self.longest(start, nodes.iter().map(String::as_str));
        if let Some(node) = node.filter(|node| settings.entry(node).is_none()) {
            let span = self.span(start, start + node.len());
            let value = Tree { span, via: None, shape: Shape::Fields(None, Vec::new()) };
            push(settings, Entry { key: Key { span, text: node.to_owned(), quoted: true }, value });
        }
        self.put(settings, start)
    }

    /// Puts the value in place of what the path that starts at a byte of the argument leads to.
    fn put(&mut self, tree: &mut Tree, start: usize) -> Outcome {
        let in_nodes = start == 0 || self.argument[..start] == *"nodes.";
        match &mut tree.shape {
            Shape::Fields(_, entries) | Shape::Map(entries) => {
                let name = self.longest(start, entries.iter().map(|entry| entry.key.text.as_str())).map(str::to_owned);
                match name.and_then(|name| entries.iter_mut().find(|entry| entry.key.text == name)) {
                    Some(Entry { key, value }) => self.go_on(value, start + key.text.len()),
                    None => self.add(tree, start, in_nodes),
                }
            }
            Shape::Tuple(_, items) | Shape::List(items) => {
                let end = self.end_of_name(start)?;
                let index: Option<usize> = self.argument[start..end].parse().ok();
                match index.and_then(|index| items.get_mut(index)) {
                    Some(item) => self.go_on(item, end),
                    None => {
                        let help = match items.len() {
                            0 => "it is empty".to_owned(),
                            n => format!("it has items 0 to {}", n - 1),
                        };
                        Err(self.nothing(start, end, &help))
                    }
                }
            }
            Shape::Atom | Shape::Text(_) | Shape::Broken => {
                let end = self.end_of_name(start)?;
                Err(self.nothing(start, end, &self.whole(start.saturating_sub(1))))
            }
        }
    }

    fn go_on(&mut self, tree: &mut Tree, at: usize) -> Outcome {
        if self.argument[at..].starts_with('.') {
            return self.put(tree, at + 1);
        }
        *tree = self.value(at + 1)?;
        Ok(())
    }

    fn value(&mut self, at: usize) -> Result<Tree, Box<Draft>> {
        let mut value = read(self.sources, self.source, at)?;
        repeated_inside(&mut value, self.findings);
        Ok(value)
    }

    /// A field or entry that is not there yet.
    fn add(&mut self, tree: &mut Tree, start: usize, in_nodes: bool) -> Outcome {
        let known: Vec<String> = tree.entries().unwrap_or_default().iter().map(|e| e.key.text.clone()).collect();
        // A parameter's name may hold dots; nothing is inside it.
        let params = self.argument[..start] == *"params.";
        let equals = self.argument[start..].find('=').map(|at| start + at);
        let end = if params { equals.ok_or_else(|| self.no_value())? } else { self.end_of_name(start)? };
        let name = self.argument[start..end].to_owned();
        let is_node = in_nodes && !RESERVED.contains(&name.as_str());
        if is_node || self.argument[..start] == *"settings." {
            let draft = Draft::error(format!("there is no node `{name}`")).at(self.span(start, end), "unknown node");
            return Err(Box::new(draft.help(instead(&name, &known, "nodes"))));
        }
        if !self.argument[end..].starts_with('=') {
            return Err(self.nothing(start, end, &self.whole(end)));
        }
        let key = Key { span: self.span(start, end), text: name, quoted: matches!(tree.shape, Shape::Map(_)) };
        let value = self.value(end + 1)?;
        push(tree, Entry { key, value });
        Ok(())
    }

    /// The longest of these names that the path goes on with.
    fn longest<'n>(&self, start: usize, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        names.filter(|name| self.at_end_of(start, name).is_some()).max_by_key(|name| name.len())
    }

    fn at_end_of(&self, start: usize, name: &str) -> Option<usize> {
        let rest = self.argument[start..].strip_prefix(name)?;
        rest.starts_with(['.', '=']).then_some(start + name.len())
    }

    fn end_of_name(&self, start: usize) -> Result<usize, Box<Draft>> {
        self.argument[start..].find(['.', '=']).map(|at| start + at).ok_or_else(|| self.no_value())
    }

    fn no_value(&self) -> Box<Draft> {
        let draft = Draft::error("`--set` needs a value").at(self.span(0, self.argument.len()), "no `=` in it");
        Box::new(draft.help("write for example `--set teacher.steps=300` or `--set params.guidance=2.0`"))
    }

    fn nothing(&self, start: usize, end: usize, help: &str) -> Box<Draft> {
        let name = &self.argument[start..end];
        let draft = Draft::error(format!("there is no `{name}` to set")).at(self.span(start, end), "not in the file");
        Box::new(draft.help(help))
    }

    /// Advice to set what a path leads to, up to a byte of the argument.
    fn whole(&self, end: usize) -> String {
        format!("set the whole value: `--set {}=…`", &self.argument[..end])
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { source: self.source, start, end }
    }
}
