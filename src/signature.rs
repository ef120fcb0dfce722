//! Signatures, read from type codes or from C text, and compiled for calls. A cache keeps those that were read.

use crate::error::{CodeError, Error, Result, Unpassable};
use crate::scope::{self, Declared, Scope};
use crate::slots::{Misfit, Param, Treatment, Wanted};
use crate::value::Value;
use farcall_arch::Type;
use farcall_cdecl::c::TypeId;
use farcall_cdecl::{Codes, Kind, Position, Role};
use farcall_engine::{self as engine, Cache, Cached, Compiled, epoch};
use farcall_memory::{OutOfMemory, Shared};
use farcall_memory::{try_collect, try_format, try_to_vec, try_with_capacity};
use std::fmt;
use std::ops::Range;

/// The types of a function's arguments and of its result. Clones share the data.
///
/// A signature is read from type codes, or from C text with or without a name:
///
/// ```
/// use farcall::{Callback, Function, Signature, Value};
///
/// let signature = Signature::declared("int (int left, int right)")?;
/// assert_eq!(signature.to_string(), "int(int, int)");
/// assert_eq!(signature.len(), 2);
///
/// let add = Callback::of(&signature, |args| match args {
///     [Value::Int(a), Value::Int(b)] => Value::Int(a + b),
///     _ => unreachable!("the signature has two ints"),
/// })?;
/// let as_c_sees_it = Function::of(add.code(), &signature)?;
/// // SAFETY: the function is the callback above.
/// let sum = unsafe { as_c_sees_it.call(&[40.into(), 2.into()])? };
/// assert_eq!(sum, Value::Int(42));
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone)]
pub struct Signature {
    inner: Shared<Inner>,
}

/// The data that clones of a signature share.
#[derive(Debug)]
pub(crate) struct Inner {
    /// The compiled signature. For a variadic prototype in C, this is a call without further arguments.
    pub compiled: Shared<Compiled>,
    pub params: Vec<Param>,
    pub ret: Param,
    /// Whether calls can take the fast path: each argument takes one slot, the result at most one, and no further arguments can follow.
    pub is_plain: bool,
    pub words: Words,
}

/// The source of the signature, for messages.
#[derive(Debug)]
pub(crate) enum Words {
    Codes(Codes),
    C {
        scope: Shared<Scope>,
        ty: TypeId,
        name: Option<Shared<String>>,
        /// The symbol to look up in a library.
        symbol: Option<String>,
        is_variadic: bool,
    },
}

/// The known signatures. A key is the role, the result's letter and the arguments' letters; or [`C_TEXT`] and C text. When the cache is full,
/// it drops signatures that no function and no callback uses.
static KNOWN: Cached<Cache<Vec<u8>, Inner>> = Cached::new(Cache::new());

/// The longest key of letters, in bytes. Such keys are built on the stack.
const INLINE: usize = 34;

/// The first byte of a key of C text, where a key of letters has the role.
const C_TEXT: u8 = 0xff;

