//! Whether what a node made is good enough to be used. What is asked of it is in no key: a record is judged whenever it is
//! looked up.

use hyper_flow_cache::Record;
use hyper_flow_spec::Kind;

/// What a record falls short of, in words; `None` if it is good enough, as all are of which nothing is asked.
pub(crate) fn shortfall(kind: &Kind, record: &Record) -> Option<String> {
    let bar = kind.bar()?;
    let (metric, field, least) = (bar.metric.replace('_', " "), bar.field, bar.at_least.get());
    match record.meta.value()["metrics"][bar.metric].as_f64() {
        Some(value) if value >= least => None,
        Some(value) => Some(format!("its {metric} is {value:.4}, below `{field}: {least}`")),
        None => Some(format!("nothing says what its {metric} is, which `{field}` asks for")),
    }
}
