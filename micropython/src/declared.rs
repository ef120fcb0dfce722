//! Signatures of C types: prototypes, lists of types' names, and codes with structs among them.

use crate::report::{Failure, Report, Status, guard};
use crate::scope::Scope;
use crate::signature::{Signature, all};
use crate::text::text;
use crate::value::{Value, Way, unpassable};
use farcall_arch::endpoint::{Delivery, ObjectCall};
use farcall_arch::{self as arch, Type};
use farcall_cdecl::c::{Declarations, NameId, Ty, TypeId};
use farcall_cdecl::{Code, Codes, Position, Role, StructCode, TypeCode};
use farcall_memory::{OutOfMemory, Shared, TryVec, try_to_vec, try_with_capacity};
use std::ffi::c_char;

/// What one value was said to be.
#[derive(Debug)]
pub enum Source {
    Letter(TypeCode),
    Braces(StructCode),
    Type(TypeId),
}

/// What a signature was read from.
#[derive(Debug)]
pub enum Origin {
    /// A function's type, of `scope`, and its name and the one in a library.
    Prototype {
        scope: Shared<Scope>,
        ty: TypeId,
        name: Option<NameId>,
        symbol: Option<NameId>,
    },
    /// The result, then the arguments.
    List {
        scope: Option<Shared<Scope>>,
        sources: Vec<Source>,
    },
    /// Another signature, with arguments behind it.
    Extended(Option<Shared<Scope>>),
}

/// The values of a signature.
#[derive(Debug)]
pub struct Declared {
    /// The result, then the arguments.
    pub values: Vec<Value>,
    pub origin: Origin,
    ret: Type,
    args: Vec<Type>,
    /// How many arguments are named, if it is variadic.
    fixed: Option<usize>,
    /// Whether a call may have more arguments than there are.
    is_open: bool,
}

impl Declared {
    fn new(ret: (Type, Value), origin: Origin) -> Result<Declared, OutOfMemory> {
        let mut values = Vec::new();
        values.try_push(ret.1)?;
        Ok(Declared {
            values,
            origin,
            ret: ret.0,
            args: Vec::new(),
            fixed: None,
            is_open: false,
        })
    }

    fn add(&mut self, ty: Type, value: Value) -> Result<(), OutOfMemory> {
        let slot = self.args.iter().map(Type::slots).sum();
        self.values.try_push(value.at(slot))?;
        self.args.try_push(ty)
    }

    /// What is compiled for it.
    pub fn signature(&self) -> Result<arch::Signature, Failure> {
        let args = farcall_memory::try_collect(self.args.iter().cloned())?;
        let signature = match self.fixed {
            None => arch::Signature::new(self.ret.clone(), args),
            Some(fixed) => arch::Signature::variadic(self.ret.clone(), args, fixed),
        };
        Ok(signature.map_err(farcall_cdecl::Error::from)?)
    }

    /// How machine code converts the values of a call, if it can.
    pub fn object_call(&self) -> Result<Option<ObjectCall>, OutOfMemory> {
        let (Some(ret), false) = (self.values[0].boxing(), self.is_extended()) else {
            return Ok(None);
        };
        let args = all(self.values[1..].iter().map(Value::unbox))?;
        Ok(args.map(|args| ObjectCall { args, ret }))
    }

    /// How machine code hands on a callback's arguments, if it can.
    pub fn deliveries(&self) -> Result<Option<Vec<Delivery>>, OutOfMemory> {
        if !self.values[0].is_of_a_slot() {
            return Ok(None);
        }
        all(self.values[1..].iter().map(Value::delivery))
    }

