//! What generated code is called in profilers and debuggers: what it is for, and the signature as its plan has it.
//!
//! A plan knows how many bytes a value has and where they go, so `int` and `int32_t` read the same, and so do a pointer and `int64_t`.

use farcall_arch::Plan;
use farcall_arch::abi::{Extend, Move, Place};

/// The description of a piece of code.
pub(crate) enum Label<'a> {
    /// Code made for a signature. The words say what it does.
    Made(&'static str, &'a Plan),
    /// Code that is the same for all signatures.
    Common(&'static str),
}

/// A name, cut where it gets too long.
pub(crate) struct Name {
    bytes: [u8; Name::MOST],
    len: usize,
}

impl Name {
    /// The most bytes that a name has.
    const MOST: usize = 240;

    pub fn new() -> Name {
        Name {
            bytes: [0; Name::MOST],
            len: 0,
        }
    }

    /// The bytes written so far.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    pub fn push(&mut self, text: &str) {
        let len = text.len().min(Name::MOST - self.len);
        // SAFETY: the buffer has room for `len` more bytes, and `text` does not lie in it.
        unsafe {
            let to = self.bytes.as_mut_ptr().add(self.len);
            to.copy_from_nonoverlapping(text.as_ptr(), len);
        }
        self.len += len;
    }

    /// Ends a line, within the room for one.
    pub fn end(&mut self) {
        self.len = self.len.min(Name::MOST - 1);
        self.push("\n");
    }

    /// A number in base 10 or 16.
    #[cold]
    pub fn number(&mut self, number: u64, base: u64) {
        if number >= base {
            self.number(number / base, base);
        }
        let digits = "0123456789abcdef";
        let digit = (number % base) as usize;
        self.push(digits.get(digit..digit + 1).unwrap_or_default());
    }

    /// The name of some code.
    #[cold]
    #[inline(never)]
    pub fn label(&mut self, label: &Label) {
        match *label {
            Label::Common(words) => self.push(words),
            Label::Made(words, plan) => {
                self.push(words);
                match plan.sret {
                    Some(sret) => self.value("struct", sret.size),
                    None if plan.ret.is_empty() => self.push("void"),
                    None => self.values(&plan.ret),
                }
                self.push("(");
                self.values(&plan.args);
                self.push(")");
            }
        }
    }

    /// All values, in their order: the moves of one are side by side.
    #[cold]
    #[inline(never)]
    fn values(&mut self, moves: &[Move]) {
        let mut before = u32::MAX;
        for (index, mv) in moves.iter().enumerate() {
            let is_part = mv.value == before;
            before = mv.value;
            if moves
                .get(index + 1)
                .is_some_and(|next| next.value == before)
            {
                continue;
            }
            if before > 0 {
                self.push(", ");
            }
            let (kind, size) = match (mv.place, mv.extend) {
                _ if is_part || mv.width > 16 || mv.copy.is_some() => {
                    ("struct", mv.offset + mv.width)
                }
                (Place::Fp(_) | Place::X87(_), _) => ("float", mv.width * 8),
                (_, Extend::Zero) => ("uint", mv.width * 8),
                _ => ("int", mv.width * 8),
            };
            self.value(kind, size);
        }
    }

    fn value(&mut self, kind: &str, size: u32) {
        self.push(kind);
        self.number(size.into(), 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::host_abi;
    use farcall_arch::{Signature, Struct, Type, plan};

    fn name(ret: Type, args: Vec<Type>) -> String {
        let signature = Signature::new(ret, args).expect("a signature");
        let plan = plan(&signature, host_abi()).expect("a plan");
        let mut name = Name::new();
        name.label(&Label::Made("farcall call ", &plan));
        String::from_utf8(name.bytes().to_vec()).expect("text")
    }

    #[test]
    fn name_of_code_has_its_signature() {
        let args = vec![Type::I32, Type::U8, Type::F64, Type::POINTER];
        let found = name(Type::F32, args);
        assert_eq!(found, "farcall call float32(int32, uint8, float64, int64)");
        assert_eq!(name(Type::Void, Vec::new()), "farcall call void()");
        let members = vec![Type::I64; 5];
        let large = Type::try_from(Struct::new(members).expect("a structure")).expect("memory");
        let found = name(large.clone(), vec![Type::I8, large]);
        assert!(
            found.starts_with("farcall call struct40(int8, struct"),
            "{found}"
        );
    }

    #[test]
    fn name_that_is_too_long_is_cut() {
        let found = name(Type::Void, vec![Type::I32; 100]);
        assert_eq!(found.len(), Name::MOST);
        assert!(found.starts_with("farcall call void(int32, int32, "));
    }
}
