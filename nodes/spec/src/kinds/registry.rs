//! The closed list of kinds, and how to reach one by name.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{Artifact, Threshold};

/// The version that engine and worker must share.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is known of a kind besides its parameters.
pub trait KindSpec: Serialize + DeserializeOwned + JsonSchema + Into<Kind> {
    /// The name in a pipeline file.
    const NAME: &'static str;
    /// Counts the changes of what it computes; part of every key.
    const VERSION: u32;
    /// The artifact it yields, unless its parameters say otherwise.
    const OUTPUT: Artifact;

    /// The parameters of its training loop, if it trains.
    fn training(&self) -> Option<Training> {
        None
    }

    /// Why a training of more steps cannot begin with this one's; `None` if it does nothing else in these.
    fn tied_to_steps(&self) -> Option<&'static str> {
        self.training()?.spreads_over_steps()
    }

    /// What a measurement that the node makes of what it yields must reach, before anything uses that.
    fn bar(&self) -> Option<Bar> {
        None
    }

    /// Whether it computes on a GPU where there is one: as trainings do. Others only read, move and write, and are given none.
    fn computes_on_gpu(&self) -> bool {
        self.training().is_some()
    }

    /// The number format of its frozen networks; none of a kind that leaves no choice, which is float32.
    fn precision(&self) -> Option<Precision> {
        None
    }

    /// Whether its nodes keep checkpoints though they train nothing.
    const CHECKPOINTS: bool = false;

    /// The artifact that a node with these parameters yields.
    fn output(&self) -> Artifact {
        Self::OUTPUT
    }

    /// What is wrong with parameters that are each well-formed.
    fn check(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// A mistake in the combination of parameters, or in what one of them holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field to point at.
    pub field: &'static str,
    /// What is wrong, after "failed to …: ".
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A measurement by which what a node made is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The name under which the worker reports it.
    pub metric: &'static str,
    /// The field that says what it must reach.
    pub field: &'static str,
    /// What it must reach.
    pub at_least: Threshold,
}

/// Something to do with a kind, known by name only until now.
pub trait KindVisitor {
    /// What comes of it.
    type Out;
    /// Called with the kind of the name that was asked for.
    fn visit<K: KindSpec>(self) -> Self::Out;
}

macro_rules! kinds {
    ($($name:ident $version:literal -> $output:ident $({ $($extra:tt)* })?),* $(,)?) => {
        /// The parameters of a node, by kind.
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        pub enum Kind {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The kind's name.
            pub fn name(&self) -> &'static str {
                match self { $(Kind::$name(_) => <$name as KindSpec>::NAME,)* }
            }

            /// The version of what the kind computes.
            pub fn version(&self) -> u32 {
                match self { $(Kind::$name(_) => <$name as KindSpec>::VERSION,)* }
            }

            /// What the node yields.
            pub fn output(&self) -> Artifact {
                match self { $(Kind::$name(params) => params.output(),)* }
            }

            /// The parameters of the training loop; none of a kind that trains nothing.
            pub fn training(&self) -> Option<Training> {
                match self { $(Kind::$name(params) => KindSpec::training(params),)* }
            }

            /// Why a training of more steps, and else of the same parameters, cannot begin with what this one does; `None` if
            /// it does the same in these steps.
            pub fn tied_to_steps(&self) -> Option<&'static str> {
                match self { $(Kind::$name(params) => params.tied_to_steps(),)* }
            }

            /// Whether it computes on a GPU where there is one.
            pub fn computes_on_gpu(&self) -> bool {
                match self { $(Kind::$name(params) => params.computes_on_gpu(),)* }
            }

            /// The number format of its frozen networks; none of a kind that leaves no choice.
            pub fn precision(&self) -> Option<Precision> {
                match self { $(Kind::$name(params) => KindSpec::precision(params),)* }
            }

            /// What a measurement of what the node made must reach.
            pub fn bar(&self) -> Option<Bar> {
                match self { $(Kind::$name(params) => KindSpec::bar(params),)* }
            }

            /// The parameters as a tree.
            pub fn value(&self) -> crate::Value {
                match self { $(Kind::$name(params) => crate::Value::of(params),)* }
            }

            /// The kind with this tree of plain JSON parameters, as [`crate::Value::to_job`] writes them.
            pub fn from_json(name: &str, params: serde_json::Value) -> Result<Kind, serde_json::Error> {
                match name {
                    $(stringify!($name) => serde_json::from_value::<$name>(params).map(Kind::$name),)*
                    _ => Err(serde::de::Error::custom(format!("unknown kind {name}"))),
                }
            }

            /// Calls `visitor` with the kind of this name; `None` when there is none.
            pub fn visit<V: KindVisitor>(name: &str, visitor: V) -> Option<V::Out> {
                match name { $(stringify!($name) => Some(visitor.visit::<$name>()),)* _ => None }
            }
        }

        $(
            impl From<$name> for Kind {
                fn from(params: $name) -> Kind {
                    Kind::$name(params)
                }
            }

            impl KindSpec for $name {
                const NAME: &'static str = stringify!($name);
                const VERSION: u32 = $version;
                const OUTPUT: Artifact = Artifact::$output;
                $($($extra)*)?
            }
        )*
    };
}

