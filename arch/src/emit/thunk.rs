//! The thunk: load the address of my record, jump to the entry that the record names.
//!
//! This is the only text of it. [`super::thunks`] writes blocks of thunks by it, thunks that are part of a program are assembled of
//! its parts, and a closure that is its own function holds one.

/// On x86-64: 14 bytes, `endbr64`, `lea r10, [rip + to_record]`, `jmp [r10]`.
pub mod x64 {
    /// `endbr64`: the landing pad of indirect calls.
    pub const LANDING_PAD: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    /// `lea r10, [rip + distance]`, without the distance. That has four bytes, and counts from behind them.
    pub const LOAD_RECORD: [u8; 3] = [0x4c, 0x8d, 0x15];
    /// `jmp qword ptr [r10]`. The processor does not reorder loads.
    pub const JUMP: [u8; 3] = [0x41, 0xff, 0x22];

    /// The bytes of one.
    pub const SIZE: usize = 14;

    /// The bytes from its start to what [`LOAD_RECORD`]'s distance counts from.
    pub const BEFORE_RECORD: usize = 11;

    /// The thunk whose record lies `to_record` bytes behind its own start.
    pub const fn thunk(to_record: i32) -> [u8; SIZE] {
        let [a, b, c, d] = LANDING_PAD;
        let [e, f, g] = LOAD_RECORD;
        let [h, i, j, k] = (to_record - BEFORE_RECORD as i32).to_le_bytes();
        let [l, m, n] = JUMP;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
    }
}

/// On AArch64: 16 bytes, `bti c`, `adr x16, record`, `ldar x17, [x16]`, `br x17`.
///
/// The entry is loaded with acquire semantics: a thread that finds the entry of closed thunks must not find, an instruction later,
/// fields from before the closing.
pub mod a64 {
    /// `bti c`: the landing pad of calls, and of jumps by `x16` and `x17`.
    pub const LANDING_PAD: u32 = 0xd503_245f;
    /// `ldar x17, [x16]`, `br x17`.
    pub const JUMP: [u32; 2] = [0xc8df_fe11, 0xd61f_0220];

    /// The bytes of one.
    pub const SIZE: usize = 16;

    /// How far a record may lie from the thunk's second instruction: the reach of `adr`.
    pub const REACH: usize = 1 << 20;

    /// The thunk whose record lies `to_record` bytes behind its own start.
    pub const fn thunk(to_record: u32) -> [u8; SIZE] {
        let from_adr = to_record - 4;
        let adr = 0x1000_0010 | (from_adr & 3) << 29 | (from_adr >> 2) << 5;
        let [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]] = [
            LANDING_PAD.to_le_bytes(),
            adr.to_le_bytes(),
            JUMP[0].to_le_bytes(),
            JUMP[1].to_le_bytes(),
        ];
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }
}
