//! Reading a LoRA in whatever form it was published.

use super::convert::Change;
use super::file::{Adapter, LoraFile, Placed};
use super::merge::{Kept, Squares, truncate_layer};
use super::other::Taken;
use super::peft::{CONFIG_FILE, Configs, configured, unknown_alpha};
use super::spelling::Names;
use super::svd::nearest;
use super::{Lora, LoraLayer, LoraTarget, Truncation, text};
use crate::DiffusionError;
use crate::weights::WeightFile;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor, no_grad};

/// How far a stored alpha may be from one that is given: what 16 bits round.
const ROUNDED: f64 = 5e-3;

/// A LoRA file as it was published: with the keys of kohya's trainers, LyCORIS, OneTrainer, ComfyUI, peft, or diffusers of any
/// year, also mixed, with modules named as in diffusers or as in the published checkpoints; or the folder that they wrote.
#[derive(Debug)]
pub struct PublishedLora {
    file: WeightFile,
    /// The `adapter_config.json` beside it.
    config: Option<PathBuf>,
    alpha: Option<f64>,
    drops_text: bool,
}

impl PublishedLora {
    /// Opens a file, or a folder with one.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] for a folder that has none or several; otherwise as [`WeightFile::open`].
    pub fn open(path: &Path) -> Result<Self, DiffusionError> {
        let (path, config) = if path.is_dir() { in_folder(path)? } else { (path.to_owned(), None) };
        Ok(Self { file: WeightFile::open(&path)?, config, alpha: None, drops_text: false })
    }

    /// With the alpha of the modules of which the file does not say it. (Files by diffusers and peft need not.)
    ///
    /// An alpha that is a tensor of the file counts, else that of the header or of an `adapter_config.json`, else this, else,
    /// with kohya's names for the halves, the rank.
    #[must_use]
    pub fn with_alpha(self, alpha: Option<f64>) -> Self {
        Self { alpha, ..self }
    }

    /// Without what is for text encoders. Yields what that is, "72 modules of text encoders" and "the embeddings cat".
    pub fn without_text(self) -> (Self, Vec<String>) {
        let dropped = text::parts(&self.file);
        (Self { drops_text: true, ..self }, dropped)
    }

    /// Reads it for a model with the given modules, which may be those of text encoders, too
    /// ([`TextEncoders::lora_modules`](crate::TextEncoders::lora_modules)); frozen, fp32.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] if alpha is not known (to take the rank for it, as diffusers does, would silently scale the
    /// LoRA by another number than it was trained with) or another one than is given. [`DiffusionError::Keys`] for keys that
    /// fit no module and modules with one half only, [`DiffusionError::NotFinite`] for a weight that is no number,
    /// [`DiffusionError::Lora`] for shapes and configurations that do not fit and for other adapters than a LoRA of these;
    /// otherwise as [`WeightFile`].
    pub fn read(&self, modules: &[LoraTarget], device: Device) -> Result<Lora, DiffusionError> {
        let alphas = self.alphas(false)?;
        self.for_modules(modules, device).read(|adapter, module, rank| alphas.of(adapter, module, rank))
    }

    /// As [`Self::read`], of any adapter whose ΔW is known in closed form: a LoRA of three factors, LoHa, LoKr or DoRA becomes
    /// a LoRA of at most `rank` in each module, the nearest there is, and the error is told; so does a plain LoRA of a higher
    /// rank. `base` gives the weight of a module in f64 on the CPU, which a DoRA changes by a factor; `progress` hears how many modules of how
    /// many are done, and may stop it.
    ///
    /// # Errors
    /// As [`Self::read`], and what `base` and `progress` say.
    pub fn convert<E: From<DiffusionError>>(
        &self,
        modules: &[LoraTarget],
        rank: i64,
        base: impl Fn(&str) -> Result<Tensor, DiffusionError>,
        progress: impl Fn(usize, usize) -> Result<(), E>,
    ) -> Result<(Lora, Truncation), E> {
        let (alphas, file) = (self.alphas(true)?, self.for_modules(modules, Device::Cpu));
        let adapters = file.adapters(Taken::Convertible)?;
        let mut kept = Kept::default();
        for (done, placed) in adapters.iter().enumerate() {
            let Placed { module, shape, adapter } = placed;
            let weight = || base(module);
            let alpha = |rank| alphas.of(adapter, module, rank);
            let nearest = || match file.change(adapter, module, shape, alpha, weight)? {
                Change::Low(layer) if layer.rank() <= rank => Ok(as_it_is(layer)),
                Change::Low(layer) => truncate_layer(&layer, rank),
                Change::Full(delta) => nearest(&delta, rank),
            };
            kept.add(module, no_grad(nearest).map_err(|error| file.at(error))?);
            progress(done + 1, adapters.len())?;
        }
        let (lora, error) = kept.into_parts();
        Ok((file.checked(lora)?, error))
    }

