//! Pipelines that run in seconds: the same nodes, with few steps, small batches and few pictures.

/// The pipeline with two steps where it has ten or more, and with nothing asked of what comes out.
pub(crate) fn small(pipeline: &str) -> String {
    let mut text = pipeline.to_owned();
    for (field, least, instead) in [("steps", 10.0, "2"), ("samples", 20.0, "20"), ("warmup", 2.0, "1")] {
        text = with_numbers(&text, field, least, instead);
    }
    for (kind, field, value) in [
        ("Eval", "samples", "20"),
        ("Eval", "resamples", "50"),
        ("TrainJudge", "min_accuracy", "0.0"),
        ("ScoreDistill", "fake_warmup", "1"),
        ("ScoreDistill", "batch", "8"),
        ("SegmentDistill", "batch", "8"),
        ("RewardFinetune", "batch", "8"),
    ] {
        text = with_field(&text, kind, field, value);
    }
    without_requirements(&text)
}

/// Puts what always holds for what a `Gate` wants.
fn without_requirements(text: &str) -> String {
    let start = "require: [";
    let mut pieces = text.split(start);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (_, rest) = piece.split_once(']').expect("a list ends");
        out += &format!("{start}(candidate: \"unified\", number: \"coverage\", at_least: 0)]{rest}");
    }
    out
}

/// Puts a number for those of a field that are at least `least`.
fn with_numbers(text: &str, field: &str, least: f64, instead: &str) -> String {
    let pattern = format!("{field}: ");
    let mut pieces = text.split(&pattern);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let whole_name = !out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let end = piece.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'))).unwrap_or(piece.len());
        let replaced = whole_name && piece[..end].parse::<f64>().is_ok_and(|number| number >= least);
        out += &pattern;
        out += if replaced { instead } else { &piece[..end] };
        out += &piece[end..];
    }
    out
}

/// Gives the nodes of a kind a field that they leave to its default.
fn with_field(text: &str, kind: &str, field: &str, value: &str) -> String {
    let start = format!(" {kind}(");
    let mut pieces = text.split(&start);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out += &start;
        if !call(piece).contains(&format!("{field}: ")) {
            out += &format!("{field}: {value}, ");
        }
        out += piece;
    }
    out
}

/// What is between the parenthesis that was opened before it and the one that closes it.
fn call(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &text[..end.unwrap_or(text.len())]
}
