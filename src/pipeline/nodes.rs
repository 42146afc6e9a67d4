//! Reads the nodes one by one, each as far as it is right.

use hyper_flow_spec::{Artifact, Kind, KindSpec, KindVisitor, Problem};
use ron::error::SpannedError;
use serde_json::Value;

use super::describe::{Description, KindDescription, kind_of};
use super::draft::{Draft, Findings};
use super::source::{Sources, Span};
use super::suggest::instead;
use super::syntax::options;
use super::tree::{Entry, Place, Shape, Tree};
use super::typed::Reader;

/// A node, perhaps with mistakes, whose references are not followed yet.
#[derive(Debug)]
pub(super) struct Sketch {
    pub(super) name: String,
    /// What it yields, when that is known.
    pub(super) output: Option<Artifact>,
    /// The name of its kind, when there is such a kind.
    pub(super) kind_name: Option<&'static str>,
    /// Its parameters, when they are right.
    pub(super) kind: Option<Kind>,
    /// Whether its kind runs the training loop.
    pub(super) trains: bool,
    /// Whether its kind keeps checkpoints.
    pub(super) checkpoints: bool,
    pub(super) references: Vec<Reference>,
    pub(super) files: Vec<FileUse>,
}

/// The name of a node, in a port of another.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) port: String,
    /// Any one of these.
    pub(super) takes: Vec<Artifact>,
    pub(super) name: String,
    pub(super) place: Place,
}

/// A path in a port.
#[derive(Debug)]
pub(super) struct FileUse {
    pub(super) port: String,
    pub(super) path: String,
    pub(super) place: Place,
}

/// Reads nodes.
pub(super) struct NodeReader<'a> {
    pub(super) sources: &'a Sources,
    pub(super) findings: &'a mut Findings,
}

impl NodeReader<'_> {
    /// Reads one.
    pub(super) fn read(&mut self, entry: &Entry) -> Sketch {
        let mut sketch = Sketch {
            name: entry.key.text.clone(),
            output: None,
            kind_name: None,
            kind: None,
            trains: false,
            checkpoints: false,
            references: Vec::new(),
            files: Vec::new(),
        };
        self.name(entry);
        if let (false, Some(kind)) = (entry.value.broken() && entry.value.entries().is_none(), self.kind(&entry.value))
        {
            self.params(kind, &entry.value, &mut sketch);
        }
        sketch
    }

    fn name(&mut self, Entry { key, .. }: &Entry) {
        let (message, help) = match key.text.as_str() {
            _ if !key.quoted => ("the name of a node goes in quotes", format!("write `\"{}\"`", key.text)),
            "" => ("a node needs a name", "write one between the quotes".to_owned()),
            "*" => ("no node can be called `*`", "in `settings` it stands for all nodes".to_owned()),
            name if name.chars().any(char::is_control) => {
                ("the name of a node has no control characters", "use letters, digits and signs".to_owned())
            }
            _ => return,
        };
        self.findings.push(Draft::error(message).at(key.place(), "this name").help(help));
    }

    /// The kind that the node names.
    fn kind(&mut self, tree: &Tree) -> Option<&'static KindDescription> {
        let text = tree.text(self.sources);
        let is_name = |span: &Span| self.sources.slice(*span).starts_with(|c: char| c.is_alphabetic() || c == '_');
        let Some(span) = tree.name().filter(|span| text.is_none() && is_name(span)) else {
            let help = "write for example `Command(program: [\"true\"])`; `hyper-flow kinds` lists the kinds";
            self.findings.push(Draft::error("a node starts with its kind").at(tree.place(), "no kind").help(help));
            return None;
        };
        let name = self.sources.slice(span);
        let Some(kind) = kind_of(name) else {
            let draft = Draft::error(format!("there is no kind `{name}`"));
            let help = instead(name, Kind::NAMES, "kinds");
            self.findings.push(draft.at(Place { span, via: tree.via }, "unknown kind").help(help));
            return None;
        };
        Some(kind)
    }

    fn params(&mut self, kind: &KindDescription, tree: &Tree, sketch: &mut Sketch) {
        sketch.kind_name = Some(kind.name);
        sketch.trains = kind.params.field("accumulate").is_some();
        sketch.checkpoints = sketch.trains || kind.checkpoints;
        // What a `Command` yields is a parameter.
        sketch.output = (kind.params.field("output").is_none()).then_some(kind.output);
        let entries = match &tree.shape {
            Shape::Fields(_, entries) => entries.as_slice(),
            Shape::Tuple(..) => return self.positional(kind, tree),
            _ => &[],
        };
        let span = tree.name().unwrap_or(tree.span);
        let place = Place { span, via: tree.via };
        let owner = format!("`{}`", kind.name);
        let reader = Reader { sources: self.sources, description: &kind.params, owner: &owner, place };
        let parsed = reader.read_with(entries, self.findings, |text| parse(kind.name, text));
        self.ports(&kind.params, entries, sketch);
        if let Some(Parsed { params, output, problems }) = parsed {
            sketch.output = Some(output);
            problems.into_iter().for_each(|problem| self.problem(problem, entries, place));
            sketch.kind = Some(params);
        }
    }

    fn positional(&mut self, kind: &KindDescription, tree: &Tree) {
        let field = kind.params.fields.first().map_or("field", |field| field.name.as_str());
        let draft = Draft::error(format!("the fields of `{}` have names", kind.name));
        self.findings.push(draft.at(tree.place(), "no names in here").help(format!("write `{field}: …`")));
    }

    fn problem(&mut self, problem: Problem, entries: &[Entry], place: Place) {
        let field = entries.iter().find(|entry| entry.key.text == problem.field);
        let place = field.map_or(place, |entry| entry.value.place());
        self.findings.push(Draft::error(problem.message).at(place, "here").help(problem.help));
    }

    /// The references and files, also of fields beside a wrong one.
    fn ports(&mut self, description: &Description, entries: &[Entry], sketch: &mut Sketch) {
        for entry in entries {
            let mut visit = |port: &str, schema: &Value, tree: &Tree| {
                let takes = schema.get("x-artifacts").and_then(|names| serde_json::from_value(names.clone()).ok());
                let is_file = schema.get("x-file").is_some();
                let Some(text) = (takes.is_some() || is_file).then(|| tree.text(self.sources)).flatten() else {
                    return;
                };
                let (port, place) = (port.to_owned(), tree.place());
                match takes {
                    Some(takes) => sketch.references.push(Reference { port, takes, name: text, place }),
                    None => sketch.files.push(FileUse { port, path: text, place }),
                }
            };
            description.walk(self.sources, entry, &mut visit);
        }
    }
}

struct Parsed {
    params: Kind,
    output: Artifact,
    problems: Vec<Problem>,
}

struct Parse<'a>(&'a str);

impl KindVisitor for Parse<'_> {
    type Out = Result<Parsed, SpannedError>;

    fn visit<K: KindSpec>(self) -> Self::Out {
        let params: K = options().from_str(self.0)?;
        Ok(Parsed { output: params.output(), problems: params.check(), params: params.into() })
    }
}

fn parse(kind: &str, text: &str) -> Result<Parsed, SpannedError> {
    Kind::visit(kind, Parse(text)).expect("the kind was found before")
}
