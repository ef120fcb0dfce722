//! Tests the ways to a release, with directories in the place of servers.

use std::cell::RefCell;

use super::*;
use crate::pins::{self, Tarball};

/// Servers, Debian and repositories that are directories, each of which may have nothing.
struct Fake {
    upstream: Option<PathBuf>,
    debian: Option<PathBuf>,
    files: Option<PathBuf>,
    repository: Option<PathBuf>,
    /// The requests, in order.
    asked: RefCell<Vec<&'static str>>,
}

impl Fake {
    fn serve(&self, what: &'static str, from: &Option<PathBuf>, to: &Path) -> Result<()> {
        self.asked.borrow_mut().push(what);
        let from = from.as_ref().with_context(|| format!("no {what} here"))?;
        let mut copy = Command::new("cp");
        process::run(copy.arg("-R").arg(from).arg(to), Output::OnFailure)
    }
}

impl Tools for Fake {
    fn mirror(&self) -> Option<String> {
        Some("a://mirror".into())
    }

    fn download(&self, url: &str, file: &Path) -> Result<()> {
        match url.starts_with("a://upstream/") {
            true => self.serve("upstream", &self.upstream, file),
            false => self.serve("file", &self.files, file),
        }
    }

    fn apt(&self, package: &Package, work: &Path) -> Result<PathBuf> {
        let file = work.join(package.path[1]);
        self.serve("apt", &self.debian, &file)?;
        Ok(file)
    }

    fn clone(&self, _: &Tag, tree: &Path) -> Result<()> {
        self.serve("git", &self.repository, tree)
    }

    fn unpack(&self, tarball: &Path, tree: &Path) -> Result<()> {
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(tarball).arg("-C").arg(tree);
        process::run(&mut tar, Output::OnFailure)
    }
}

/// A directory with a tree, a tarball of it, another tarball, and a row of the table for it.
struct Place {
    work: PathBuf,
    tree: PathBuf,
    tarball: PathBuf,
    other: PathBuf,
    pin: Pin,
}

impl Place {
    fn new(test: &str) -> Self {
        let work = std::env::temp_dir().join(format!("source-{test}-{}", std::process::id()));
        let work = paths::emptied(work).expect("a directory");
        let tree = work.join("program-1.2.3");
        paths::made(tree.join("part/deep")).expect("a directory");
        for (file, text) in [("mark.h", "1"), ("part/a.c", "2"), ("part/deep/b.c", "3")] {
            fs::write(tree.join(file), text).expect("a file");
        }
        let tarball = packed(&work, "tarball.tar", "program-1.2.3");
        let sum = Sha256::digest(fs::read(&tarball).expect("a tarball"));
        let sum: &str = hex(&sum).leak();
        fs::write(work.join("other"), "4").expect("a file");
        let other = packed(&work, "other.tar", "other");
        let pin = Pin {
            name: "Program",
            version: "1.2.3",
            variable: "PROGRAM_SRC",
            mark: "mark.h",
            upstream: Tarball {
                urls: &["a://upstream/tarball"],
                sha256: sum,
            },
            debian: Package {
                suite: "sid",
                path: ["pool/p", "program_1.2.3.orig.tar"],
                sha256: sum,
            },
            git: Some(Tag {
                repository: "a://repository",
                tag: "v1.2.3",
                parts: &["part"],
                sha256: digest(&tree, &["part"]).expect("a sum").leak(),
            }),
        };
        Place {
            work,
            tree,
            tarball,
            other,
            pin,
        }
    }

    /// The result, and the requests until then.
    fn fetch(&self, tools: &Fake) -> (Result<()>, Vec<&'static str>) {
        let dir = self.work.join("fetched");
        let result = fetch(&self.pin, &dir, tools);
        if result.is_ok() {
            let text = fs::read_to_string(dir.join("part/deep/b.c"));
            assert_eq!(text.expect("a whole tree"), "3");
        } else {
            assert!(!dir.exists(), "half a tree");
        }
        assert!(!self.work.join("fetched.partial").exists());
        (result, tools.asked.take())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.work);
    }
}