impl Signature {
    /// The signature with the type codes `ret` for the result and `args` for the arguments, as in [`Function::at`](crate::Function::at).
    ///
    /// # Errors
    /// [`Error::Codes`] for text that is not made of type codes.
    ///
    /// ```
    /// use farcall::Signature;
    ///
    /// let signature = Signature::codes("i", "s.id")?;
    /// assert_eq!(signature.to_string(), "i(s.id)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn codes(ret: &str, args: &str) -> Result<Signature> {
        Signature::known(ret, args, Role::Function)
    }

    /// The signature of a C prototype, such as `"double hypot(double x, double y)"` or `"int (const void *, const void *)"`. The prototype may use
    /// C's own types, the usual names from the standard headers (`size_t`, `int32_t`, `off_t`), and structures that it spells out.
    /// [`Declarations::signature`](crate::Declarations::signature) also knows the types that a header declares.
    ///
    /// # Errors
    /// [`Error::Declaration`] with the place in the text; [`Error::Mismatch`] if the text declares no function; [`Error::Type`] if values of a type
    /// cannot be passed.
    ///
    /// ```
    /// let signature = farcall::Signature::declared("double hypot(double x, double y)")?;
    /// assert_eq!((signature.name(), signature.len()), (Some("hypot"), 2));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn declared(text: &str) -> Result<Signature> {
        // Keys of short texts are built on the stack for the search.
        let mut short = [C_TEXT; 4 * INLINE];
        let mut long = Vec::new();
        let key = match short.get_mut(1..=text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                &short[..=text.len()]
            }
            None => {
                long.try_reserve_exact(text.len() + 1)
                    .map_err(OutOfMemory::from)?;
                long.push(C_TEXT);
                long.extend_from_slice(text.as_bytes());
                &long[..]
            }
        };
        if let Some(known) = find(key) {
            return Ok(known);
        }
        let scope = Scope::new()?;
        let inner = Inner::of_c(scope.function(text)?, &scope)?;
        remember(try_to_vec(key).ok(), inner)
    }

    /// The signature for a text in a scope: a prototype, or the name of a declared function.
    pub(crate) fn declared_in(scope: &Shared<Scope>, text: &str) -> Result<Signature> {
        Signature::of_type(scope.function(text)?, scope)
    }

    /// The signature with existing data.
    pub(crate) fn of_inner(inner: Shared<Inner>) -> Signature {
        Signature { inner }
    }

    /// The signature of a function type in a scope.
    pub(crate) fn of_type(declared: Declared, scope: &Shared<Scope>) -> Result<Signature> {
        let inner = Shared::try_new(Inner::of_c(declared, scope)?)?;
        Ok(Signature { inner })
    }

    /// The signature with these letters.
    pub(crate) fn known(ret: &str, args: &str, role: Role) -> Result<Signature> {
        let read = || Inner::of_codes(Codes::parse(ret, args, role)?);
        let len = args.len() + 2;
        let [letter] = *ret.as_bytes() else {
            // Braces, or an error.
            return remember(None, read()?);
        };
        if len > INLINE {
            return remember(None, read()?);
        }
        let mut key = [0; INLINE];
        key[0] = role as u8;
        key[1] = letter;
        key[2..len].copy_from_slice(args.as_bytes());
        let key = &key[..len];
        if let Some(known) = find(key) {
            return Ok(known);
        }
        let inner = read()?;
        // A signature that cannot be remembered is read again next time.
        remember(try_to_vec(key).ok(), inner)
    }

    /// The same signature, or an error if it is variadic: callbacks cannot be.
    pub(crate) fn for_callback(&self) -> Result<Signature> {
        let is_variadic = match self.as_codes() {
            Some(codes) => codes.fixed.is_some(),
            None => self.is_variadic(),
        };
        match is_variadic {
            false => Ok(self.clone()),
            true => Err(Error::mismatch(
                format_args!("callback"),
                format_args!("a signature without variadic arguments"),
                format_args!("{self}"),
            )),
        }
    }

    pub(crate) fn inner(&self) -> &Shared<Inner> {
        &self.inner
    }

    /// The name that the text gives the function.
    ///
    /// ```
    /// let signature = farcall::Signature::declared("int abs(int)")?;
    /// assert_eq!(signature.name(), Some("abs"));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.shared_name().map(|name| name.as_str())
    }

    pub(crate) fn shared_name(&self) -> Option<&Shared<String>> {
        match &self.inner.words {
            Words::Codes(_) => None,
            Words::C { name, .. } => name.as_ref(),
        }
    }

    /// The symbol to look up in a library.
    pub(crate) fn symbol(&self) -> Option<&str> {
        match &self.inner.words {
            Words::Codes(_) => None,
            Words::C { symbol, .. } => symbol.as_deref(),
        }
    }

    /// The slots of argument number `index`, counted from 0, in [`Callback::of_slots`](crate::Callback::of_slots) and
    /// [`Function::call_slots`](crate::Function::call_slots). A value of more than 8 bytes takes several slots and is laid out in them as in memory.
    ///
    /// ```
    /// let signature = farcall::Signature::declared("void (int, struct { double x, y; }, int)")?;
    /// assert_eq!(signature.slots(0), Some(0..1));
    /// assert_eq!(signature.slots(1), Some(1..3));
    /// assert_eq!(signature.slots(2), Some(3..4));
    /// assert_eq!(signature.slots(3), None);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn slots(&self, index: usize) -> Option<Range<usize>> {
        let param = self.inner.params.get(index)?;
        Some(param.first as usize..(param.first + param.slots) as usize)
    }
}

/// The signature with this key, if it is known.
#[inline]
fn find(key: &[u8]) -> Option<Signature> {
    let find = |cache: &mut Cache<Vec<u8>, Inner>| cache.get(key);
    let inner = KNOWN.with(find)??;
    Some(Signature { inner })
}

