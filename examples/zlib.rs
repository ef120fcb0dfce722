//! Compresses a text with zlib and restores it: pointers to buffers, and a length that C reads and writes.

use farcall::{Library, Value};
use std::ffi::c_ulong;

const ZLIB: &str = if cfg!(windows) {
    "zlib1.dll"
} else {
    "libz.so.1"
};
const TEXT: &[u8] = b"a foreign call, a foreign call, a foreign call is all we want, and all we want is a foreign call";

fn main() -> farcall::Result<()> {
    // SAFETY: zlib has no initialisers.
    let zlib = unsafe { Library::open(ZLIB)? };
    // unsigned long crc32(unsigned long crc, const void *bytes, unsigned int count)
    let crc32 = zlib.func("L", "crc32", "LPI")?;
    // int compress(void *to, unsigned long *to_len, const void *from, unsigned long from_len), and its counterpart
    let compress = zlib.func("i", "compress", "ppPL")?;
    let uncompress = zlib.func("i", "uncompress", "ppPL")?;

    let len = Value::Uint(TEXT.len() as u64);
    // SAFETY: declared as it is; it reads `len` bytes.
    let crc = unsafe { crc32.call(&[Value::Uint(0), TEXT.as_ptr().into(), len.clone()])? };

    let mut packed = [0_u8; 256];
    let mut packed_len = packed.len() as c_ulong;
    let to = [
        packed.as_mut_ptr().into(),
        Value::from(&raw mut packed_len),
        TEXT.as_ptr().into(),
        len,
    ];
    // SAFETY: declared as it is; it writes at most `packed_len` bytes.
    assert_eq!(unsafe { compress.call(&to)? }, Value::Int(0));

    let mut restored = [0_u8; 256];
    let mut restored_len = restored.len() as c_ulong;
    let from = [
        restored.as_mut_ptr().into(),
        Value::from(&raw mut restored_len),
        packed.as_ptr().into(),
        Value::Uint(packed_len as u64),
    ];
    // SAFETY: declared as it is; it writes at most `restored_len` bytes.
    assert_eq!(unsafe { uncompress.call(&from)? }, Value::Int(0));

    assert_eq!(&restored[..restored_len as usize], TEXT);
    println!(
        "{} bytes, CRC {crc}, packed into {packed_len} and restored",
        TEXT.len()
    );
    Ok(())
}
