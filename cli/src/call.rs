//! `farcall call`: one call of one function.

use farcall::{Complex, Declarations, Function, Library, LongDouble, StructBytes, Value};
use farcall_cdecl::c::{Basic, Platform, Ty, TypeId};

use crate::failure::{Failure, Result};
use crate::output::print;
use crate::prototype::{Declare, Param, Prototype};
use crate::shown::{Depth, fraction, shown};
use crate::value::{Misfit, Values, number};

/// What a call takes.
#[derive(clap::Args)]
#[command(after_long_help = LONG)]
pub struct Args {
    /// The library: a name that the loader knows, a path, or '-' for what this program itself has loaded
    #[arg(value_name = "LIB")]
    library: String,
    /// The function: a prototype in C, or codes as RESULT:NAME:ARGUMENTS
    #[arg(value_name = "PROTOTYPE")]
    prototype: String,
    /// The arguments, each as a word
    #[arg(
        value_name = "ARGS",
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    args: Vec<String>,
    #[command(flatten)]
    declare: Declare,
}

const LONG: &str = "\
How values are typed:
  integers         42  -1  0x2a  052  0b101  'a'     within the range of their type
  floating point   2.5  1e-3  inf  nan
  bool             true  false  1  0
  char             a  'a'  97                        digits are numbers
  const char *     hello  NULL                       as typed; in double quotes with C's escapes
  const T *        '[1, 2, 3]'                       several values in a row
  enum             a constant's name, or an integer
  struct, union    '{1, 2.5}'  '{.x = 1}'            nested ones and arrays in braces, too
  complex          1+2i
  other pointers   NULL, or an address as 0x7f00
Behind the '...' of a prototype a value may say its type as a cast does: '(double)1'.
Without one, an integer is an int, or a long long if it is larger, a number with a
fraction is a double, and all else is a string.

Examples:
  farcall call libm.so.6 'double pow(double, double)' 2 10
  farcall call libm.so.6 d:pow:dd 2 10
  farcall call libc.so.6 'size_t strlen(const char *)' hello
  farcall call libc.so.6 'struct { int quot, rem; } div(int, int)' 17 5
  farcall call libc.so.6 'int printf(const char *, ...)' '%d and %g' 3 0.5";

/// Calls the function and prints its result.
pub fn run(args: &Args) -> Result<()> {
    let mut prototype = Prototype::read(&args.prototype, &args.declare.text, Platform::host())?;
    if prototype.name.is_none() {
        let failure = Failure::usage("expected a prototype that names the function");
        return Err(failure.with_detail(&prototype.text));
    }
    let words = typed(&mut prototype, &args.args)?;
    let mut values = Values::new(&prototype.c);
    let mut typed = Vec::new();
    for (index, (param, word)) in prototype.params.iter().zip(&words).enumerate() {
        let value = value_of(&mut values, &prototype, param, word);
        typed.push(value.map_err(|misfit| misplaced(&prototype, index, param, misfit))?);
    }
    let function = function(&args.library, &prototype, &args.declare.text)?;
    // SAFETY: the user states that the prototype is the function's, and that it takes these values. The memory they point to is in `values`.
    let result = unsafe { function.call(&typed) }.map_err(Failure::of)?;
    flush_c();
    // SAFETY: as above, the result has the prototype's type: if that is a string's address, there is a string.
    if let Some(text) = unsafe { told(&prototype, &result) } {
        print(&format!(
            "{text}
"
        ))?;
    }
    Ok(())
}

/// Checks the number of arguments, and gives each argument after the `...` a type. Returns the arguments' words.
fn typed(prototype: &mut Prototype, words: &[String]) -> Result<Vec<String>> {
    let (got, wanted) = (words.len(), prototype.params.len());
    let has_types = wanted > prototype.fixed;
    let is_open = prototype.is_variadic && !has_types;
    if got < wanted || got > wanted && !is_open {
        let least = if is_open { "at least " } else { "" };
        let s = if wanted == 1 { "" } else { "s" };
        let failure = Failure::usage(format_args!(
            "expected {least}{wanted} argument{s}, got {got}"
        ));
        return Err(failure.with_detail(prototype.pointed(got.min(wanted))));
    }
    let mut typed: Vec<String> = words[..wanted].to_vec();
    for word in &words[wanted..] {
        let (ty, value) = cast(word).unwrap_or_else(|| (guessed(word), word));
        prototype.add_argument(ty)?;
        typed.push(value.to_owned());
    }
    Ok(typed)
}

/// The type and the value of `(type)value`.
fn cast(word: &str) -> Option<(&str, &str)> {
    let rest = word.strip_prefix('(')?;
    let mut depth = 1;
    let end = rest.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    Some((rest[..end].trim(), rest[end + 1..].trim()))
}

/// The type of a value after the `...` that has no cast.
fn guessed(word: &str) -> &'static str {
    let is_quoted = word.len() > 1 && word.starts_with('\'') && word.ends_with('\'');
    let digits = word.trim_start_matches(['-', '+']);
    match (
        digits.starts_with(|c: char| c.is_ascii_digit()),
        number(word),
    ) {
        _ if is_quoted => "int",
        (_, _) if word == "NULL" => "void *",
        (true, Ok(number)) if !digits.contains(['.', 'e', 'E']) || digits.starts_with("0x") => {
            match (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number) {
                true => "int",
                false if number > i64::MAX as f64 => "unsigned long long",
                false => "long long",
            }
        }
        (true, Ok(_)) => "double",
        _ => "const char *",
    }
}