    /// What stands for the codes: all that is asked of them is whether one is an object.
    pub fn codes(&self) -> &'static [u8; 2] {
        let object = farcall_cdecl::Kind::Object as u8;
        match self.values.iter().any(|value| value.kind == object) {
            true => b"O\0",
            false => b"v\0",
        }
    }

    /// What its types are from.
    pub fn scope(&self) -> Option<&Shared<Scope>> {
        match &self.origin {
            Origin::Prototype { scope, .. } => Some(scope),
            Origin::List { scope, .. } | Origin::Extended(scope) => scope.as_ref(),
        }
    }

    /// Whether a call may have more arguments than there are.
    pub fn is_variadic(&self) -> bool {
        self.is_open
    }

    fn is_extended(&self) -> bool {
        matches!(self.origin, Origin::Extended(_))
    }

    /// The same with more arguments: words, and a `double` for each `d`.
    fn extended(&self, codes: &[u8]) -> Result<Declared, Failure> {
        let scope = self.scope().cloned();
        let ret = (self.ret.clone(), self.values[0]);
        let mut longer = Declared::new(ret, Origin::Extended(scope))?;
        longer.fixed = Some(self.args.len());
        longer.args = farcall_memory::try_collect(self.args.iter().cloned())?;
        longer.values = try_to_vec(&self.values)?;
        for code in codes {
            let letter = if *code == b'd' { 'd' } else { 'q' };
            if let Some(code) = TypeCode::new(letter) {
                longer.add(code.ty(), Value::of_letter(code, Way::Parameter))?;
            }
        }
        Ok(longer)
    }
}

fn ways(role: Role) -> (Way, Way) {
    match role {
        Role::Function => (Way::Result, Way::Parameter),
        Role::Callback => (Way::Answer, Way::Argument),
    }
}

/// One of codes with structs.
pub fn of_codes(codes: &Codes, role: Role) -> Result<Declared, Failure> {
    let mut sources = try_with_capacity(codes.args.len() + 1)?;
    let source = |position, code| match codes.structure(position) {
        Some(structure) => Source::Braces(structure.clone()),
        None => Source::Letter(code),
    };
    sources.try_push(source(Position::Result, codes.ret))?;
    for (index, code) in codes.args.iter().enumerate() {
        sources.try_push(source(Position::Argument(index), *code))?;
    }
    of_sources(None, sources, codes.fixed, role)
}

fn of_sources(
    scope: Option<Shared<Scope>>,
    sources: Vec<Source>,
    fixed: Option<usize>,
    role: Role,
) -> Result<Declared, Failure> {
    let read = |source: &Source, position, way| match source {
        Source::Letter(code) => Ok((code.ty(), Value::of_letter(*code, way))),
        Source::Braces(code) => Ok((code.ty().clone(), Value::of_braces(code))),
        Source::Type(ty) => {
            let scope = scope.as_ref();
            let read = scope.map(|scope| scope.with(|c| typed(c, *ty, position, way)));
            read.unwrap_or_else(|| Err(Failure::value("a type without a namespace")))
        }
    };
    let (ret_way, arg_way) = ways(role);
    let ret = read(&sources[0], Position::Result, ret_way)?;
    let mut args: Vec<(Type, Value)> = try_with_capacity(sources.len())?;
    for (index, source) in sources[1..].iter().enumerate() {
        args.try_push(read(source, Position::Argument(index), arg_way)?)?;
    }
    let mut declared = Declared::new(ret, Origin::List { scope, sources })?;
    for (ty, value) in args {
        declared.add(ty, value)?;
    }
    declared.fixed = fixed;
    Ok(declared)
}

/// A value of a C type. In a list, `void` is no argument.
fn typed(
    c: &Declarations,
    ty: TypeId,
    position: Position,
    way: Way,
) -> Result<(Type, Value), Failure> {
    let passed = c
        .passed(ty)
        .map_err(|error| unpassable(c, ty, &position, error))?;
    if passed == Type::Void && position != Position::Result {
        let text = format_args!("{position}: void is no type for an argument");
        return Err(Failure::value_of(&text));
    }
    let value = Value::of_type(c, ty, &passed, way);
    Ok((passed, value))
}

