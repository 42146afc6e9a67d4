//! What the header of an exported LoRA tells of it.

use std::collections::{BTreeMap, HashMap};

use hyper_flow_cache::{Digest, Key, Store, StoreError};
use hyper_flow_spec::kinds::{About, Measured};
use safetensors::SafeTensors;
use serde_json::Value;

/// Adds to each LoRA file of an artifact what is known of it. Some are already to be exported in another form than the store
/// has them in, by their paths.
pub(super) fn describe(
    store: &Store,
    artifact: &Digest,
    about: &About,
    key: &Key,
    mut instead: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let tree = store.tree(artifact)?;
    for path in tree.entries().iter().map(|entry| &entry.path).filter(|path| path.ends_with(".safetensors")) {
        let bytes = match instead.remove(path) {
            Some(bytes) => bytes,
            None => store.read(artifact, path)?,
        };
        instead.insert(path.clone(), described(&bytes, about, &key.to_string()).unwrap_or(bytes));
    }
    Ok(instead)
}

/// A LoRA file with a header that tells of it; `None` if its own does, or if it is none of those that the kinds here write.
fn described(file: &[u8], about: &About, key: &str) -> Option<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(file).ok()?;
    let tensors = SafeTensors::deserialize(file).ok()?;
    let downs = || tensors.iter().filter(|(name, _)| name.ends_with(".lora_down.weight"));
    let shape = |(_, view): (&str, safetensors::tensor::TensorView<'_>)| view.shape().to_vec();
    let rank = downs().filter_map(|down| shape(down).first().copied()).max()? as i64;
    let attends = |(name, _): &(&str, _)| name.ends_with("attn2_to_k.lora_down.weight");
    let text_width = downs().find(attends).and_then(|down| Some(*shape(down).get(1)? as i64));
    if header.metadata().is_some() {
        return None;
    }
    let text = Value::Object(about.header(Measured { rank, text_width, key })).to_string();
    let entry = HashMap::from([(About::ENTRY.to_owned(), text)]);
    safetensors::serialize(tensors.iter(), Some(entry)).ok()
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::*;

    fn file(names: &[&str], header: Option<HashMap<String, String>>) -> Vec<u8> {
        let bytes = [0u8; 4 * 8];
        let view = || TensorView::new(Dtype::F32, vec![2, 4], &bytes).unwrap();
        safetensors::serialize(names.iter().map(|name| (*name, view())), header).unwrap()
    }

    #[test]
    fn a_lora_gets_one_entry_and_keeps_its_tensors() {
        let before = file(&["lora_unet_a_attn2_to_k.lora_down.weight", "lora_unet_a_attn2_to_k.lora_up.weight"], None);
        let after = described(&before, &About::default(), "key").unwrap();
        let entries = SafeTensors::read_metadata(&after).unwrap().1.metadata().clone().unwrap();
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["modelspec"]);
        let told: Value = serde_json::from_str(&entries["modelspec"]).unwrap();
        assert_eq!((told["hyper_flow.rank"].as_str(), told["hyper_flow.key"].as_str()), (Some("2"), Some("key")));
        let (before, after) = (SafeTensors::deserialize(&before).unwrap(), SafeTensors::deserialize(&after).unwrap());
        let of = |file: &SafeTensors<'_>| {
            let mut all: Vec<_> = file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
            all.sort();
            all
        };
        assert_eq!(of(&before), of(&after));
    }

    #[test]
    fn what_tells_of_itself_or_is_no_lora_stays() {
        let own = HashMap::from([("ss_network_dim".to_owned(), "2".to_owned())]);
        assert_eq!(described(&file(&["a.lora_down.weight"], Some(own)), &About::default(), "key"), None);
        assert_eq!(described(&file(&["a.weight"], None), &About::default(), "key"), None);
        assert_eq!(described(b"one\n", &About::default(), "key"), None);
    }
}
