//! A parser for the text of instructions on both machines, as far as the comments need it.

use farcall_arch::abi::regs::Isa;

/// An instruction.
#[derive(Debug)]
pub struct Instruction {
    pub mnemonic: String,
    pub operands: Vec<Operand>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register, by its full-width name.
    Register(String),
    Memory(Memory),
    Number(i64),
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    pub base: String,
    pub offset: i64,
    /// Whether an index register is added.
    pub is_indexed: bool,
    /// Whether the address is written back to the base register.
    pub moves_base: bool,
}

impl Instruction {
    pub fn parse(isa: Isa, text: &str) -> Instruction {
        let (mnemonic, rest) = text.split_once(' ').unwrap_or((text, ""));
        // A prefix is part of the mnemonic.
        let (mnemonic, rest) = match (mnemonic, rest.split_once(' ')) {
            ("rep", Some((name, rest))) => (format!("rep {name}"), rest),
            _ => (mnemonic.to_owned(), rest),
        };
        Instruction {
            mnemonic,
            operands: split(rest)
                .into_iter()
                .map(|text| operand(isa, text))
                .collect(),
        }
    }

    pub fn register(&self, index: usize) -> Option<&str> {
        match self.operands.get(index)? {
            Operand::Register(name) => Some(name),
            _ => None,
        }
    }

    pub fn memory(&self) -> Option<&Memory> {
        self.operands.iter().find_map(|operand| match operand {
            Operand::Memory(memory) => Some(memory),
            _ => None,
        })
    }

    pub fn number(&self) -> Option<i64> {
        self.operands.iter().find_map(|operand| match operand {
            Operand::Number(number) => Some(*number),
            _ => None,
        })
    }
}

/// Splits a text at commas outside brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn operand(isa: Isa, text: &str) -> Operand {
    if let (Some(open), Some(close)) = (text.find('['), text.find(']')) {
        return Operand::Memory(memory(isa, &text[open + 1..close], text.ends_with('!')));
    }
    if let Some(number) = number(text) {
        return Operand::Number(number);
    }
    match canonical(isa, text) {
        Some(name) => Operand::Register(name),
        None => Operand::Other,
    }
}

fn memory(isa: Isa, text: &str, moves_base: bool) -> Memory {
    // Intel's syntax has sums, Arm's has lists.
    let spaced = text.replace(" - ", " + -").replace(',', " + ");
    let mut memory = Memory {
        base: String::new(),
        offset: 0,
        is_indexed: false,
        moves_base,
    };
    for part in spaced
        .split('+')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        match (number(part), canonical(isa, part)) {
            (Some(number), _) => memory.offset += number,
            (None, Some(name)) if memory.base.is_empty() => memory.base = name,
            _ => memory.is_indexed = true,
        }
    }
    memory
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim_start_matches('#');
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let value = match digits.strip_prefix("0x") {
        // A negative number may be written as its bits.
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as i64,
        None => digits.parse().ok()?,
    };
    Some(sign * value)
}

/// A register's full-width name.
fn canonical(isa: Isa, name: &str) -> Option<String> {
    let name = name.trim();
    let numbered = |prefix: &str| -> Option<u8> { name.strip_prefix(prefix)?.parse().ok() };
    match isa {
        Isa::A64 => {
            if matches!(name, "sp" | "wsp") {
                return Some("sp".to_owned());
            }
            if matches!(name, "xzr" | "wzr") {
                return Some("zero".to_owned());
            }
            for (prefix, full) in [
                ("x", "x"),
                ("w", "x"),
                ("v", "v"),
                ("q", "v"),
                ("d", "v"),
                ("s", "v"),
                ("h", "v"),
                ("b", "v"),
            ] {
                if let Some(number) = numbered(prefix) {
                    return Some(format!("{full}{number}"));
                }
            }
            None
        }
        Isa::X64 => {
            const NAMES: [&str; 8] = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
            let of_legacy = |full: &&&str| {
                let stem = &full[1..];
                let low = format!("{}l", stem.trim_end_matches('x'));
                name == **full || name == stem || name == format!("e{stem}") || name == low
            };
            if let Some(full) = NAMES.iter().find(of_legacy) {
                return Some((*full).to_owned());
            }
            let stem = name.trim_end_matches(['d', 'w', 'b', 'l']);
            let is_numbered = stem
                .strip_prefix('r')
                .is_some_and(|it| it.parse::<u8>().is_ok());
            let is_vector = name.starts_with("xmm") || name.starts_with("st");
            (is_numbered || is_vector).then(|| if is_vector { name } else { stem }.to_owned())
        }
    }
}

/// A description of how an instruction extends a value.
pub fn extension(mnemonic: &str) -> &'static str {
    match mnemonic {
        "movsx" | "movsxd" | "ldrsw" | "ldrsb" | "ldrsh" | "sxtw" | "sxtb" | "sxth" | "cdqe"
        | "cwde" | "sbfm" => ", sign-extended",
        "movzx" | "ldrb" | "ldrh" | "uxtb" | "uxth" | "uxtw" | "ubfm" => ", zero-extended",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_both_machines_are_taken_apart() {
        let it = Instruction::parse(Isa::X64, "movsxd rdi, dword ptr [rsi + 8]");
        assert_eq!(it.register(0), Some("rdi"));
        assert_eq!(
            it.memory().map(|m| (m.base.as_str(), m.offset)),
            Some(("rsi", 8))
        );
        let it = Instruction::parse(Isa::A64, "stp x29, x30, [sp, #-0x20]!");
        assert_eq!(
            it.memory().map(|m| (m.offset, m.moves_base)),
            Some((-32, true))
        );
        let it = Instruction::parse(Isa::A64, "ldp x29, x30, [sp], #0x20");
        assert_eq!(it.number(), Some(32));
        let it = Instruction::parse(Isa::X64, "mov r8d, eax");
        assert_eq!((it.register(0), it.register(1)), (Some("r8"), Some("rax")));
        let it = Instruction::parse(Isa::X64, "sub rsp, 0x18");
        assert_eq!((it.register(0), it.number()), (Some("rsp"), Some(24)));
    }
}
