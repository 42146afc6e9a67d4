//! The pipelines to start from.

use serde::Serialize;

/// What a pipeline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// A small model of your own pictures, through the whole method in minutes on a CPU.
    Pictures,
    /// Stable Diffusion 1.5, distilled on your pictures.
    Sd15,
    /// Stable Diffusion XL, distilled on your pictures.
    Sdxl,
    /// Several ways to distil a small model of your pictures, each with several seeds, compared.
    Sweep,
}

/// What differs between Stable Diffusion's sizes, in the template that they share.
const SD15: [(&str, &str); 9] = [
    ("@MODEL@", "Stable Diffusion 1.5"),
    ("@WHOLE@", "hyper-sd15"),
    ("@REPO@", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    ("@REVISION@", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"),
    ("@SIZE@", "512"),
    ("@BATCH@", "16"),
    ("@ACCUMULATE@", "4"),
    ("@ENCODERS@", "Fp16"),
    ("@MEMORY@", "24 GB"),
];
const SDXL: [(&str, &str); 9] = [
    ("@MODEL@", "Stable Diffusion XL"),
    ("@WHOLE@", "hyper-sdxl"),
    ("@REPO@", "stabilityai/stable-diffusion-xl-base-1.0"),
    ("@REVISION@", "462165984030d82259a11f4367a4eed129e94a7b"),
    ("@SIZE@", "1024"),
    ("@BATCH@", "4"),
    ("@ACCUMULATE@", "16"),
    ("@ENCODERS@", "Fp32"),
    ("@MEMORY@", "48 GB"),
];

impl Template {
    /// All of them.
    pub const ALL: [Template; 4] = [Template::Pictures, Template::Sd15, Template::Sdxl, Template::Sweep];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Template::Pictures => "pictures",
            Template::Sd15 => "sd15",
            Template::Sdxl => "sdxl",
            Template::Sweep => "sweep",
        }
    }

    /// What it is for, in a few words.
    pub(super) fn about(self) -> &'static str {
        match self {
            Template::Pictures => "a small model of your own pictures, drawn in one step; minutes on a CPU",
            Template::Sd15 => "Stable Diffusion 1.5, distilled on your pictures; wants a GPU",
            Template::Sdxl => "Stable Diffusion XL, distilled on your pictures; wants a large GPU",
            Template::Sweep => "several ways to distil a small model of your pictures, compared",
        }
    }

    /// The text of the file, as one types its path: with this name, folder of pictures, and these prompts.
    pub(super) fn fill(self, file: &str, name: &str, folder: &str, prompts: &[String]) -> String {
        let (text, models) = match self {
            Template::Pictures => (include_str!("pictures.ron"), &[][..]),
            Template::Sd15 => (include_str!("stable_diffusion.ron"), &SD15[..]),
            Template::Sdxl => (include_str!("stable_diffusion.ron"), &SDXL[..]),
            Template::Sweep => (include_str!("sweep.ron"), &[][..]),
        };
        let text = models.iter().fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value));
        // What is given may look like a mark, and is not looked at again.
        let given = [
            ("@NAME@", name.replace(char::is_control, "_")),
            ("@FILE@", file.to_owned()),
            ("@NAME_TEXT@", quoted(name)),
            ("@FOLDER@", quoted(folder)),
            ("@PROMPTS@", list(prompts)),
        ];
        put_in(&text, &given)
    }
}

fn put_in(text: &str, given: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let found = given.iter().find(|(name, _)| mark.starts_with(name));
        let length = found.map_or(1, |(name, _)| name.len());
        out.push_str(found.map_or("@", |(_, value)| value));
        rest = &mark[length..];
    }
    out + rest
}

fn list(prompts: &[String]) -> String {
    let prompts: Vec<String> = prompts.iter().map(|prompt| quoted(prompt)).collect();
    match prompts.iter().map(String::len).sum::<usize>() {
        0..90 => format!("[{}]", prompts.join(", ")),
        _ => format!("[\n            {},\n        ]", prompts.join(",\n            ")),
    }
}

fn quoted(text: &str) -> String {
    // Serialising a string cannot fail.
    ron::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_stands_in_place_of_marks_and_is_no_mark() {
        let given = [("@A@", "@B@".to_owned()), ("@B@", "b".to_owned())];
        assert_eq!(put_in("x@A@y@B@ a@b", &given), "x@B@yb a@b");
    }

    #[test]
    fn every_mark_is_known() {
        for template in Template::ALL {
            let text = template.fill("p.ron", "p", "pictures", &["a \"fox\"".to_owned()]);
            let is_mark = |piece: &str| piece.starts_with(|c: char| c.is_ascii_uppercase());
            assert!(!text.split('@').skip(1).any(is_mark), "{text}");
        }
    }
}
