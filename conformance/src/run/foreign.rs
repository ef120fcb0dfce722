//! Another system's object files, as Mach-O or COFF: their code is put into memory as it is.
//!
//! They were compiled so that they refer to nothing: the record that the functions write lies at an address that the source names. So there
//! is nothing to relocate, and code that would need it is refused.

use super::bare;
use super::peer::Peer;
use crate::source::PEER_ADDRESS;
use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use std::collections::HashMap;
use std::ffi::c_void;
use std::path::Path;

/// An object file's code in memory.
pub struct Foreign {
    memory: Mmap,
    /// Where each function begins.
    offsets: HashMap<String, usize>,
}

/// The largest alignment of a function.
const ALIGN: usize = 64;

impl Foreign {
    /// Reads the file and makes its code executable.
    ///
    /// # Errors
    /// When it is no object file, or its code refers to something.
    pub fn load(path: &Path) -> Result<Foreign> {
        let bytes = std::fs::read(path)?;
        let file = object::File::parse(&*bytes)?;
        let mut code = Vec::new();
        let mut starts = HashMap::new();
        for section in file.sections().filter(|s| s.kind() == SectionKind::Text) {
            let name = section.name().unwrap_or_default();
            let refers = section.relocations().next().is_some();
            ensure!(!refers, "the code in {name} refers to something");
            code.resize(code.len().next_multiple_of(ALIGN), 0);
            starts.insert(section.index(), (code.len(), section.address()));
            code.extend(section.data()?);
        }
        let mut offsets = HashMap::new();
        for symbol in file.symbols() {
            let section = symbol.section_index().and_then(|index| starts.get(&index));
            if let (Some((start, address)), Ok(name)) = (section, symbol.name()) {
                // Mach-O puts an underscore before the names of C.
                let name = name.strip_prefix('_').unwrap_or(name);
                let offset = start + (symbol.address() - address) as usize;
                offsets.insert(name.to_owned(), offset);
            }
        }
        let memory = bare::publish(&code)?;
        Ok(Foreign { memory, offsets })
    }

    /// The function of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn function(&self, name: &str) -> Result<*const c_void> {
        let offset = self.offsets.get(name);
        let offset = *offset.with_context(|| format!("no function {name}"))?;
        Ok(self.memory[offset..].as_ptr().cast())
    }
}

/// The record, at the address where foreign code expects it.
///
/// # Errors
/// When that address is taken.
#[cfg(unix)]
pub fn peer() -> Result<*mut Peer> {
    use std::sync::OnceLock;
    static MAPPED: OnceLock<bool> = OnceLock::new();
    let is_mapped = *MAPPED.get_or_init(|| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let wanted = PEER_ADDRESS as *mut c_void;
        // SAFETY: a mapping of its own, which replaces none.
        let got = unsafe { libc::mmap(wanted, size_of::<Peer>(), access, flags, -1, 0) };
        got == wanted
    });
    ensure!(is_mapped, "no memory at {PEER_ADDRESS:#x}");
    Ok(PEER_ADDRESS as *mut Peer)
}

/// Windows runs no foreign code.
///
/// # Errors
/// Always.
#[cfg(windows)]
pub fn peer() -> Result<*mut Peer> {
    anyhow::bail!("foreign code at {PEER_ADDRESS:#x} runs on Linux only")
}
