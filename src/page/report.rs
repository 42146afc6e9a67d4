//! One file with all of a run: it needs no network, and is not larger than what people send each other.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_flow_cache::Store;
use serde::Serialize;

use super::assets;
use super::model::RunPage;
use super::picture::{self, Picture};
use super::preview;
use crate::output::units;

/// The most that a report has.
pub const LARGEST: usize = 10 << 20;

/// A report.
#[derive(Debug)]
pub struct Report {
    /// The document.
    pub html: String,
    /// How many pictures it has.
    pub pictures: usize,
    /// What it has not, in words.
    pub left_out: Vec<String>,
}

/// What the front end finds in the document.
#[derive(Serialize)]
struct Island<'a> {
    host: &'static str,
    run: &'a RunPage,
    /// Pictures by their names, as `data:` addresses.
    pictures: &'a BTreeMap<String, String>,
    /// What was left out.
    left_out: &'a [String],
}

/// Points of a series, and of all together, in turn until the page is small enough.
const POINTS: [(usize, usize); 4] = [(600, 120_000), (300, 60_000), (100, 20_000), (24, 5_000)];
/// So much of a report may be words and numbers.
const DATA: usize = 5 << 20;
/// The longer side of pictures, in turn until they fit.
const SIDES: [u32; 4] = [2048, 1280, 640, 320];

/// The report of a run.
pub fn report(mut run: RunPage, store: &Store) -> Report {
    let mut left_out = Vec::new();
    fit_data(&mut run, &mut left_out);
    let script = assets::script();
    let frame = script.len() + assets::STYLE.len() + serde_json::to_string(&run).map_or(0, |text| escape(&text).len());
    let names = names(&run);
    let pictures = fit_pictures(&names, store, LARGEST.saturating_sub(frame + (64 << 10)), &mut left_out);
    let island = Island { host: "report", run: &run, pictures: &pictures, left_out: &left_out };
    let data = escape(&serde_json::to_string(&island).expect("a page is plain JSON"));
    Report { html: html(&run, &script, &data), pictures: pictures.len(), left_out }
}

/// In a script nothing ends it but `</script`, and nothing begins a comment but `<!--`.
fn escape(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn html(run: &RunPage, script: &str, data: &str) -> String {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        assets::hash(script),
        assets::hash(assets::STYLE),
    );
    let title = escape_text(&format!("{} · {}", run.pipeline, run.id));
    let head = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<title>{title}</title>\n<style>{}</style>",
        assets::STYLE,
    );
    let body = format!("<script type=\"application/json\" id=\"data\">{data}</script>\n<script>{script}</script>");
    assets::document(&head, &body)
}