fn packed(work: &Path, name: &str, content: &str) -> PathBuf {
    let tarball = work.join(name);
    let mut tar = Command::new("tar");
    tar.arg("-cf")
        .arg(&tarball)
        .arg("-C")
        .arg(work)
        .arg(content);
    process::run(&mut tar, Output::OnFailure).expect("tar runs");
    tarball
}

fn nowhere() -> Fake {
    Fake {
        upstream: None,
        debian: None,
        files: None,
        repository: None,
        asked: RefCell::default(),
    }
}

#[test]
fn ways_are_tried_in_order_and_the_first_that_works_is_the_last() {
    let place = Place::new("order");
    let tarball = || Some(place.tarball.clone());
    let mut tools = nowhere();
    tools.repository = Some(place.tree.clone());
    let all = ["upstream", "apt", "file", "git"];
    for asked in [&all[..], &all[..3], &all[..2], &all[..1]] {
        match asked.len() {
            3 => tools.files = tarball(),
            2 => tools.debian = tarball(),
            1 => tools.upstream = tarball(),
            _ => (),
        }
        let (result, seen) = place.fetch(&tools);
        result.expect("one way works");
        assert_eq!(seen, asked);
        fs::remove_dir_all(place.work.join("fetched")).expect("it was fetched");
    }
}

#[test]
fn what_has_another_sum_is_not_taken() {
    let place = Place::new("sums");
    let mut tools = nowhere();
    tools.upstream = Some(place.other.clone());
    tools.debian = Some(place.other.clone());
    tools.files = Some(place.tarball.clone());
    let (result, seen) = place.fetch(&tools);
    result.expect("a plain file is right");
    assert_eq!(seen, ["upstream", "apt", "file"]);

    fs::remove_dir_all(place.work.join("fetched")).expect("it was fetched");
    tools.files = None;
    let changed = place.work.join("changed");
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(&place.tree).arg(&changed);
    process::run(&mut copy, Output::OnFailure).expect("cp runs");
    fs::write(changed.join("part/deep/b.c"), "5").expect("a file");
    tools.repository = Some(changed);
    let (result, _) = place.fetch(&tools);
    let error = result.expect_err("nothing is right").to_string();
    assert_eq!(error.matches("have SHA-256").count(), 1, "{error}");
    assert_eq!(error.matches("has SHA-256").count(), 2, "{error}");
}

#[test]
fn error_without_network_names_every_way_and_the_variable() {
    let place = Place::new("none");
    let (result, _) = place.fetch(&nowhere());
    let error = result.expect_err("nothing is there").to_string();
    for part in [
        "Program 1.2.3",
        "PROGRAM_SRC=DIR",
        "a://upstream/tarball: no upstream here",
        "apt, from Debian sid: no apt here",
        "a://mirror/pool/p/program_1.2.3.orig.tar: no file here",
        "git, from a://repository at v1.2.3: no git here",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn tree_that_the_user_names_is_one() {
    let place = Place::new("named");
    let source = named(&place.pin, place.tree.clone().into()).expect("it is one");
    assert!(!source.pinned && source.dir.is_absolute());
    for (dir, part) in [
        (place.work.clone(), "it has no file mark.h"),
        (place.work.join("missing"), "PROGRAM_SRC="),
    ] {
        let error = named(&place.pin, dir.into()).err().expect("it is none");
        assert!(format!("{error:#}").contains(part), "{error:#}");
    }
}

#[test]
fn every_row_has_several_ways_and_a_directory_of_its_own() {
    let tools = nowhere();
    let mut names = std::collections::BTreeSet::new();
    for pin in [
        &pins::MICROPYTHON,
        &pins::OLDER_MICROPYTHON,
        &pins::LIBFFI,
        &pins::ZLIB,
        &pins::SQLITE,
    ] {
        let ways = ways(pin, &tools);
        assert!(ways.len() >= 3 + usize::from(pin.git.is_some()));
        assert!(ways[0].0.contains(pin.upstream.urls[0]));
        assert!(names.insert((pin.name, pin.version)));
    }
}

#[test]
fn downloader_writes_to_the_file_and_ends_with_the_address() {
    let command = downloader("a://server/file", Path::new("to/file"));
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    assert_eq!(words[words.len() - 2..], ["to/file", "a://server/file"]);
}
