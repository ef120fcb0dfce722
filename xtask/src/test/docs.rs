//! The documentation's blocks of commands and of Python, run as a reader would.
//!
//! A block marked `sh` runs as one script in the repository's top directory, where it must succeed. A block marked
//! `python` runs in MicroPython with our module. Blocks with any other mark, or none, are text.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Report, scripts};
use crate::libraries;
use crate::micropython;
use crate::paths;
use crate::pins;
use crate::process::{self, Output};
use crate::setup;
use crate::source;
use crate::target::Target;

const PAGES: [&str; 5] = [
    "README.md",
    "micropython/README.md",
    "libffi/README.md",
    "docs/ARCHITECTURE.md",
    "docs/declarations.md",
];
/// Commands that start with this are what is running already.
const THIS_COMMAND: &str = "cargo xtask test";
/// How long a block of commands may take: it may build an interpreter.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A fenced block of a page.
#[derive(Debug, PartialEq)]
struct Block {
    /// The number of its first line.
    line: usize,
    /// What stands behind the fence.
    mark: String,
    text: String,
}

pub fn blocks() -> Result<Report> {
    let target = Target::default();
    libraries::ensure(target)?;
    for target in Target::ALL {
        setup::ensure(target.spec().needs)?;
    }
    let work = paths::emptied(paths::micropython()?.join("docs"))?;
    let mut report = Report::default();
    for page in PAGES {
        let Ok(text) = fs::read_to_string(paths::root().join(page)) else {
            report.failures.push(format!("{page} is missing"));
            continue;
        };
        for block in fenced(&text) {
            let mut command = match block.mark.as_str() {
                "sh" => match shell(&block, &work)? {
                    Some(command) => command,
                    None => continue,
                },
                "python" => python(&block, &work, target)?,
                _ => continue,
            };
            let name = format!("{page}:{}", block.line);
            println!("---- {name}\n{}", block.text);
            let transcript = process::transcript(&mut command, Some(limit(&block)))?;
            println!("{}", transcript.text());
            let failure = format!("{name}: {}", transcript.ending());
            report.add(transcript.success(), failure);
        }
    }
    Ok(report)
}

fn limit(block: &Block) -> Duration {
    if block.mark == "python" {
        scripts::LIMIT
    } else {
        LIMIT
    }
}

/// A copy of MicroPython's source to build in. Its frozen modules are ours, as the standard ones need a submodule.
fn writable_source(work: &Path) -> Result<PathBuf> {
    let tree = work.join("micropython");
    if !tree.exists() {
        let _lock = paths::lock("build")?;
        let mut cp = Command::new("cp");
        cp.arg("-R")
            .arg(source::get(&pins::MICROPYTHON)?.dir)
            .arg(&tree);
        process::run(&mut cp, Output::OnFailure)?;
        let manifest = paths::root().join("micropython/manifest.py");
        fs::copy(
            manifest,
            tree.join("ports/unix/variants/standard/manifest.py"),
        )?;
    }
    Ok(tree)
}

/// A block of commands, less those that would start this very program again; `None` if nothing is left.
///
/// Commands may find farcall in `$FARCALL` and MicroPython's source in `$MICROPYTHON`. Make is told through its
/// environment what that source lacks.
fn shell(block: &Block, work: &Path) -> Result<Option<Command>> {
    let lines = block
        .text
        .lines()
        .filter(|line| !line.trim().starts_with(THIS_COMMAND));
    let script: Vec<&str> = lines.collect();
    if script
        .iter()
        .all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
    {
        return Ok(None);
    }
    let mut shell = Command::new("bash");
    shell
        .args(["-euxo", "pipefail", "-c", &script.join("\n")])
        .current_dir(paths::root())
        .env("FARCALL", paths::root())
        .envs(setup::environment());
    if block.text.contains("$MICROPYTHON") {
        let without = micropython::without_submodules(&paths::micropython()?)?;
        shell
            .env("MICROPYTHON", writable_source(work)?)
            .env("GNUMAKEFLAGS", without.join(" "));
    }
    Ok(Some(shell))
}

fn python(block: &Block, work: &Path, target: Target) -> Result<Command> {
    let script = work.join(format!("line{}.py", block.line));
    fs::write(&script, &block.text).context("cannot write a script")?;
    let mut command = target.command(micropython::build(target, Output::OnFailure)?)?;
    command.arg(script).current_dir(paths::root());
    Ok(command)
}

/// The fenced blocks of a page, fences at the margin only.
fn fenced(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(mark)) => {
                open = Some(Block {
                    line: number + 2,
                    mark: mark.trim().to_owned(),
                    text: String::new(),
                });
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, None) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_from_the_ports_own_module_names_the_scripts_that_show_it() {
        let root = paths::root();
        let page = fs::read_to_string(root.join("docs/porting.md")).expect("the page");
        let rows = page.lines().filter(|line| {
            line.starts_with("| ") && !line.starts_with("| what |") && !line.starts_with("| ---")
        });
        let mut count = 0;
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            assert_eq!(cells.len(), 4, "{row}");
            for script in cells[3].trim().split(", ") {
                let script = root.join("tests/module").join(script.trim_matches('`'));
                assert!(script.is_file(), "{row}");
            }
            count += 1;
        }
        assert!(count > 30, "{count}");
    }

    #[test]
    fn fenced_blocks_carry_mark_line_and_text() {
        let blocks = fenced("text\n```sh\nls\npwd\n```\nmore\n```\nplain\n```\n");
        let expected = [(3, "sh", "ls\npwd\n"), (8, "", "plain\n")];
        let expected = expected.map(|(line, mark, text)| Block {
            line,
            mark: mark.into(),
            text: text.into(),
        });
        assert_eq!(blocks, expected);
    }

    #[test]
    fn shell_block_that_only_runs_the_tests_is_left_out() {
        let block = |text: &str| Block {
            line: 1,
            mark: "sh".into(),
            text: text.into(),
        };
        let work = Path::new("unused");
        let left = |text| {
            shell(&block(text), work)
                .expect("no file is touched")
                .is_some()
        };
        assert!(!left("# everything\ncargo xtask test --only fmt\n"));
        assert!(left(
            "cargo xtask test\ncargo xtask run examples/qsort.py\n"
        ));
    }
}
