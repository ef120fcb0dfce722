//! Signatures of C types: prototypes, lists of type names, and codes with structs.

use crate::kinds::{self, all};
use crate::report::Failure;
use crate::scope::Scope;
use crate::value::{Value, Way, unpassable};
use farcall_arch::endpoint::{Delivery, ObjectCall};
use farcall_arch::{self as arch, Type};
use farcall_cdecl::c::{Declarations, NameId, TypeId};
use farcall_cdecl::{Codes, Position, Role, StructCode, TypeCode};
use farcall_memory::{OutOfMemory, Shared, TryVec, try_to_vec, try_with_capacity};

/// The source of a value's type.
#[derive(Debug)]
pub enum Source {
    Letter(TypeCode),
    Braces(StructCode),
    Type(TypeId),
}

/// The source of a signature.
#[derive(Debug)]
pub enum Origin {
    /// A function type of `scope`, with the function's name and its symbol in a library.
    Prototype {
        scope: Shared<Scope>,
        ty: TypeId,
        name: Option<NameId>,
        symbol: Option<NameId>,
    },
    /// The result, followed by the arguments.
    List {
        scope: Option<Shared<Scope>>,
        sources: Vec<Source>,
    },
    /// Another signature, extended by arguments.
    Extended(Option<Shared<Scope>>),
}

/// The values of a signature.
#[derive(Debug)]
pub struct Declared {
    /// The result, followed by the arguments.
    pub values: Vec<Value>,
    pub origin: Origin,
    ret: Type,
    args: Vec<Type>,
    /// The number of named arguments, if it is variadic.
    fixed: Option<usize>,
    /// Whether a call may have further arguments.
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

    /// The signature for the engine.
    pub fn signature(&self) -> Result<arch::Signature, Failure> {
        let args = farcall_memory::try_collect(self.args.iter().cloned())?;
        let signature = match self.fixed {
            None => arch::Signature::new(self.ret.clone(), args),
            Some(fixed) => arch::Signature::variadic(self.ret.clone(), args, fixed),
        };
        Ok(signature.map_err(farcall_cdecl::Error::from)?)
    }

    /// The conversions of a call's values for machine code, if it supports them all.
    pub fn object_call(&self) -> Result<Option<ObjectCall>, OutOfMemory> {
        let (Some(ret), false) = (kinds::boxing(self.values[0].kind), self.is_extended()) else {
            return Ok(None);
        };
        let args = all(self.values[1..]
            .iter()
            .map(|value| kinds::unbox(value.kind, value.is_signed)))?;
        Ok(args.map(|args| ObjectCall { args, ret }))
    }

    /// The conversions of a callback's arguments for machine code, if it supports them all.
    pub fn deliveries(&self) -> Result<Option<Vec<Delivery>>, OutOfMemory> {
        if !self.values[0].is_of_a_slot() {
            return Ok(None);
        }
        all(self.values[1..]
            .iter()
            .map(|value| kinds::delivery(value.kind)))
    }

    /// A stand-in for the codes. Its only use is to find whether a value is an object.
    pub fn codes(&self) -> &'static [u8; 2] {
        let object = farcall_cdecl::Kind::Object as u8;
        match self.values.iter().any(|value| value.kind == object) {
            true => b"O\0",
            false => b"v\0",
        }
    }

    /// The namespace of its types.
    pub fn scope(&self) -> Option<&Shared<Scope>> {
        match &self.origin {
            Origin::Prototype { scope, .. } => Some(scope),
            Origin::List { scope, .. } | Origin::Extended(scope) => scope.as_ref(),
        }
    }

    /// Whether a call may have further arguments.
    pub fn is_variadic(&self) -> bool {
        self.is_open
    }

    fn is_extended(&self) -> bool {
        matches!(self.origin, Origin::Extended(_))
    }

    /// The same signature without names and their namespace. It tells only how values are passed and converted.
    pub fn without_names(&self) -> Result<Declared, OutOfMemory> {
        let mut values = try_to_vec(&self.values)?;
        values.iter_mut().for_each(Value::forget_type);
        Ok(Declared {
            values,
            origin: Origin::Extended(None),
            ret: self.ret.clone(),
            args: farcall_memory::try_collect(self.args.iter().cloned())?,
            fixed: self.fixed,
            is_open: self.is_open,
        })
    }

    /// The same signature with more arguments: words, and a `double` for each `d`.
    pub fn extended(&self, codes: &[u8]) -> Result<Declared, Failure> {
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

/// The signature of codes with structs.
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

pub fn of_sources(
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

/// A value of a C type. In a list, `void` is not an argument.
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

/// The signature of a function type of `scope`.
pub fn of_function(
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
    let params = c.params(&function);
    let passed = c.passed_params(&function).map_err(|(index, error)| {
        let position = Position::Argument(index);
        match params.clone().nth(index) {
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
    declared.is_open = function.is_variadic;
    declared.fixed = function.is_variadic.then_some(params.len());
    for (param, passed) in params.zip(passed) {
        let value = Value::of_type(c, param.ty, &passed, arg_way);
        declared.add(passed, value)?;
    }
    Ok(declared)
}

/// Reads a text in a namespace. If `scope` is null, that is the newest namespace in which the text can be read. A text with braces declares its
/// own types: it is read in a new namespace first.
///
/// # Safety
/// * As for [`Scope::of`].
pub(crate) unsafe fn reading<R>(
    scope: *const Scope,
    text: Option<&str>,
    mut read: impl FnMut(&Shared<Scope>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    if scope.is_null() {
        if text.is_some_and(|text| text.contains('{'))
            && let Ok(result) = read(&Shared::try_new(Scope::new()?)?)
        {
            return Ok(result);
        }
        return Scope::in_newest(read);
    }
    // SAFETY: `scope` is NULL or a namespace that has not been released, by the contract of this function.
    let scope = unsafe { Scope::of(scope)? };
    read(&scope)
}