    fn for_modules<'a>(&'a self, modules: &'a [LoraTarget], device: Device) -> LoraFile<'a> {
        LoraFile { file: &self.file, modules, names: Names::all(modules), device, drops_text: self.drops_text }
    }

    fn alphas(&self, converts: bool) -> Result<Alphas<'_>, DiffusionError> {
        let config = configured(&self.file, self.config.as_deref(), converts)?;
        Ok(Alphas { file: &self.file, config, given: self.alpha })
    }
}

/// [`PublishedLora::read`] of a path.
///
/// # Errors
/// As [`PublishedLora::open`] and [`PublishedLora::read`].
pub fn read_lora(
    path: &Path,
    modules: &[LoraTarget],
    alpha: Option<f64>,
    device: Device,
) -> Result<Lora, DiffusionError> {
    PublishedLora::open(path)?.with_alpha(alpha).read(modules, device)
}

fn as_it_is(layer: LoraLayer) -> (LoraLayer, Squares) {
    let whole = layer.delta().to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
    (layer, Squares { lost: 0.0, whole })
}

/// Who may say what alpha is.
struct Alphas<'a> {
    file: &'a WeightFile,
    config: Option<Configs>,
    given: Option<f64>,
}

impl Alphas<'_> {
    fn of(&self, adapter: &Adapter<'_>, module: &str, rank: f64) -> Result<f64, DiffusionError> {
        let configured = |config: &Configs| config.alpha(module, rank).map_err(DiffusionError::Lora);
        let said = match adapter.alpha(self.file)? {
            Some(alpha) => Some(alpha),
            None => self.config.as_ref().map(configured).transpose()?.flatten(),
        };
        match (said, self.given) {
            (Some(said), Some(given)) if (said - given).abs() > ROUNDED * said.abs() => {
                let message = format!("`alpha` is {given}, and the file says {said} of {module}: leave `alpha` out");
                Err(DiffusionError::Lora(message))
            }
            (Some(alpha), _) | (None, Some(alpha)) => Ok(alpha),
            (None, None) if adapter.rank_is_alpha() => Ok(rank),
            (None, None) => Err(unknown_alpha()),
        }
    }
}

/// The LoRA file of a folder and the configuration beside it.
fn in_folder(folder: &Path) -> Result<(PathBuf, Option<PathBuf>), DiffusionError> {
    let io = |source| DiffusionError::Io { action: "read", path: folder.to_owned(), source };
    let entries = folder.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(io)?;
    let ends = |path: &PathBuf, end: &str| path.extension().is_some_and(|found| found == end);
    let paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    // A pickle is opened to be refused with what to do about it.
    let of = |end: &str| paths.iter().filter(|path| ends(path, end)).cloned().collect::<Vec<_>>();
    let files = Some(of("safetensors")).filter(|found| !found.is_empty()).unwrap_or_else(|| of("bin"));
    match files.as_slice() {
        [one] => Ok((one.clone(), Some(folder.join(CONFIG_FILE)).filter(|path| path.exists()))),
        [] => Err(DiffusionError::Lora(format!("{} has no safetensors file", folder.display()))),
        [..] => Err(DiffusionError::Lora(format!("{} has several safetensors files: give one", folder.display()))),
    }
}
