//! All numbers for programs: every value, its mean, and where the mean lies.

use hyper_flow_spec::metrics::CONFIDENCE;
use serde_json::{Map, Value, json};

use super::groups::{Group, Groups};

/// `summary.json`: `{confidence, rows, comparisons}`; the numbers of a comparison are differences, and have a `p`.
pub(super) fn json(groups: &Groups) -> Value {
    let all = |groups: &[Group]| groups.iter().map(group).collect::<Vec<Value>>();
    json!({ "confidence": CONFIDENCE, "rows": all(&groups.rows), "comparisons": all(&groups.pairs) })
}

fn group(group: &Group) -> Value {
    let mut fields = Map::new();
    fields.insert("candidate".into(), json!(group.candidate));
    if let Some(against) = &group.against {
        fields.insert("against".into(), json!(against));
    }
    fields.insert("steps".into(), json!(group.steps));
    let numbers: Map<String, Value> =
        group.values.keys().filter_map(|name| Some((name.clone(), number(group, name)?))).collect();
    fields.insert("numbers".into(), Value::Object(numbers));
    Value::Object(fields)
}

fn number(group: &Group, name: &str) -> Option<Value> {
    let repeats = group.repeats(name)?;
    let interval = repeats.margin(CONFIDENCE).map(|margin| [repeats.mean - margin, repeats.mean + margin]);
    let mut number = json!({
        "n": repeats.n, "mean": repeats.mean, "deviation": repeats.deviation, "interval": interval,
        "values": group.values[name],
    });
    if group.against.is_some() {
        number["p"] = json!(repeats.p());
    }
    Some(number)
}

/// `summary.csv`: a line for each number of each row.
pub(super) fn csv(groups: &Groups) -> String {
    let mut text = "candidate,against,steps,number,n,mean,deviation,low,high\n".to_owned();
    for group in groups.rows.iter().chain(&groups.pairs) {
        for name in group.values.keys() {
            let Some(repeats) = group.repeats(name) else { continue };
            let margin = repeats.margin(CONFIDENCE);
            let cells = [
                quoted(&group.candidate),
                quoted(group.against.as_deref().unwrap_or_default()),
                group.steps.map(|steps| steps.to_string()).unwrap_or_default(),
                quoted(name),
                repeats.n.to_string(),
                repeats.mean.to_string(),
                cell(repeats.deviation),
                cell(margin.map(|margin| repeats.mean - margin)),
                cell(margin.map(|margin| repeats.mean + margin)),
            ];
            text += &(cells.join(",") + "\n");
        }
    }
    text
}

fn cell(number: Option<f64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// As RFC 4180 wants a text.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
