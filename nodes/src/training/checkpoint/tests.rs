//! What becomes of checkpoints that are damaged, odd, or of something else.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::write_tensors;
use rustix::fs::{CWD, Mode, mkfifoat};
use tch::{Device, Tensor};
use tempfile::TempDir;

use super::Generations;

const JOB: &str = "a training";
const STEPS: u64 = 9;

fn tensors(step: u64) -> BTreeMap<String, Tensor> {
    let tensor = |first: f32| Tensor::from_slice(&[first, 2.0, step as f32]);
    BTreeMap::from([("average/w".to_owned(), tensor(1.0)), ("main/parameter/w".to_owned(), tensor(-1.0))])
}

fn generations(folder: &Path) -> Generations {
    Generations::new(folder, vec![JOB.to_owned()], STEPS)
}

/// A folder with the checkpoints after steps 1 to 3, of which two are left.
fn kept() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = generations(folder.path());
    (1..=3).for_each(|step| generations.write(step, tensors(step)).unwrap());
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The checkpoints after steps 2 and 3.
fn both(folder: &Path) -> [PathBuf; 2] {
    let paths: Vec<_> = names(folder).iter().map(|name| folder.join(name)).collect();
    paths.try_into().unwrap()
}

/// The step that is gone on from, 0 without one, and what was said of those that were set aside.
fn begin(folder: &Path) -> (u64, Vec<String>) {
    let begin = generations(folder).begin(&tensors(0)).unwrap();
    let step = begin.checkpoint.map_or(0, |mut found| {
        assert_eq!(found.take("average/")["w"], tensors(found.step)["average/w"]);
        found.step
    });
    (step, begin.damaged)
}

/// Nothing is there but whole checkpoints and, under another name, what was set aside.
fn assert_tidy(folder: &Path) {
    let fits = |name: &String| name.ends_with(".damaged") || name.len() == 96 && name.ends_with(".safetensors");
    assert_eq!(names(folder).iter().find(|name| !fits(name)), None);
}

#[test]
fn two_are_kept() {
    let folder = kept();
    let [older, newer] = both(folder.path()).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    assert!(older.starts_with("checkpoint-00000002-") && newer.starts_with("checkpoint-00000003-"));
    assert_eq!(begin(folder.path()), (3, vec![]));
    let mut generations = generations(folder.path());
    generations.begin(&tensors(0)).unwrap();
    generations.write(4, tensors(4)).unwrap();
    assert_eq!(names(folder.path())[0], newer, "those of another life count");
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn every_bit_counts() {
    let folder = kept();
    let [older, newer] = both(folder.path());
    let (good, before) = (fs::read(&newer).unwrap(), fs::read(&older).unwrap());
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << (position % 8);
        fs::write(&newer, &bytes).unwrap();
        let (step, damaged) = begin(folder.path());
        assert_eq!((step, damaged.len()), (2, 1), "byte {position}: {damaged:?}");
        let aside = newer.with_extension("safetensors.damaged");
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        assert_eq!(fs::read(&older).unwrap(), before, "the other one stays");
    }
    for other in [&good[..good.len() - 1], &[&good[..], b"x"].concat(), &good[..8], b"", &before] {
        fs::write(&newer, other).unwrap();
        assert!(matches!(begin(folder.path()), (2, damaged) if damaged.len() == 1));
    }
    assert_tidy(folder.path());
}

#[test]
fn the_name_counts() {
    let named = |change: &dyn Fn(&str) -> String| {
        let folder = kept();
        let [_, newer] = both(folder.path());
        let name = change(newer.file_name().unwrap().to_str().unwrap());
        fs::rename(&newer, folder.path().join(name)).unwrap();
        begin(folder.path())
    };
    let flipped =
        |name: &str| format!("{}{}{}", &name[..20], if &name[20..21] == "0" { "1" } else { "0" }, &name[21..]);
    for (said, why) in [
        (named(&flipped), "its bytes are not those that were written"),
        (named(&|name| name.replace("00000003", "00000004")), "it is of step 3, and its name is not"),
    ] {
        assert!(matches!(&said, (2, damaged) if damaged.len() == 1 && damaged[0].ends_with(why)), "{said:?}");
    }
    // Without a step it is looked at last.
    let cut = |name: &str| name.replace("-00000003", "");
    assert_eq!(named(&cut), (2, vec![]));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("checkpoint-3.safetensors"), fs::read(&both(kept().path())[1]).unwrap()).unwrap();
    let said = begin(folder.path());
    let why = "its name does not have a step and a digest";
    assert!(matches!(&said, (0, damaged) if damaged.len() == 1 && damaged[0].ends_with(why)), "{said:?}");
}