/// Makes a signature, and adds it to the cache if it has a key and there is memory.
fn remember(key: Option<Vec<u8>>, inner: Inner) -> Result<Signature> {
    let inner = Shared::try_new(inner)?;
    let Some(key) = key else {
        return Ok(Signature { inner });
    };
    let add = |cache: &mut Cache<_, _>| cache.add(key, inner.clone());
    if let Some((_, unused)) = KNOWN.with(add)
        && !unused.is_empty()
    {
        epoch::forget(unused);
    }
    Ok(Signature { inner })
}

impl Inner {
    fn of_codes(codes: Codes) -> Result<Inner> {
        let compiled = engine::compile(codes.signature()?, None)?;
        let treatment = |position, code: farcall_cdecl::TypeCode| match code.kind() {
            Kind::Struct => Treatment::Bytes(codes.ty(position).size()),
            _ => Treatment::Code(code),
        };
        let args = codes.args.iter().enumerate();
        let args = args.map(|(index, code)| treatment(Position::Argument(index), *code));
        let ret = treatment(Position::Result, codes.ret);
        let (params, is_plain) = placed(args, ret)?;
        Ok(Inner {
            compiled,
            params,
            ret: Param::new(ret, 0),
            is_plain,
            words: Words::Codes(codes),
        })
    }

    fn of_c(declared: Declared, scope: &Shared<Scope>) -> Result<Inner> {
        let Declared { name, symbol, ty } = declared;
        let mut words = Words::C {
            scope: scope.clone(),
            ty,
            name: name.map(Shared::try_new).transpose()?,
            symbol,
            is_variadic: false,
        };
        let lowered = scope.with(|c| {
            // A declared function always has a function type.
            let function = c.function_type(ty).ok_or(None)?;
            let (args, types) = scope::treatments(c, &function)
                .map_err(|(index, error)| Some((Position::Argument(index), error)))?;
            let (ret, ret_ty) = scope::treatment(c, function.ret)
                .map_err(|error| Some((Position::Result, error)))?;
            Ok((args, types, ret, ret_ty, function.is_variadic))
        });
        let (args, types, ret, ret_ty, is_variadic) = match lowered {
            Ok(lowered) => lowered,
            Err(None) => return Err(OutOfMemory.into()),
            Err(Some((position, error))) => {
                return Err(words.unpassable(position, error));
            }
        };
        if let Words::C {
            is_variadic: is, ..
        } = &mut words
        {
            *is = is_variadic;
        }
        let fixed = types.len();
        let signature = match is_variadic {
            true => farcall_arch::Signature::variadic(ret_ty, types, fixed),
            false => farcall_arch::Signature::new(ret_ty, types),
        };
        let compiled = engine::compile(signature.map_err(CodeError::from)?, None)?;
        let (params, is_plain) = placed(args.into_iter(), ret)?;
        Ok(Inner {
            compiled,
            params,
            ret: Param::new(ret, 0),
            is_plain: is_plain && !is_variadic,
            words,
        })
    }

    /// The number of slots that the arguments take.
    pub fn arg_slots(&self) -> usize {
        self.params
            .last()
            .map_or(0, |last| (last.first + last.slots) as usize)
    }

    /// Compiles the signature of a call with further values after the `...`, which are treated by their kinds, as C promotes them. Returns it with
    /// the parameters of all values.
    ///
    /// # Errors
    /// The error of `misfit`, which gets the argument's index, for a structure without a type.
    pub fn with_more(
        &self,
        more: &[Value],
        misfit: impl Fn(usize, &Value, Misfit) -> Error,
    ) -> Result<(Shared<Compiled>, Vec<Param>)> {
        let plain = self.compiled.signature().ok_or(OutOfMemory)?;
        let mut types = try_collect(plain.args().iter().cloned())?;
        let mut params = try_with_capacity(self.params.len() + more.len())?;
        types.try_reserve(more.len()).map_err(OutOfMemory::from)?;
        params.extend_from_slice(&self.params);
        for (index, value) in (types.len()..).zip(more) {
            let treatment = Treatment::of_value(value).ok_or_else(|| {
                let wanted = Wanted::Words(
                    "a number, a pointer or a structure that a Type has made behind '...'",
                );
                misfit(index, value, Misfit::Wanted(wanted))
            })?;
            let ty = match value {
                Value::Struct(bytes) => bytes.ty().cloned(),
                _ => treatment.ty(),
            };
            // Every such value has a type, so this default is not used.
            types.push(ty.unwrap_or(Type::U64));
            let first = params
                .last()
                .map_or(0, |last: &Param| last.first + last.slots);
            params.push(Param::new(treatment, first));
        }
        let fixed = self.params.len();
        let signature = farcall_arch::Signature::variadic(plain.ret().clone(), types, fixed);
        let compiled = engine::compile(signature.map_err(CodeError::from)?, None)?;
        Ok((compiled, params))
    }

