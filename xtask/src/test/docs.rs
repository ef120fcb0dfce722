//! Runs the documentation's blocks of code as a reader would.
//!
//! | mark | treatment of the block |
//! | --- | --- |
//! | `sh` | runs as one script in the repository's top directory, where it must succeed |
//! | `sh,skipped WHY` | does not run; the summary has their number and the reasons |
//! | `python` | runs in MicroPython with our module; what it prints must be the `output` block that follows |
//! | `output` | what the block before it prints, byte for byte |
//! | `rust` | runs in the tests of the crate, whose `src/lib.rs` includes the page |
//! | `text`, `console`, `toml`, `make` | is read only; transcripts have tests of their own |

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Report, scripts};
use crate::book;
use crate::libraries;
use crate::micropython;
use crate::paths;
use crate::pins;
use crate::process::{self, Output, Transcript};
use crate::setup::{self, Check, Need};
use crate::source;
use crate::target::Target;

/// The header that a page preprocesses.
pub const NEEDS: &[Need] = &[Need::new(Check::File("/usr/include/zlib.h"), "zlib1g-dev")];
/// The beginning of commands that would start this very program again.
const THIS_COMMAND: &str = "cargo xtask test";
/// The mark of a block of commands that cannot run, ahead of the reason.
const NOT_RUN: &str = "sh,skipped";
/// The marks of blocks that are not run.
const READ_ONLY: [&str; 4] = ["text", "console", "toml", "make"];
/// The note in the summary if only the book's pages were put together.
const NO_HTML: &str =
    "the book was not made into HTML: mdBook is missing, which `cargo xtask book` installs";
/// The time that a block of commands may take: it may build an interpreter.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A fenced block of a page.
#[derive(Debug, Default, PartialEq)]
struct Block {
    /// The number of its first line.
    line: usize,
    /// The text behind the fence.
    mark: String,
    text: String,
    /// The text of the `output` block that follows, if there is one.
    output: Option<String>,
}

pub fn blocks() -> Result<Report> {
    let target = Target::default();
    libraries::ensure(target)?;
    setup::ensure(NEEDS)?;
    for target in Target::ALL {
        setup::ensure(target.spec().needs)?;
    }
    let work = paths::emptied(paths::micropython()?.join("docs"))?;
    let mut report = Report::default();
    for page in book::pages()? {
        let page = page.to_string_lossy();
        let Ok(text) = fs::read_to_string(paths::root().join(&*page)) else {
            report.failures.push(format!("{page} is missing"));
            continue;
        };
        for block in with_outputs(fenced(&text)) {
            let name = format!("{page}:{}", block.line);
            match run(&block, &name, &work, target)? {
                Outcome::Left => {}
                Outcome::Passed => report.passed += 1,
                Outcome::Noted(note) => report.notes.push(note),
                Outcome::Failed(failure) => report.failures.push(failure),
            }
        }
    }
    match book::try_build()? {
        true => report.passed += 1,
        false => report.notes.push(NO_HTML.into()),
    }
    Ok(report)
}

/// The outcome of a block.
enum Outcome {
    /// Nothing to run, or another step runs it.
    Left,
    Passed,
    Noted(String),
    Failed(String),
}

fn run(block: &Block, name: &str, work: &Path, target: Target) -> Result<Outcome> {
    if let Some(reason) = block.mark.strip_prefix(NOT_RUN) {
        return Ok(match reason.trim() {
            "" => Outcome::Failed(format!("{name}: expected a reason after {NOT_RUN}")),
            reason => Outcome::Noted(format!("not run: {name}: {reason}")),
        });
    }
    let mut command = match block.mark.as_str() {
        "sh" => match shell(block, work)? {
            Some(command) => command,
            None => return Ok(Outcome::Left),
        },
        "python" => python(block, work, target)?,
        "rust" => return Ok(Outcome::Left),
        mark if is_read_only(mark) => return Ok(Outcome::Left),
        mark => return Ok(Outcome::Failed(format!("{name}: a block marked '{mark}'"))),
    };
    println!("---- {name}\n{}", block.text);
    let transcript = process::transcript(&mut command, Some(limit(block)))?;
    println!("{}", transcript.text());
    Ok(match fault(block, &transcript) {
        Some(fault) => Outcome::Failed(format!("{name}: {fault}")),
        None => Outcome::Passed,
    })
}

/// Whether blocks of this mark are not run. Words behind the first are for a test that knows them.
fn is_read_only(mark: &str) -> bool {
    let word = mark.split_whitespace().next();
    word.is_some_and(|word| READ_ONLY.contains(&word))
}

/// The fault in a block's run.
fn fault(block: &Block, transcript: &Transcript) -> Option<String> {
    if !transcript.success() {
        return Some(transcript.ending());
    }
    let shown = block.output.as_deref();
    let expected = if block.mark == "python" {
        shown.or(Some(""))
    } else {
        shown
    };
    let printed = transcript.text();
    let differs = expected.is_some_and(|expected| expected != printed);
    differs.then(|| match shown {
        None => "prints what no block marked 'output' shows".to_owned(),
        Some(_) => "prints something else than the block below it shows".to_owned(),
    })
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

/// A block of commands, without those that would start this very program again; `None` if nothing is left.
///
/// Commands may find farcall in `$FARCALL` and MicroPython's source in `$MICROPYTHON`. The environment tells make which parts that source lacks.
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
                    ..Block::default()
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

/// The blocks with their outputs, which are the next blocks if these are marked so.
fn with_outputs(blocks: Vec<Block>) -> Vec<Block> {
    let mut whole: Vec<Block> = Vec::new();
    for block in blocks {
        match whole.last_mut() {
            Some(before) if block.mark == "output" && before.output.is_none() => {
                before.output = Some(block.text);
            }
            _ => whole.push(block),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_rust_are_tests_of_the_crate() {
        let crate_root = fs::read_to_string(paths::root().join("src/lib.rs")).expect("the crate");
        for page in book::pages().expect("the list of pages") {
            let text = fs::read_to_string(paths::root().join(&page)).expect("a page");
            let has_rust = fenced(&text).iter().any(|block| block.mark == "rust");
            let included = format!("include_str!(\"../{}\")", page.display());
            assert!(!has_rust || crate_root.contains(&included), "{included}");
        }
    }

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
        let expected = expected.map(|(line, mark, text)| block(line, mark, text));
        assert_eq!(blocks, expected);
    }

    fn block(line: usize, mark: &str, text: &str) -> Block {
        Block {
            line,
            mark: mark.into(),
            text: text.into(),
            output: None,
        }
    }

    #[test]
    fn output_belongs_to_the_block_before_it() {
        let page = "```python\nprint(1)\n```\n\nprints\n\n```output\n1\n```\n```output\n2\n```\n";
        let blocks = with_outputs(fenced(page));
        let marks: Vec<_> = blocks.iter().map(|block| block.mark.as_str()).collect();
        assert_eq!(marks, ["python", "output"], "the second belongs to none");
        assert_eq!(blocks[0].output.as_deref(), Some("1\n"));
    }

    #[test]
    fn shell_block_that_only_runs_the_tests_is_left_out() {
        let work = Path::new("unused");
        let left = |text| {
            shell(&block(1, "sh", text), work)
                .expect("no file is touched")
                .is_some()
        };
        assert!(!left("# everything\ncargo xtask test --only fmt\n"));
        assert!(left(
            "cargo xtask test\ncargo xtask run examples/qsort.py\n"
        ));
    }
}
