//! A small ELF file in memory, which describes generated code to debuggers.
//!
//! It has a section at the code's address without its bytes, which a debugger finds in memory, a symbol for it, and the
//! `.eh_frame` that the unwinder has too. Layouts and numbers: System V gABI, chapter 4 ("Object Files").

use crate::abi::regs::Isa;
use crate::emit::Code;
use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};

/// The symbols' names: the empty one, and that of all generated code in backtraces.
const SYMBOLS: &[u8] = b"\0farcall\0";

const HEADER_SIZE: u64 = 64;
const SECTION_SIZE: u64 = 64;

// sh_type
const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const NOBITS: u32 = 8;
// sh_flags
const ALLOC: u64 = 2;
const EXECINSTR: u64 = 4;

/// All names of sections, the empty one first.
const NAMES: &[u8] = b"\0.text\0.eh_frame\0.symtab\0.strtab\0.shstrtab\0";

/// What contents are aligned to.
const ALIGN: usize = 16;

/// A section with its content; `.text` has none.
struct Section<'a> {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    content: &'a [u8],
    size: u64,
    link: u32,
    info: u32,
    entry_size: u64,
}

impl<'a> Section<'a> {
    fn new(name: &'static str, kind: u32, content: &'a [u8]) -> Section<'a> {
        Section {
            name,
            kind,
            flags: 0,
            address: 0,
            size: content.len() as u64,
            content,
            link: 0,
            info: 0,
            entry_size: 0,
        }
    }
}

/// The file for `code` whose first byte lies at `address`, with the `.eh_frame` that was made for it there.
///
/// # Errors
/// [`OutOfMemory`].
pub fn debug_object(code: &Code, address: u64, eh_frame: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    const TEXT: u16 = 1;
    const STRINGS: u32 = 4;
    let text = Section {
        flags: ALLOC | EXECINSTR,
        address,
        size: code.bytes.len() as u64,
        ..Section::new(".text", NOBITS, &[])
    };
    let frames = Section {
        flags: ALLOC,
        ..Section::new(".eh_frame", PROGBITS, eh_frame)
    };
    let table = symbols(address, text.size, TEXT);
    let symbols = Section {
        link: STRINGS,
        // The first that is not local.
        info: 1,
        entry_size: 24,
        ..Section::new(".symtab", SYMTAB, &table)
    };
    let strings = Section::new(".strtab", STRTAB, SYMBOLS);
    let names = Section::new(".shstrtab", STRTAB, NAMES);
    let sections = [text, frames, symbols, strings, names];
    write(code.abi.convention().isa, &sections)
}

/// The empty symbol that every table begins with, and a global function.
fn symbols(address: u64, size: u64, section: u16) -> [u8; 48] {
    const GLOBAL_FUNC: u8 = 1 << 4 | 2;
    let mut bytes = [0; 48];
    bytes[24] = 1;
    bytes[28] = GLOBAL_FUNC;
    bytes[30..32].copy_from_slice(&section.to_le_bytes());
    bytes[32..40].copy_from_slice(&address.to_le_bytes());
    bytes[40..].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// Header, contents, section headers; the last section is that of the sections' names.
fn write(isa: Isa, sections: &[Section<'_>]) -> Result<Vec<u8>, OutOfMemory> {
    let padded = |section: &Section<'_>| section.content.len().next_multiple_of(ALIGN);
    let contents: usize = sections.iter().map(padded).sum();
    let headers = HEADER_SIZE as usize + contents;
    let size = headers + (sections.len() + 1) * SECTION_SIZE as usize;
    let mut bytes = try_with_capacity(size)?;
    let head = header(isa, headers as u64, sections.len() as u16);
    bytes.try_extend_from_slice(&head)?;
    for section in sections {
        bytes.try_extend_from_slice(section.content)?;
        bytes.try_resize(bytes.len().next_multiple_of(ALIGN), 0)?;
    }
    bytes.try_resize(headers + SECTION_SIZE as usize, 0)?;
    let (mut offset, mut name) = (HEADER_SIZE, 1);
    for section in sections {
        bytes.try_extend_from_slice(&section_header(section, name, offset))?;
        offset += padded(section) as u64;
        name += section.name.len() as u32 + 1;
    }
    Ok(bytes)
}

/// The header of a section whose name begins at `name` of all names, and whose content at `offset`.
fn section_header(section: &Section<'_>, name: u32, offset: u64) -> [u8; SECTION_SIZE as usize] {
    let head = u64::from(name) | u64::from(section.kind) << 32;
    let links = u64::from(section.link) | u64::from(section.info) << 32;
    let words = [
        head,
        section.flags,
        section.address,
        offset,
        section.size,
        links,
        ALIGN as u64,
        section.entry_size,
    ];
    let mut bytes = [0; SECTION_SIZE as usize];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The ELF header of a file with `count` sections beside the empty first one, of which the last holds the names.
fn header(isa: Isa, section_headers: u64, count: u16) -> [u8; HEADER_SIZE as usize] {
    const EXECUTABLE: u16 = 2;
    let machine: u16 = match isa {
        Isa::X64 => 62,
        Isa::A64 => 183,
    };
    let mut bytes = [0; HEADER_SIZE as usize];
    // 64 bits, little-endian, version 1.
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16..18].copy_from_slice(&EXECUTABLE.to_le_bytes());
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20] = 1;
    bytes[40..48].copy_from_slice(&section_headers.to_le_bytes());
    let halves = [
        HEADER_SIZE as u16,
        0,
        0,
        SECTION_SIZE as u16,
        count + 1,
        count,
    ];
    for (place, half) in bytes[52..].chunks_exact_mut(2).zip(halves) {
        place.copy_from_slice(&half.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Abi, Signature, Type, emit, plan};

    /// Readers of the format begin with its headers: each section must lie within the file, and the names where they are said to.
    #[test]
    fn sections_of_a_debug_object_lie_within_it_and_have_names() {
        let signature = Signature::new(Type::I32, vec![Type::I32]).expect("a signature");
        let plan = plan(&signature, Abi::SysV64).expect("a plan");
        let code = emit::call(&plan).expect("memory");
        let eh_frame = super::super::eh_frame(&code, 0x1234_5000).expect("memory");
        let file = debug_object(&code, 0x1234_5000, &eh_frame).expect("memory");
        let word = |at: usize| {
            let bytes = file[at..at + 8].try_into().expect("eight bytes");
            u64::from_le_bytes(bytes) as usize
        };
        let half = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
        let headers = word(40);
        let header = |n: usize| headers + n * 64;
        assert_eq!((half(60), half(62)), (6, 5));
        assert_eq!(file.len(), header(6));
        let names = word(header(5) + 24);
        let found: Vec<&str> = (1..6)
            .map(|n| {
                let start = names + half(header(n));
                let end = file[start..].iter().position(|byte| *byte == 0);
                let name = &file[start..start + end.expect("an end")];
                std::str::from_utf8(name).expect("a name")
            })
            .collect();
        assert_eq!(
            found,
            [".text", ".eh_frame", ".symtab", ".strtab", ".shstrtab"]
        );
        for n in 2..6 {
            assert!(word(header(n) + 24) + word(header(n) + 32) <= headers);
        }
        let text = header(1);
        assert_eq!(word(text + 16), 0x1234_5000);
        assert_eq!(word(text + 32), code.bytes.len());
    }
}
