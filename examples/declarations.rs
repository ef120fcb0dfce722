//! Reads C declarations, shows a layout, and calls functions with structures: by value, and behind pointers.

use farcall::{Constant, Declarations, Library, StructBytes, Value};

const TEXT: &str = "
    #define MINUTE 60
    typedef struct { long quot, rem; } ldiv_t;
    ldiv_t ldiv(long numer, long denom);

    struct tm {
        int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
        char rest[32];  /* What systems add. */
    };
    size_t strftime(char *to, size_t size, const char *format, const struct tm *time);
";

/// The same in Rust.
#[repr(C)]
#[derive(Clone, Copy)]
struct Division {
    quot: std::ffi::c_long,
    rem: std::ffi::c_long,
}

fn main() -> farcall::Result<()> {
    let c = Declarations::parse(TEXT)?;
    let Some(Constant::Integer(minute)) = c.constant("MINUTE")? else {
        unreachable!("the text defines an integer");
    };

    let libc = Library::this()?;
    let ldiv = libc.function_in(&c, "ldiv")?;
    // SAFETY: it is declared as it is, and its result is two longs.
    let Division { quot, rem } = unsafe {
        let result = ldiv.call(&[Value::Int(3725), minute.into()])?;
        StructBytes::try_from(result)?.read()?
    };
    println!("3725 seconds are {quot} minutes and {rem} seconds");
    assert_eq!((quot, rem), (62, 5));

    // Nothing but the layout says where the members are.
    let tm = c.ty("struct tm")?;
    let mut time = vec![0_u8; tm.size().unwrap_or_default() as usize];
    let values = [("tm_year", 2026 - 1900), ("tm_mon", 10), ("tm_mday", 27)];
    for member in tm.members()? {
        let value = values.iter().find(|(name, _)| member.name() == Some(name));
        if let Some((name, value)) = value {
            let offset = member.offset() as usize;
            println!("{name} is {} at {offset}", member.ty());
            time[offset..offset + 4].copy_from_slice(&i32::to_ne_bytes(*value));
        }
    }

    let mut text = [0_u8; 32];
    let args = [
        text.as_mut_ptr().into(),
        text.len().into(),
        c"%Y-%m-%d".into(),
        time.as_ptr().into(),
    ];
    // SAFETY: it is declared as it is, and writes at most as many bytes as there are.
    let len = unsafe { libc.function_in(&c, "strftime")?.call(&args)? };
    let text = String::from_utf8_lossy(&text[..usize::try_from(len)?]);
    println!("{text}");
    assert_eq!(text, "2026-11-27");
    Ok(())
}