#[test]
fn whatever_else_is_in_its_place_is_set_aside() {
    type Make = fn(&Path);
    let things: [(&str, Make); 6] = [
        ("a directory", |path| fs::create_dir(path).and_then(|()| fs::write(path.join("x"), "y")).unwrap()),
        ("a pipe", |path| mkfifoat(CWD, path, Mode::RWXU).unwrap()),
        ("a link to nowhere", |path| symlink("nowhere", path).unwrap()),
        ("a link to itself", |path| symlink(path, path).unwrap()),
        ("an empty file", |path| fs::write(path, "").unwrap()),
        ("a file of something else", |path| fs::write(path, "x".repeat(1000)).unwrap()),
    ];
    for (what, make) in things {
        for twice in [false, true] {
            let folder = kept();
            let [older, newer] = both(folder.path());
            let old = folder.path().join("checkpoint.safetensors");
            for path in [newer, older].into_iter().take(if twice { 2 } else { 1 }) {
                fs::remove_file(&path).unwrap();
                make(&path);
            }
            make(&old);
            let (step, damaged) = begin(folder.path());
            assert_eq!((step, damaged.len()), if twice { (0, 3) } else { (2, 1) }, "{what}: {damaged:?}");
            // What is set aside does not stay for ever, nor is it in the way of the next.
            let mut generations = generations(folder.path());
            generations.begin(&tensors(0)).unwrap();
            (3..=5).for_each(|step| generations.write(step, tensors(step)).unwrap());
            assert_tidy(folder.path());
            assert_eq!(begin(folder.path()), (5, vec![]), "{what}");
            let newest = names(folder.path()).into_iter().filter(|name| name.ends_with(".safetensors")).max().unwrap();
            fs::write(folder.path().join(newest), "").unwrap();
            assert_eq!(begin(folder.path()).0, 4);
            assert_eq!(names(folder.path()).len(), 2, "one whole, one damaged, and nothing from before");
        }
    }
}

#[test]
fn what_belongs_to_something_else_is_refused() {
    let damaged_in = |folder: &TempDir| begin(folder.path()).1.join("\n");
    let of = |job: &str, steps, step| {
        let folder = tempfile::tempdir().unwrap();
        Generations::new(folder.path(), vec![job.to_owned()], steps).write(step, tensors(step)).unwrap();
        folder
    };
    assert!(damaged_in(&of("another one", STEPS, 2)).ends_with("it belongs to another training"));
    assert!(damaged_in(&of(JOB, 20, 10)).ends_with("it is of step 10 of a training of 9 steps"));
    assert_eq!(damaged_in(&of(JOB, STEPS, 9)), "");
}

/// A checkpoint as versions wrote it that kept one.
fn write_old(folder: &Path, step: u64, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let mut old = tensors(step);
    old.insert("step".to_owned(), Tensor::from(step as i64));
    change(&mut old);
    write_tensors(&folder.join("checkpoint.safetensors"), &old, None).unwrap();
}

#[test]
fn one_without_a_digest_is_gone_on_with_where_it_fits_and_there_is_none_with() {
    let folder = tempfile::tempdir().unwrap();
    write_old(folder.path(), 4, |_| ());
    let mut those = generations(folder.path());
    let begin = those.begin(&tensors(0)).unwrap();
    assert_eq!((begin.checkpoint.unwrap().step, begin.is_old), (4, true));
    those.write(5, tensors(5)).unwrap();
    assert_eq!(names(folder.path()).len(), 2, "it is the older one of two");
    those.write(6, tensors(6)).unwrap();
    assert_tidy(folder.path());

    write_old(folder.path(), 7, |_| ());
    let begin = generations(folder.path()).begin(&tensors(0)).unwrap();
    assert_eq!((begin.checkpoint.unwrap().step, begin.is_old), (6, false));
}