kinds! {
    Digits 1 -> Dataset,
    ImageFolder 4 -> Dataset { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    WebDataset 2 -> Dataset { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Diffusers 2 -> Model { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    PretrainedClip 1 -> Clip { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    ScoreModel 1 -> Scorer { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    EncodeLatents 1 -> Latents { const CHECKPOINTS: bool = true;
        fn computes_on_gpu(&self) -> bool { true }
        fn precision(&self) -> Option<Precision> { Some(self.precision) } },
    TrainClip 1 -> Clip { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    TrainJudge 1 -> Classifier { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn bar(&self) -> Option<Bar> { Some(self.bar()) } },
    TrainSegmenter 1 -> Segmenter { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn bar(&self) -> Option<Bar> { Some(self.bar()) } },
    TrainVae 1 -> Vae { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    TrainTeacher 1 -> Model { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    SegmentDistill 1 -> Lora { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn precision(&self) -> Option<Precision> { Some(self.precision) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    RewardFinetune 2 -> Lora { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn precision(&self) -> Option<Precision> { Some(self.precision) }
        fn tied_to_steps(&self) -> Option<&'static str> {
        let guarded = self.guard.is_some().then_some("its `guard` looks at the last step, whichever that is");
        self.training().spreads_over_steps().or(guarded)
    }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    OdePairs 1 -> Pairs { const CHECKPOINTS: bool = true;
        fn computes_on_gpu(&self) -> bool { true }
        fn precision(&self) -> Option<Precision> { Some(self.precision) } },
    ScoreDistill 2 -> Lora { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn precision(&self) -> Option<Precision> { Some(self.precision) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    PretrainedLora 2 -> Lora { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    FinetuneLora 1 -> Lora { fn training(&self) -> Option<Training> { Some(self.training()) }
        fn precision(&self) -> Option<Precision> { Some(self.precision) } },
    LoraFuse 1 -> Model { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    LoraExtract 1 -> Lora { fn computes_on_gpu(&self) -> bool { true } },
    LoraMerge 2 -> Lora { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Sample 1 -> Images { fn computes_on_gpu(&self) -> bool { true }
        fn precision(&self) -> Option<Precision> { Some(self.precision) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Export 2 -> Files { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    CommandScorer 1 -> CommandScorer { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Eval 4 -> Metrics { fn computes_on_gpu(&self) -> bool { true }
        fn precision(&self) -> Option<Precision> { Some(self.precision) }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Gate 1 -> Report { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Summary 1 -> Report { fn check(&self) -> Vec<Problem> {
        self.problems()
    } },
    Command 1 -> Files {
        fn output(&self) -> Artifact { self.output }
        fn check(&self) -> Vec<Problem> {
        self.problems()
    }
    },
}