fn value_of(
    values: &mut Values,
    prototype: &Prototype,
    param: &Param,
    word: &str,
) -> std::result::Result<Value, Misfit> {
    let c = &prototype.c;
    if matches!(
        c.resolved(param.ty),
        Ty::Basic(Basic::LongDouble | Basic::Float128)
    ) {
        return Ok(LongDouble::from(number(word)?).into());
    }
    let bytes = values.bytes(param.ty, word)?;
    let word = |at: usize, len: usize| {
        let mut word = [0; 16];
        word[..len].copy_from_slice(&bytes[at..at + len]);
        u128::from_le_bytes(word)
    };
    let single = |at| f64::from(f32::from_bits(word(at, 4) as u32));
    let double = |at| f64::from_bits(word(at, 8) as u64);
    Ok(match c.resolved(param.ty) {
        Ty::Pointer { .. } => (word(0, 8) as usize as *mut u8).into(),
        Ty::Basic(Basic::Float) => Value::Float(f32::from_bits(word(0, 4) as u32)),
        Ty::Basic(Basic::Double) => Value::Double(double(0)),
        Ty::Basic(Basic::ComplexFloat) => Complex {
            re: single(0),
            im: single(4),
        }
        .into(),
        Ty::Basic(Basic::ComplexDouble) => Complex {
            re: double(0),
            im: double(8),
        }
        .into(),
        _ => match c.integer_shape(param.ty) {
            Some((16, true)) => Value::Int128(word(0, 16) as i128),
            Some((16, false)) => Value::Uint128(word(0, 16)),
            Some((size, true)) => {
                let shift = 128 - size * 8;
                let value = (word(0, size as usize) << shift) as i128 >> shift;
                Value::Int(value as i64)
            }
            Some((size, false)) => Value::Uint(word(0, size as usize) as u64),
            None => match StructBytes::new(&bytes) {
                Ok(bytes) => bytes.into(),
                Err(error) => {
                    return Err(Misfit {
                        wanted: "memory for it".to_owned(),
                        got: error.to_string(),
                        hint: None,
                    });
                }
            },
        },
    })
}

/// The error for a wrong argument: the declaration with a caret below it.
fn misplaced(prototype: &Prototype, index: usize, param: &Param, misfit: Misfit) -> Failure {
    let declared = prototype.declared(param);
    let Misfit { wanted, got, hint } = misfit;
    let number = index + 1;
    let failure = Failure::usage(format_args!(
        "argument {number} ({declared}): expected {wanted}, got {got}"
    ));
    let failure = failure.with_detail(prototype.pointed(index));
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn function(library: &str, prototype: &Prototype, declare: &str) -> Result<Function> {
    let declarations = Declarations::parse(declare).map_err(Failure::of)?;
    let library = match library {
        "-" => Library::this(),
        // SAFETY: the user asks for this library to be loaded, and so for its initialisers to run.
        name => unsafe { Library::open(name) },
    };
    let library = library.map_err(Failure::of)?;
    library
        .function_in(&declarations, &prototype.source)
        .map_err(Failure::of)
}

/// Flushes C's output, so that it appears before the result.
fn flush_c() {
    // SAFETY: this is C's own fflush(), which takes NULL for all streams.
    let flushed = unsafe {
        Library::this()
            .and_then(|this| this.function("int fflush(void *)"))
            .and_then(|fflush| fflush.call(&[std::ptr::null_mut::<u8>().into()]))
    };
    // If there is no such function, there is no output of C's to flush.
    drop(flushed);
}

/// The text of a result; `None` for `void`.
///
/// # Safety
/// * As for [`shown`].
unsafe fn told(prototype: &Prototype, result: &Value) -> Option<String> {
    let c = &prototype.c;
    // SAFETY: the result's bytes came from a call of that type, by the contract of this function, so a pointer to `char` in them leads
    // to a string.
    let of_bytes = |ty: TypeId, bytes: &[u8]| unsafe { shown(c, ty, bytes, Depth::Whole) };
    let ty = prototype.ret;
    Some(match result {
        Value::Void => return None,
        Value::Int(value) => of_bytes(ty, &i128::from(*value).to_le_bytes()),
        Value::Uint(value) => of_bytes(ty, &u128::from(*value).to_le_bytes()),
        Value::Int128(value) => value.to_string(),
        Value::Uint128(value) => value.to_string(),
        Value::Float(value) => fraction(&format!("{value:e}")),
        Value::Double(value) => fraction(&format!("{value:e}")),
        Value::LongDouble(value) => fraction(&format!("{:e}", value.to_f64())),
        Value::Complex(value) => value.to_string(),
        Value::Pointer(value) => of_bytes(ty, &(*value as u64).to_le_bytes()),
        Value::Struct(bytes) => of_bytes(ty, bytes),
        other => other.to_string(),
    })
}