pub(super) fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Thins curves, then leaves out what is long, until words and numbers take their share at most.
fn fit_data(run: &mut RunPage, left_out: &mut Vec<String>) {
    let size = |run: &RunPage| serde_json::to_string(run).map_or(0, |text| escape(&text).len());
    let points = run.points();
    for (most, in_all) in POINTS {
        run.thin(most, in_all);
        if size(run) <= DATA {
            break;
        }
    }
    if run.points() < points {
        left_out.push(format!("{} of {points} points of curves; least and greatest are kept", points - run.points()));
    }
    type Cut = (&'static str, fn(&mut RunPage));
    let cuts: [Cut; 4] = [
        ("messages of nodes and names of files", |run| {
            for node in &mut run.nodes {
                node.said.clear();
                node.made.iter_mut().for_each(|made| made.files.clear());
            }
        }),
        ("parameters that have their default", |run| {
            run.nodes.iter_mut().for_each(|node| node.params.retain(|param| !param.default));
        }),
        ("parameters, curves and keys", |run| {
            for node in &mut run.nodes {
                node.params.clear();
                node.digests.clear();
                node.curve = Default::default();
                node.made = None;
            }
        }),
        ("all nodes after the first 2,000", |run| run.nodes.truncate(2000)),
    ];
    for (words, cut) in cuts {
        if size(run) <= DATA {
            return;
        }
        cut(run);
        left_out.push(words.to_owned());
    }
}

/// The names of the pictures, what matters most first: evaluations, samples, then trainings from their last steps back.
fn names(run: &RunPage) -> Vec<String> {
    let grids = run.grids.iter().map(|grid| grid.picture.clone());
    let drawn = run.drawn.iter().flat_map(|drawn| drawn.pictures.iter().map(|[name, _]| name.clone()));
    let longest = run.training.iter().map(|training| training.samples.len()).max().unwrap_or(0);
    let training = (0..longest).flat_map(|back| {
        run.training
            .iter()
            .filter_map(move |training| training.samples.iter().rev().nth(back).map(|(_, name)| name.clone()))
    });
    grids.chain(drawn).chain(training).collect()
}

/// Pictures that fit into so many bytes: each with its fair share of what is left, as large as that allows.
fn fit_pictures(names: &[String], store: &Store, room: usize, left_out: &mut Vec<String>) -> BTreeMap<String, String> {
    let (mut pictures, mut rest) = (BTreeMap::new(), room);
    let (mut shrunk, mut missing) = (0_u64, 0_u64);
    for (done, name) in names.iter().enumerate() {
        // The first may take more than the last.
        let share = (3 * rest / (names.len() - done)).min(rest);
        let Some(picture) = picture::find(store, name) else {
            missing += 1;
            continue;
        };
        match SIDES
            .iter()
            .find_map(|side| address(&picture, *side).filter(|(text, _)| text.len() + name.len() + 8 <= share))
        {
            Some((text, smaller)) => {
                shrunk += u64::from(smaller);
                rest -= text.len() + name.len() + 8;
                pictures.insert(name.clone(), text);
            }
            None => missing += 1,
        }
    }
    if shrunk > 0 {
        left_out.push(format!("the full size of {}", units::count(shrunk, "picture")));
    }
    if missing > 0 {
        left_out.push(format!("{}; `hyper-flow ui` shows all", units::count(missing, "picture")));
    }
    pictures
}

fn address(picture: &Picture, side: u32) -> Option<(String, bool)> {
    let preview = preview::shrink(picture, side)?;
    let smaller = preview.bytes != picture.bytes;
    Some((format!("data:{};base64,{}", preview.media, STANDARD.encode(&preview.bytes)), smaller))
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};
    use serde_json::json;

    use super::*;
    use crate::runs::Run;

    /// As large as it is: nothing in it repeats.
    fn noise(seed: u32) -> Vec<u8> {
        let mut state = seed | 1;
        let picture = RgbImage::from_fn(700, 700, |_, _| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            Rgb([state as u8, (state >> 8) as u8, (state >> 16) as u8])
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_report_of_much_is_small_and_says_what_it_has_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let run = Run { path: store.runs().join("20261130-000000-000-0000") };
        let samples = run.path.join("nodes/t/samples");
        create_dir_all(&samples).unwrap();
        let description = json!({"name": "p", "pipeline": "/nowhere/p.ron", "started": "2026-11-30T00:00:00.000Z"});
        write(run.path.join("run.json"), description.to_string()).unwrap();
        write(run.path.join("plan.json"), json!([{"name": "t", "kind": "TrainTeacher"}]).to_string()).unwrap();
        write(run.path.join("keys.jsonl"), "").unwrap();
        let mut log = String::new();
        for step in 0..40_000 {
            log += &format!(
                "{{\"time\":\"t\",\"node\":\"t\",\"event\":\"step\",\"step\":{step},\"of\":1,\"losses\":{{\"a\":{}}}}}\n",
                1.0 / f64::from(step + 1)
            );
        }
        for step in 0..12 {
            write(samples.join(format!("{step}.png")), noise(step + 7)).unwrap();
            log += &format!(
                "{{\"time\":\"t\",\"node\":\"t\",\"event\":\"sample\",\"step\":{step},\"path\":\"{step}.png\"}}\n"
            );
        }
        write(samples.join("0.png"), "no picture").unwrap();
        write(run.path.join("events.jsonl"), log).unwrap();
        let report = report(RunPage::of(&run, &store).unwrap(), &store);
        assert!(report.html.len() <= LARGEST, "{}", report.html.len());
        assert_eq!(report.pictures, 11, "{:?}", report.left_out);
        let told = report.left_out.join("\n");
        assert!(
            told.contains("of 40000 points")
                && told.contains("the full size of 11 pictures")
                && told.contains("1 picture"),
            "{told}"
        );
        assert!(
            report.left_out.iter().all(|what| report.html.contains(&escape(&serde_json::to_string(what).unwrap())))
        );
    }
}
