//! The paths of the working tree. Everything that xtask makes is under `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository's top directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask/ lies in the repository")
}

/// The directory for MicroPython's builds, made if need be.
pub fn micropython() -> Result<PathBuf> {
    made(root().join("target/micropython"))
}

/// The directory of sources that were fetched, made if need be.
pub fn sources() -> Result<PathBuf> {
    made(micropython()?.join("src"))
}

/// The directory of a target's shared libraries that its system does not have, made if need be.
pub fn libraries(triple: &str) -> Result<PathBuf> {
    made(micropython()?.join("libraries").join(triple))
}

/// The directory for the libraries and programs that benchmarks compare with, made if need be.
pub fn bench() -> Result<PathBuf> {
    made(root().join("target/bench"))
}

/// The directory that the drop-in libffi is installed to, for one target.
pub fn libffi(triple: &str) -> PathBuf {
    root().join("target/libffi").join(triple)
}

/// `path`, made if need be, with everything above it.
pub fn made(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

/// `path` as an empty directory. Its old content is removed.
pub fn emptied(path: PathBuf) -> Result<PathBuf> {
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    made(path)
}

/// Keeps other xtasks in the same tree out of `target/micropython/<name>` until it is dropped.
#[must_use = "the lock is held as long as this value lives"]
pub struct Lock(#[expect(dead_code, reason = "held, never read")] File);

/// Takes the lock called `name`, and says so if it has to wait.
pub fn lock(name: &str) -> Result<Lock> {
    let path = micropython()?.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another cargo xtask to finish ({name})");
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(Lock(file))
}