/// The values of a function's type, of `scope`.
fn of_function(
    c: &Declarations,
    scope: &Shared<Scope>,
    (name, symbol, ty): (Option<NameId>, Option<NameId>, TypeId),
    role: Role,
) -> Result<Declared, Failure> {
    let Some(function) = c.function_type(ty) else {
        let text = format_args!(
            "expected a prototype such as 'int abs(int)', got the type {}",
            c.show(ty)
        );
        return Err(Failure::value_of(&text));
    };
    let (ret_way, arg_way) = ways(role);
    if function.is_variadic && role == Role::Callback {
        return Err(Failure::value(
            "expected the parameters of a callback, got '...', which it could not know what it was called with",
        ));
    }
    let params = c.params(function);
    let passed = c.passed_params(function).map_err(|(index, error)| {
        let position = Position::Argument(index);
        match params.get(index) {
            Some(param) => unpassable(c, param.ty, &position, error),
            None => Failure::value_of(&error),
        }
    })?;
    let ret = typed(c, function.ret, Position::Result, ret_way)?;
    let origin = Origin::Prototype {
        scope: scope.clone(),
        ty,
        name,
        symbol,
    };
    let mut declared = Declared::new(ret, origin)?;
    for (param, passed) in params.iter().zip(passed) {
        let value = Value::of_type(c, param.ty, &passed, arg_way);
        declared.add(passed, value)?;
    }
    declared.is_open = function.is_variadic;
    declared.fixed = function.is_variadic.then_some(params.len());
    Ok(declared)
}

/// Reads a text in a namespace: in the newest one in which it makes sense if `scope` is null.
///
/// # Safety
/// * As for [`Scope::of`].
pub(crate) unsafe fn reading<R>(
    scope: *const Scope,
    mut read: impl FnMut(&Shared<Scope>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    if scope.is_null() {
        return Scope::in_newest(read);
    }
    // SAFETY: the caller vouches for it.
    let scope = unsafe { Scope::of(scope)? };
    read(&scope)
}

fn role_of(is_callback: bool) -> Role {
    match is_callback {
        true => Role::Callback,
        false => Role::Function,
    }
}

/// Gives C its reference, until `farcall_signature_release()`.
///
/// # Safety
/// * `out` points to a place for the result.
unsafe fn give(
    declared: Declared,
    role: Role,
    out: *mut *const Signature,
) -> Result<(), Failure> {
    let signature = Shared::try_new(Signature::declared(declared, role)?)?;
    // SAFETY: the caller vouches for the place.
    unsafe { out.write(signature.into_raw()) };
    Ok(())
}

/// # Safety
/// * `scope` is NULL, or a namespace that has not been released.
/// * `start` points to `len` bytes.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_prototype_new(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    is_callback: bool,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        let role = role_of(is_callback);
        // SAFETY: the caller vouches for the bytes.
        let text = unsafe { text(start, len)? };
        let read = |scope: &Shared<Scope>| {
            scope.with(|c| {
                let (name, ty) = c.prototype(text)?;
                of_function(c, scope, (name, None, ty), role)
            })
        };
        // SAFETY: the caller vouches for the namespace and the place.
        unsafe { give(reading(scope, read)?, role, out) }
    })
}

/// The signature of the function of that number in a namespace.
///
/// # Safety
/// * `scope` is a namespace that has not been released.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_declared_function_new(
    scope: *const Scope,
    index: u32,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: the caller vouches for the namespace.
        let scope = unsafe { Scope::of(scope)? };
        let declared = scope.with(|c| {
            let function = c.functions().get(index as usize);
            let function = function.ok_or_else(|| Failure::value("no such function"))?;
            let names = (Some(function.name), function.symbol, function.ty);
            of_function(c, &scope, names, Role::Function)
        })?;
        // SAFETY: the caller vouches for the place.
        unsafe { give(declared, Role::Function, out) }
    })
}

/// The signature of the functions that a pointer of a type points to.
///
/// # Safety
/// * As for [`farcall_declared_function_new`]; `ty` is one of its types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_pointed_function_new(
    scope: *const Scope,
    ty: u32,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: the caller vouches for the namespace.
        let scope = unsafe { Scope::of(scope)? };
        let declared = scope.with(|c| {
            let ty = c.type_numbered(ty);
            let ty = ty.ok_or_else(|| Failure::value("no such type"))?;
            of_function(c, &scope, (None, None, ty), Role::Callback)
        })?;
        // SAFETY: the caller vouches for the place.
        unsafe { give(declared, Role::Callback, out) }
    })
}