    /// The error for a value that its type does not take.
    #[cold]
    pub fn misfit(&self, of: &str, position: Position, value: &Value, misfit: Misfit) -> Error {
        let wanted = match (misfit, &self.words) {
            (Misfit::Code(CodeError::OutOfMemory(none)), _) => return none.into(),
            (Misfit::Code(error), Words::Codes(_)) => return error.into(),
            (Misfit::Code(error), Words::C { .. }) => in_c(&error),
            (Misfit::Wanted(wanted), _) => wanted,
        };
        match self.words.place(position) {
            Ok(place) if of.is_empty() => Error::mismatch(
                format_args!("{place}"),
                format_args!("{wanted}"),
                format_args!("{value}"),
            ),
            Ok(place) => {
                let what = format_args!("{of}: {place}");
                Error::mismatch(what, format_args!("{wanted}"), format_args!("{value}"))
            }
            Err(none) => none.into(),
        }
    }
}

/// The description of the expected value, for a C type whose nearest code rejects a value.
pub(crate) fn in_c(error: &CodeError) -> Wanted {
    match error {
        CodeError::OutOfRange { min, max, .. } => Wanted::Range {
            min: *min,
            max: *max,
        },
        CodeError::FloatRange { .. } => Wanted::Words("a number in the range of float"),
        CodeError::WrongKind { kind, .. } => Wanted::Words(match kind {
            Kind::Void => "nothing",
            Kind::Int | Kind::Uint => "an integer",
            Kind::Float | Kind::Double => "a number",
            _ => "a pointer",
        }),
        _ => Wanted::Words("a value of that type"),
    }
}

/// Assigns slots to the arguments, one after the other. Returns them, and whether the signature is plain: see [`Inner::is_plain`].
fn placed(
    args: impl ExactSizeIterator<Item = Treatment>,
    ret: Treatment,
) -> std::result::Result<(Vec<Param>, bool), OutOfMemory> {
    let is_word = |treatment| matches!(treatment, Treatment::Code(_) | Treatment::Bool);
    let mut is_plain = is_word(ret);
    let mut params = try_with_capacity(args.len())?;
    let mut first = 0;
    for treatment in args {
        is_plain &= is_word(treatment);
        let param = Param::new(treatment, first);
        first += param.slots;
        params.push(param);
    }
    Ok((params, is_plain))
}

impl Words {
    /// A value's place, with its C type: `argument 1 (double x)`.
    pub fn place(&self, position: Position) -> std::result::Result<String, OutOfMemory> {
        let Words::C { scope, ty, .. } = self else {
            return try_format(format_args!("{position}"));
        };
        scope.with(|c| {
            let Some(function) = c.function_type(*ty) else {
                return try_format(format_args!("{position}"));
            };
            let (ty, name) = match position {
                Position::Argument(index) => match c.params(&function).nth(index) {
                    Some(param) => (param.ty, param.name),
                    None => return try_format(format_args!("{position} (...)")),
                },
                _ => (function.ret, None),
            };
            let name = name.map_or("", |name| c.name(name));
            try_format(format_args!("{position} ({})", c.show(ty).named(name)))
        })
    }

    #[cold]
    fn unpassable(&self, position: Position, error: Unpassable) -> Error {
        match self.place(position) {
            Ok(place) => Error::unpassable(format_args!("{place}"), error),
            Err(none) => none.into(),
        }
    }

    /// The arguments, for messages: codes, or C's list of parameters.
    pub fn args_text(&self) -> std::result::Result<String, OutOfMemory> {
        match self {
            Words::Codes(codes) => codes.args_text(),
            Words::C { .. } => self.text(),
        }
    }

    /// The whole signature.
    pub fn text(&self) -> std::result::Result<String, OutOfMemory> {
        match self {
            Words::Codes(codes) => try_format(format_args!("{codes}")),
            Words::C {
                scope, ty, name, ..
            } => scope.show(*ty, name.as_ref().map_or("", |name| name)),
        }
    }
}

/// Shows the signature in its original form: codes, or a prototype without the names of its parameters.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is made first: the formatter may run the user's code, which must not run under a lock.
        match self.inner.words.text() {
            Ok(text) => f.write_str(&text),
            Err(none) => none.fmt(f),
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}