#[test]
fn one_without_a_digest_that_does_not_fit_is_set_aside() {
    type Change = fn(&mut BTreeMap<String, Tensor>);
    let changes: [(&str, u64, Change); 4] = [
        ("it is of step 10 of a training of 9 steps", 10, |_| ()),
        ("average/w is not finite", 3, |tensors| {
            _ = tensors.insert("average/w".into(), Tensor::from_slice(&[f32::NAN; 3]))
        }),
        ("average/w is not as this worker has it", 3, |tensors| _ = tensors.remove("average/w")),
        ("it has no step", 3, |tensors| _ = tensors.insert("step".into(), Tensor::from(3f32))),
    ];
    for (why, step, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        write_old(folder.path(), step, change);
        let (step, damaged) = begin(folder.path());
        assert!(step == 0 && damaged.len() == 1 && damaged[0].ends_with(why), "{damaged:?}");
        assert_eq!(names(folder.path()), ["checkpoint.safetensors.damaged"]);
    }
}

#[test]
fn a_kill_while_one_is_written_leaves_a_whole_one() {
    let [folder, next] = [kept(), kept()];
    generations(next.path()).write(4, tensors(4)).unwrap();
    let last = names(next.path()).pop().unwrap();
    let (new, [older, _]) = (folder.path().join("checkpoint.new"), both(folder.path()));
    // The moments of a write, one after the other.
    let partial = folder.path().join("checkpoint.new.partial-1");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("tensors"), "half").unwrap();
    assert_eq!(begin(folder.path()), (3, vec![]));
    assert_tidy(folder.path());
    fs::copy(next.path().join(&last), &new).unwrap();
    assert_eq!(begin(folder.path()), (3, vec![]));
    assert_tidy(folder.path());
    fs::remove_file(older).unwrap();
    assert_eq!(begin(folder.path()), (3, vec![]));
    fs::copy(next.path().join(&last), folder.path().join(&last)).unwrap();
    assert_eq!(begin(folder.path()), (4, vec![]));
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn what_cannot_be_written_takes_no_other() {
    let folder = kept();
    let before = names(folder.path());
    let mut generations = generations(folder.path());
    generations.begin(&tensors(0)).unwrap();
    // In the way of what is written first.
    fs::write(folder.path().join(format!("checkpoint.new.partial-{}", std::process::id())), "").unwrap();
    let error = generations.write(4, tensors(4)).unwrap_err();
    assert!(matches!(error, DiffusionError::Io { action: "write", .. }), "{error}");
    assert_eq!(names(folder.path()).iter().filter(|name| before.contains(name)).count(), 2);
    assert_eq!(begin(folder.path()), (3, vec![]));
    assert_eq!(names(folder.path()), before);
}

/// A small file system for as long as it is held; `None`, with a word, where this user may not mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new(kib: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("SKIPPED: a small disk cannot be mounted here (it takes root, outside of a container)");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // An error at hand says more than one about what is left mounted would.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Of 256 KiB.
fn large(step: u64) -> BTreeMap<String, Tensor> {
    BTreeMap::from([("w".to_owned(), Tensor::full([1 << 16], step as f64, (tch::Kind::Float, Device::Cpu)))])
}

#[test]
fn on_a_full_disk_the_older_one_makes_room_and_the_last_one_stays() {
    let Some(disk) = SmallDisk::new(700) else { return };
    let folder = disk.0.path();
    let mut those = generations(folder);
    (1..=4).for_each(|step| those.write(step, large(step)).unwrap());
    assert_eq!(names(folder).len(), 2);
    // Room for one.
    fs::remove_file(&both(folder)[0]).unwrap();
    fs::write(folder.join("other"), vec![0; 300 << 10]).unwrap();
    let error = those.write(5, large(5)).unwrap_err();
    assert!(matches!(error, DiffusionError::Io { action: "write", .. }), "{error}");
    fs::remove_file(folder.join("other")).unwrap();
    let step = |those: &mut Generations| those.begin(&large(0)).unwrap().checkpoint.map(|found| found.step);
    assert_eq!(step(&mut those), Some(4));
    those.write(5, large(5)).unwrap();
    assert_eq!((step(&mut those), names(folder).len()), (Some(5), 2));
}
