//! A model folder becomes one in canonical form.

use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::ModelIndex;
use hyper_flow_diffusion::schedulers::SchedulerConfig;
use hyper_flow_diffusion::unet::UNet2DConditionConfig;

use super::needed::needed;
use crate::{NodeError, files};

/// Takes what a pipeline needs from a diffusers folder, without variants in its names.
pub(super) fn import(from: &Path, variant: Option<&str>, to: &Path) -> Result<(), NodeError> {
    let names = names_in(from)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let needed = needed(&names, variant).map_err(|why| NodeError::Content { path: from.to_owned(), message: why })?;
    for (name, canonical) in needed {
        let (source, target) = (from.join(name), to.join(canonical));
        files::make_parent(&target)?;
        fs::copy(&source, &target).map_err(NodeError::io("copy", &source))?;
    }
    let scheduler = SchedulerConfig::read(&to.join("scheduler"))?;
    UNet2DConditionConfig::read(&to.join("unet/config.json"))?;
    ModelIndex::read(to)?.write(to, &scheduler.class_name)?;
    Ok(())
}

/// Every file below a folder, with slashes, sorted.
fn names_in(folder: &Path) -> Result<Vec<String>, NodeError> {
    let (mut names, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(inside) = open.pop() {
        let path = folder.join(&inside);
        for entry in fs::read_dir(&path).map_err(NodeError::io("list", &path))? {
            let entry = entry.map_err(NodeError::io("list", &path))?;
            let name = inside.join(entry.file_name());
            match entry.path().is_dir() {
                true => open.push(name),
                false => names.extend(name.to_str().map(str::to_owned)),
            }
        }
    }
    names.sort();
    Ok(names)
}
