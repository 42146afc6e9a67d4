//! The one way to space a pipeline file. Line breaks, comments and all that is not white space stay as they are.

use super::draft::Findings;
use super::finding::PipelineErrors;
use super::source::Sources;
use super::syntax::read;
use super::tokens::{Token, What, tokens};

/// What a level of brackets is indented by.
const INDENT: usize = 4;

/// The text of a file, formatted.
///
/// # Errors
/// The syntax error of a text that is no RON: where brackets are not closed, there is no saying what is inside what.
pub fn format(text: &str, name: &str) -> Result<String, PipelineErrors> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    match read(&sources, file, 0) {
        Ok(_) => Ok(spaced(text)),
        Err(draft) => {
            let mut findings = Findings::default();
            findings.push(*draft);
            Err(PipelineErrors { file: name.to_owned(), findings: findings.finish(&sources).0 })
        }
    }
}

fn spaced(text: &str) -> String {
    let mut out = Formatter { text, line_end: line_end(text), ..Formatter::default() };
    let mut spaces = "";
    for token in &tokens(text) {
        match token.what {
            What::Space => spaces = &text[token.range.clone()],
            _ => out.token(std::mem::take(&mut spaces), token),
        }
    }
    out.done()
}

/// The way in which lines end: that of the first.
fn line_end(text: &str) -> &'static str {
    let first = text.find('\n').unwrap_or_default();
    if text[..first].ends_with('\r') { "\r\n" } else { "\n" }
}

#[derive(Default)]
struct Formatter<'t> {
    text: &'t str,
    line_end: &'static str,
    out: String,
    /// The indentation of the line in which each bracket that is open was opened.
    open: Vec<usize>,
    /// The indentation of the line that is being written.
    indent: usize,
    /// What was written last.
    before: Option<What>,
}

impl Formatter<'_> {
    fn token(&mut self, spaces: &str, token: &Token) {
        let piece = &self.text[token.range.clone()];
        match spaces.matches('\n').count() {
            _ if self.out.is_empty() => {}
            0 => {
                let gap = self.gap(spaces, token);
                self.out.push_str(&gap);
            }
            breaks => self.new_line(breaks, token),
        }
        match token.what {
            What::Open(_) => self.open.push(self.indent),
            What::Close(_) => {
                self.open.pop();
            }
            _ => {}
        }
        self.out.push_str(piece);
        self.before = Some(token.what);
    }

    /// Starts a line; of several empty ones in a row one is left.
    fn new_line(&mut self, breaks: usize, token: &Token) {
        let inside = || self.open.last().map_or(0, |indent| indent + INDENT);
        self.indent = match (token.what, self.before) {
            (What::Close(_), _) => self.open.last().copied().unwrap_or_default(),
            // A value below its name.
            (_, Some(What::Colon)) => inside() + INDENT,
            _ => inside(),
        };
        self.out.push_str(&self.line_end.repeat(breaks.min(2)));
        self.out.push_str(&" ".repeat(self.indent));
    }

    /// What is between two tokens of a line.
    fn gap(&self, spaces: &str, token: &Token) -> String {
        let Some(before) = self.before else { return String::new() };
        match (before, token.what) {
            // Comments may stand below each other.
            (_, What::Comment) => if spaces.is_empty() { " " } else { spaces }.to_owned(),
            (_, What::Comma | What::Colon | What::Close(_)) | (What::Open(_), _) => String::new(),
            (What::Word, What::Open(_)) => String::new(),
            (What::Comma | What::Colon, _) => " ".to_owned(),
            _ if spaces.is_empty() => String::new(),
            _ => " ".to_owned(),
        }
    }

    fn done(mut self) -> String {
        if !self.out.is_empty() {
            self.out.push_str(self.line_end);
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ron::Value;

    use super::*;
    use crate::pipeline::syntax::options;

    fn formatted(text: &str) -> String {
        format(text, "p.ron").unwrap()
    }

    #[test]
    fn white_space_is_put_right_and_nothing_else() {
        let text = "\n// about\nPipeline( name :\"p\",   nodes:{\n\"a\" : A( x:1,y : [1,2 ,3],),   // why\n\n\n\n/* b\n  c */ \"b\": B(z: (\n1,\n),\nq: [C(\n2,\n),3])})   ";
        let expected = "// about\nPipeline(name: \"p\", nodes: {\n    \"a\": A(x: 1, y: [1, 2, 3],),   // why\n\n    /* b\n  c */ \"b\": B(z: (\n        1,\n    ),\n        q: [C(\n            2,\n        ), 3])})\n";
        assert_eq!(formatted(text), expected);
        assert_eq!(formatted("A(a:\n1,\n b: 2)"), "A(a:\n        1,\n    b: 2)\n");
        assert_eq!(formatted("(\r\na: 1)"), "(\r\n    a: 1)\r\n");
        assert_eq!(formatted("#![enable( implicit_some )]\n( )"), "#![enable(implicit_some)]\n()\n");
    }

    #[test]
    fn what_is_no_ron_is_told() {
        let told = format("A(x: [1)", "p.ron").unwrap_err();
        assert!(told.findings[0].message.contains("`[` is closed by `)`"), "{told:?}");
    }

    /// RON of many forms, with white space and comments of all kinds in it.
    fn any_ron() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("1".to_owned()),
            Just("-1.5e3".to_owned()),
            Just("Name".to_owned()),
            Just(r#""a ( \" , b""#.to_owned()),
            Just("r#\"x \n  : y\"#".to_owned()),
            Just("'\"'".to_owned()),
            Just("\"{seed}\"".to_owned()),
        ];
        let gap = || {
            proptest::sample::select(vec!["", " ", "  ", "\n", "\n\n\n", "\t", " // c, (\n", "/* c \n d */", "\r\n"])
        };
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let items = proptest::collection::vec((gap(), inner, gap()), 0..4);
            (items, 0..4, proptest::bool::ANY).prop_map(|(items, form, trailing)| {
                let (open, key, close) =
                    [("[", "", "]"), ("(", "", ")"), ("N (", "f : ", ")"), ("{", "\"k\":", "}")][form as usize];
                let inside: Vec<String> = items.iter().map(|(a, item, b)| format!("{a}{key}{item}{b}")).collect();
                let comma = if trailing && !inside.is_empty() { "," } else { "" };
                format!("{open}{}{comma}{close}", inside.join(","))
            })
        })
    }

    proptest! {
        #[test]
        fn it_says_the_same_and_is_formatted_for_good(text in any_ron()) {
            let known: Option<Value> = options().from_str(&text).ok();
            if let Ok(once) = format(&text, "p.ron") {
                prop_assert_eq!(known, options().from_str::<Value>(&once).ok());
                prop_assert_eq!(&formatted(&once), &once);
                let bare = |text: &str| -> Vec<String> {
                    let kept = tokens(text).into_iter().filter(|token| token.what != What::Space);
                    kept.map(|token| text[token.range].to_owned()).collect()
                };
                prop_assert_eq!(bare(&text), bare(&once));
            }
        }
    }
}
