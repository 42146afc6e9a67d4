//! What there is to say of what is under the cursor.

use std::ops::Range;

use super::about;
use super::names::{Names, Sort};
use super::outline::Value;
use super::pattern::hole_at;
use super::place::{Place, at};

/// Markdown, and the bytes that it is about.
pub(super) fn hover(text: &str, root: &Value, byte: usize) -> Option<(String, Range<usize>)> {
    let names = Names::of(text, root);
    let place = at(text, root, byte);
    let of_axis = || of_axis(text, &names, byte);
    of_use(&names, text, byte).or_else(of_axis).or_else(|| of_node(&names, byte)).or_else(|| of_language(text, &place))
}

/// `{axis}` in any text.
fn of_axis(text: &str, names: &Names<'_>, byte: usize) -> Option<(String, Range<usize>)> {
    let range = axis_at(text, byte)?;
    let axis = names.axes.iter().find(|axis| axis.name == text[range.clone()])?;
    Some((about::defined(text, axis), range))
}

/// The bytes of an axis in braces, on one line.
pub(super) fn axis_at(text: &str, byte: usize) -> Option<Range<usize>> {
    let start = text.get(..byte)?.rfind('\n').map_or(0, |end| end + 1);
    let end = text[byte..].find('\n').map_or(text.len(), |end| byte + end);
    let name = hole_at(&text[start..end], byte - start)?;
    let offset = name.as_ptr().addr() - text.as_ptr().addr();
    Some(offset..offset + name.len())
}

fn of_node(names: &Names<'_>, byte: usize) -> Option<(String, Range<usize>)> {
    let node = names.nodes.iter().find(|node| touches(&node.range, byte))?;
    Some((about::node(names, node), node.range.clone()))
}

fn of_use(names: &Names<'_>, text: &str, byte: usize) -> Option<(String, Range<usize>)> {
    let used = names.uses.iter().find(|used| touches(&used.range, byte))?;
    let told: Vec<String> = match used.sort {
        Sort::Node => names.nodes_of(&used.name).into_iter().map(|node| about::node(names, node)).collect(),
        Sort::Param => names.param_of(&used.name).into_iter().map(|param| about::defined(text, param)).collect(),
    };
    (!told.is_empty()).then(|| (told.join("\n\n"), used.range.clone()))
}

/// Whether a cursor before this byte is on a piece, or just behind it.
pub(super) fn touches(range: &Range<usize>, byte: usize) -> bool {
    range.start <= byte && byte <= range.end
}

fn of_language(text: &str, place: &Place<'_>) -> Option<(String, Range<usize>)> {
    let (_, holds) = place.around?;
    if place.on_key {
        let range = place.item?.key.as_ref()?.range.clone();
        let field = holds?.field(text.get(range.clone())?)?;
        return Some((about::field(field), range));
    }
    let range = place.value?.name.clone()?;
    let name = &text[range.clone()];
    let told = match place.path.as_slice() {
        [nodes, _] if nodes == "nodes" => about::kind(name)?,
        _ => about::variant(place.ty?.variant(name)?),
    };
    Some((told, range))
}