/// The signature of one call of a variadic function: `codes` are those of the arguments behind the named ones, each `d` or `q`.
///
/// # Safety
/// * `signature` is a prototype's, and has not been released.
/// * `start` points to `len` bytes.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_extend(
    signature: *const Signature,
    start: *const c_char,
    len: usize,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: the caller vouches for the signature and for the bytes.
        let (signature, codes) = unsafe { (&*signature, text(start, len)?) };
        let Some(parts) = signature.parts() else {
            return Err(Failure::value("expected a prototype"));
        };
        // SAFETY: the caller vouches for the place.
        unsafe { give(parts.extended(codes.as_bytes())?, Role::Function, out) }
    })
}

/// A text of C's. ORDER farcall_text
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CText {
    start: *const c_char,
    len: usize,
}

/// What one text of a list stands for: a letter, braces or a type's name.
fn source_of(c: &mut Declarations, text: &str, position: Position) -> Result<Source, Failure> {
    if text.len() <= 1 || text.starts_with('{') {
        return Ok(match Code::parse(text, position)? {
            Code::Letter(code) => Source::Letter(code),
            Code::Struct(code) => Source::Braces(code),
        });
    }
    match c.type_named(text) {
        Ok(ty) => Ok(Source::Type(ty)),
        // The port's own module looks at the first letter of a result's text.
        Err(error) => match (position, text.chars().next().and_then(TypeCode::new)) {
            (Position::Result, Some(code)) => Ok(Source::Letter(code)),
            _ => Err(Failure::value_of(&format_args!(
                "{position}: expected one type code or a C type, got '{text}'\n{error}"
            ))),
        },
    }
}

/// A signature of texts, the result's first, each a code or a type's name. Where `letters` is not NULL, the arguments are its
/// codes and there is no other text.
///
/// # Safety
/// * `texts` points to `count` texts, at least one, and each of them to its bytes; `letters` is NULL or points to such a text.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_types_new(
    texts: *const CText,
    count: usize,
    letters: *const CText,
    is_callback: bool,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        let role = role_of(is_callback);
        // SAFETY: the caller vouches for the texts.
        let texts = unsafe { std::slice::from_raw_parts(texts, count) };
        // SAFETY: as above.
        let codes = match unsafe { letters.as_ref() } {
            None => None,
            // SAFETY: as above.
            Some(letters) => {
                let letters = unsafe { text(letters.start, letters.len)? };
                Some(Codes::parse("v", letters, role)?)
            }
        };
        let declared = Scope::in_newest(|scope| {
            let mut sources = try_with_capacity(texts.len())?;
            for (index, item) in texts.iter().enumerate() {
                // SAFETY: the caller vouches for the bytes.
                let item = unsafe { text(item.start, item.len)? };
                let position = match index {
                    0 => Position::Result,
                    other => Position::Argument(other - 1),
                };
                sources.try_push(scope.with(|c| source_of(c, item, position))?)?;
            }
            let codes = codes.as_ref();
            for (index, code) in codes.iter().flat_map(|codes| codes.args.iter().enumerate()) {
                let structure = codes.and_then(|codes| codes.structure(Position::Argument(index)));
                sources.try_push(match structure {
                    Some(structure) => Source::Braces(structure.clone()),
                    None => Source::Letter(*code),
                })?;
            }
            // C's (void).
            if let [_, Source::Letter(code)] = &sources[..]
                && code.letter() == 'v'
            {
                sources.truncate(1);
            }
            if let [_, Source::Type(ty)] = sources[..]
                && scope.with(|c| is_void(c, ty))
            {
                sources.truncate(1);
            }
            let fixed = codes.and_then(|codes| codes.fixed);
            of_sources(Some(scope.clone()), sources, fixed, role)
        })?;
        // SAFETY: the caller vouches for the place.
        unsafe { give(declared, role, out) }
    })
}

fn is_void(c: &Declarations, ty: TypeId) -> bool {
    c.resolved(ty) == Ty::Basic(farcall_cdecl::c::Basic::Void)
}
