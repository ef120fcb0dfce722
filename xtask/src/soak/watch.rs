//! Runs a program that may hang or crash, and keeps its output and backtraces.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use wait_timeout::ChildExt;

use crate::process;

/// How a program ended.
pub enum Ending {
    /// Well, with its output.
    Well(String),
    /// Otherwise, in words.
    Badly(String),
}

/// Runs `command` in `directory`. Its output goes to `output.txt` there, and if it hangs or crashes, a debugger's backtrace to `backtrace.txt`.
pub fn run(command: &Command, directory: &Path, limit: Duration) -> Result<Ending> {
    let output = directory.join("output.txt");
    let file = File::create(&output)?;
    let mut child = with_cores(command)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot run {}", process::shown(command)))?;
    let ended = child.wait_timeout(limit)?;
    if ended.is_none() {
        look_at_group(child.id(), &directory.join("backtrace.txt"));
    }
    process::kill_group(child.id());
    let status = match ended {
        Some(status) => status,
        None => child.wait()?,
    };
    let text = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
    Ok(match ended {
        None => Ending::Badly(format!("hung for {} s", limit.as_secs())),
        Some(status) if status.success() => Ending::Well(text),
        Some(_) => {
            look_at_core(command, directory);
            Ending::Badly(failure(status, &text))
        }
    })
}

/// The same command in a process group of its own, which may leave a core.
fn with_cores(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell
}

/// The failure in words, with the most telling line of the output.
fn failure(status: ExitStatus, text: &str) -> String {
    let telling = [
        "panicked", ".c:", ".cc:", "WARNING", "ERROR", "wrong", "libffi:", "==",
    ];
    let line = text
        .lines()
        .find(|line| telling.iter().any(|word| line.contains(word)))
        .or(text.lines().last())
        .unwrap_or_default();
    format!("{status}: {line}")
}

/// Has gdb write the backtraces of all threads of all processes of a group.
fn look_at_group(leader: u32, file: &Path) {
    if !process::on_path("gdb") {
        let _ = fs::write(file, "there is no gdb\n");
        return;
    }
    let question = ["-g", &leader.to_string()].map(str::to_owned);
    let members = process::stdout(Command::new("pgrep").args(question)).unwrap_or_default();
    let mut text = String::new();
    for process in members.lines() {
        let mut gdb = Command::new("timeout");
        gdb.args(["60", "gdb", "--batch", "--nx", "-p", process])
            .args(["-ex", "thread apply all backtrace 30"]);
        text.push_str(&format!("==== process {process}\n"));
        text.push_str(&process::stdout(&mut gdb).unwrap_or_default());
    }
    let _ = fs::write(file, text);
}

/// Has gdb write the backtraces of a core.
fn look_at_core(command: &Command, directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let core = entries.map(|entry| entry.path()).find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("core"))
    });
    let Some(core) = core else { return };
    let mut gdb = Command::new("timeout");
    gdb.args([
        "60",
        "gdb",
        "--batch",
        "--nx",
        "-ex",
        "thread apply all backtrace 30",
    ])
    .arg(command.get_program())
    .arg(core);
    if process::on_path("gdb")
        && let Ok(text) = process::stdout(&mut gdb)
    {
        let _ = fs::write(directory.join("backtrace.txt"), text);
    }
}
