//! Runs other programs. Each way of treating their output is one function.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wait_timeout::ChildExt;

/// The treatment of the output of a command that is run for its effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// It goes to stderr as it comes.
    Shown,
    /// It is kept, and shown only if the command fails.
    OnFailure,
}

/// Runs `command`; anything but success is an error.
pub fn run(command: &mut Command, output: Output) -> Result<()> {
    match output {
        Output::Shown => {
            announce(command);
            let status = command
                .stdout(io::stderr())
                .status()
                .with_context(|| cannot_run(command))?;
            succeeded(command, status)
        }
        Output::OnFailure => {
            let transcript = transcript(command, None)?;
            if !transcript.success() {
                announce(command);
                eprint!("{}", transcript.text());
            }
            succeeded(command, transcript.status)
        }
    }
}

/// Returns the text that `command` prints on stdout. Its stderr is dropped unless it fails.
pub fn stdout(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_run(command))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
    }
    succeeded(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `command` can be run and succeeds. Its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs `command`, passes its stdout on as it comes, and returns its status and that text.
pub fn tee(command: &mut Command) -> Result<(ExitStatus, String)> {
    announce(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_run(command))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    Ok((child.wait()?, text))
}

/// The output of a program, stdout and stderr in the order they came, and how it ended.
pub struct Transcript {
    /// How it ended.
    pub status: ExitStatus,
    /// Whether it was killed because its time was up.
    pub timed_out: bool,
    /// Its output.
    pub output: Vec<u8>,
}

impl Transcript {
    /// Whether it ended by itself and reported success.
    pub fn success(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// Its output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// How it ended, in words.
    pub fn ending(&self) -> String {
        if self.timed_out {
            "timed out".into()
        } else {
            self.status.to_string()
        }
    }
}

/// Runs `command` without a terminal and keeps what it prints. After `limit` it is killed, with its children.
pub fn transcript(command: &mut Command, limit: Option<Duration>) -> Result<Transcript> {
    let (mut reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    #[cfg(unix)]
    if limit.is_some() {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let mut child = command.spawn().with_context(|| cannot_run(command))?;
    // The command holds the pipe's other end; while it does, the reader would never come to an end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let collector = std::thread::spawn(move || {
        let mut output = Vec::new();
        reader.read_to_end(&mut output).map(|_| output)
    });
    let ended = match limit {
        Some(limit) => child.wait_timeout(limit)?,
        None => Some(child.wait()?),
    };
    let timed_out = ended.is_none();
    let status = match ended {
        Some(status) => status,
        None => {
            kill_group(child.id());
            child.kill()?;
            child.wait()?
        }
    };
    let output = collector
        .join()
        .expect("reading a pipe does not panic")
        .context("cannot read the output")?;
    Ok(Transcript {
        status,
        timed_out,
        output,
    })
}

/// Kills a process group; there is nothing to do about a failure.
pub fn kill_group(leader: u32) {
    let group = format!("-{leader}");
    succeeds(Command::new("kill").args(["-KILL", "--", &group]));
}

/// Whether a program of that name is on the PATH.
pub fn on_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| is_program(&dir.join(program)))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.with_extension("exe").is_file()
}

/// Prints the command line.
pub fn announce(command: &Command) {
    eprintln!("$ {}", shown(command));
}

/// The command line as one would type it, nearly.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run {}", command.get_program().to_string_lossy())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn transcript_of_both_streams_keeps_their_order() {
        let transcript = transcript(&mut shell("echo 1; echo 2 >&2; echo 3; exit 4"), None);
        let transcript = transcript.expect("sh runs");
        assert_eq!(transcript.text(), "1\n2\n3\n");
        assert_eq!(transcript.status.code(), Some(4));
    }

    #[test]
    fn transcript_past_its_limit_is_cut_off_with_all_children() {
        let mut command = shell("echo before; sleep 60 & sleep 60; echo after");
        let transcript = transcript(&mut command, Some(Duration::from_millis(300)));
        let transcript = transcript.expect("sh runs");
        assert!(transcript.timed_out && !transcript.success());
        assert_eq!(transcript.text(), "before\n");
    }
}
