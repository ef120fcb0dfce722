//! The machine and the versions that the figures were taken with.

use std::fs;
use std::process::Command;

use super::samples::Samples;
use super::scripts::OTHERS;
use crate::libffi::Libffi;
use crate::process;
use crate::target::Target;

/// The machine, and the versions of everything.
pub struct Machine {
    cpu: String,
    lines: Vec<(String, String)>,
}

impl Machine {
    /// The description of this machine.
    pub fn here(libffis: &[Libffi], samples: &Samples) -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let fact = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let number = |name| fact(name).unwrap_or_else(|| "?".into());
        let cpu = fact("model name").unwrap_or_else(|| "an unknown processor".into());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let family = format!(
            "family {}, model {}",
            number("cpu family"),
            number("model\t")
        );
        let mut lines = vec![
            (
                "processor".to_owned(),
                format!("{cpu} ({family}), {cores} cores"),
            ),
            ("system".into(), first_line("uname", &["-sr"])),
            (
                "C compiler".into(),
                first_line(Target::default().spec().cc, &["--version"]),
            ),
            ("Rust compiler".into(), first_line("rustc", &["--version"])),
            ("farcall".into(), commit()),
        ];
        for (name, libffi) in ["libffi", "libffi of the system"].iter().zip(libffis) {
            lines.push(((*name).into(), libffi.version.clone()));
        }
        for name in ["MicroPython"].iter().chain(&OTHERS) {
            if let Some(version) = samples.versions.get(*name) {
                lines.push(((*name).into(), version.clone()));
            }
        }
        Machine { cpu, lines }
    }

    /// All of this, in Markdown.
    pub fn table(&self) -> String {
        let lines = self.lines.iter();
        let lines: String = lines
            .map(|(name, value)| format!("| {name} | {value} |\n"))
            .collect();
        format!("| | |\n| --- | --- |\n{lines}")
    }

    /// The same in one sentence.
    pub fn caption(&self) -> String {
        let of = |name: &str| {
            let line = self.lines.iter().find(|(known, _)| known == name);
            line.map(|(_, version)| format!(", {name} {version}"))
        };
        let peers: String = ["libffi", "MicroPython"]
            .iter()
            .filter_map(|name| of(name))
            .collect();
        format!("Nanoseconds, {}{peers}.", self.cpu)
    }
}

fn first_line(program: &str, args: &[&str]) -> String {
    let text = process::stdout(Command::new(program).args(args)).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

/// The commit that is checked out, and whether files differ from it.
fn commit() -> String {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        process::stdout(git.args(args).current_dir(crate::paths::root()))
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
    let changed = git(&["status", "--porcelain"]).is_ok_and(|text| !text.is_empty());
    let and = if changed { ", with changes" } else { "" };
    format!("commit {}{and}", head.trim())
}
