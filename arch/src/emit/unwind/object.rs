//! A small ELF file in memory, which describes generated code to debuggers.
//!
//! It has a section at the code's address without its bytes, which a debugger finds in memory, a symbol for it, and the
//! `.eh_frame` that the unwinder has too. Layouts and numbers: System V gABI, chapter 4 ("Object Files").

use crate::abi::regs::Isa;
use crate::emit::Code;

/// The name of all generated code in backtraces.
const SYMBOL: &str = "farcall";

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

/// A section with its content; `.text` has none.
struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    content: Vec<u8>,
    size: u64,
    link: u32,
    info: u32,
    entry_size: u64,
}

impl Section {
    fn new(name: &'static str, kind: u32, content: Vec<u8>) -> Section {
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
pub fn debug_object(code: &Code, address: u64, eh_frame: &[u8]) -> Vec<u8> {
    const TEXT: u16 = 1;
    const STRINGS: u32 = 4;
    let text = Section {
        flags: ALLOC | EXECINSTR,
        address,
        size: code.bytes.len() as u64,
        ..Section::new(".text", NOBITS, Vec::new())
    };
    let frames = Section {
        flags: ALLOC,
        ..Section::new(".eh_frame", PROGBITS, eh_frame.to_vec())
    };
    let symbols = Section {
        link: STRINGS,
        // The first that is not local.
        info: 1,
        entry_size: 24,
        ..Section::new(".symtab", SYMTAB, symbols(address, text.size, TEXT))
    };
    let strings = Section::new(".strtab", STRTAB, format!("\0{SYMBOL}\0").into_bytes());
    write(
        code.abi.convention().isa,
        vec![text, frames, symbols, strings],
    )
}

/// The empty symbol that every table begins with, and a global function.
fn symbols(address: u64, size: u64, section: u16) -> Vec<u8> {
    const GLOBAL_FUNC: u8 = 1 << 4 | 2;
    let mut bytes = Vec::with_capacity(48);
    bytes.resize(24, 0);
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([GLOBAL_FUNC, 0]);
    bytes.extend(section.to_le_bytes());
    bytes.extend(address.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes
}

/// Header, contents, section headers; the last section is that of the sections' names.
fn write(isa: Isa, mut sections: Vec<Section>) -> Vec<u8> {
    sections.push(Section::new(".shstrtab", STRTAB, Vec::new()));
    let mut names = Vec::with_capacity(64);
    names.push(0);
    let mut offsets = Vec::with_capacity(sections.len());
    for section in &sections {
        offsets.push(names.len() as u32);
        names.extend(section.name.bytes().chain([0]));
    }
    if let Some(last) = sections.last_mut() {
        last.size = names.len() as u64;
        last.content = names;
    }
    let content_len: usize = sections.iter().map(|it| it.content.len() + 16).sum();
    let mut contents = Vec::with_capacity(content_len);
    let mut headers = Vec::with_capacity((sections.len() + 1) * SECTION_SIZE as usize);
    headers.resize(SECTION_SIZE as usize, 0);
    for (section, name) in sections.iter().zip(offsets) {
        contents.resize(contents.len().next_multiple_of(16), 0);
        let offset = HEADER_SIZE + contents.len() as u64;
        headers.extend_from_slice(&name.to_le_bytes());
        headers.extend_from_slice(&section.kind.to_le_bytes());
        for word in [section.flags, section.address, offset, section.size] {
            headers.extend_from_slice(&word.to_le_bytes());
        }
        headers.extend_from_slice(&section.link.to_le_bytes());
        headers.extend_from_slice(&section.info.to_le_bytes());
        for word in [16, section.entry_size] {
            headers.extend_from_slice(&u64::to_le_bytes(word));
        }
        contents.extend_from_slice(&section.content);
    }
    contents.resize(contents.len().next_multiple_of(16), 0);
    let mut bytes = header(
        isa,
        HEADER_SIZE + contents.len() as u64,
        sections.len() as u16,
    );
    bytes.reserve_exact(contents.len() + headers.len());
    bytes.extend_from_slice(&contents);
    bytes.extend_from_slice(&headers);
    bytes
}

/// The ELF header of a file with `count` sections beside the empty first one, of which the last holds the names.
fn header(isa: Isa, section_headers: u64, count: u16) -> Vec<u8> {
    const EXECUTABLE: u16 = 2;
    let machine: u16 = match isa {
        Isa::X64 => 62,
        Isa::A64 => 183,
    };
    // 64 bits, little-endian, version 1.
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(EXECUTABLE.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    for word in [0, 0, section_headers] {
        bytes.extend(u64::to_le_bytes(word));
    }
    bytes.extend(0u32.to_le_bytes());
    for half in [
        HEADER_SIZE as u16,
        0,
        0,
        SECTION_SIZE as u16,
        count + 1,
        count,
    ] {
        bytes.extend(half.to_le_bytes());
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
        let code = emit::call(&plan);
        let eh_frame = super::super::eh_frame(&code, 0x1234_5000);
        let file = debug_object(&code, 0x1234_5000, &eh_frame);
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
