//! Declarations of headers: types with their layouts, functions, variables and constants.

use crate::constant::Constant;
use crate::error::{Error, Result};
use crate::kind::{TypeKind, of_basic};
use crate::scope::Scope;
use crate::signature::Signature;
use crate::wide::StructBytes;
use farcall_arch::Type as Passed;
use farcall_cdecl::c::{self, Declarations as C, Field, NameId, Ty, TypeId};
use farcall_memory::Shared;
use farcall_memory::{try_collect_all, try_string};
use std::fmt;

/// A set of C declarations. Clones share it.
///
/// It reads preprocessed headers, and `#define` of constants. The layouts are those of this platform's compilers.
/// [`Library::function_in`](crate::Library::function_in) and [`Library::variable_in`](crate::Library::variable_in) find declared
/// functions and variables in a library.
///
/// ```
/// use farcall::{Constant, Declarations};
///
/// let c = Declarations::parse(
///     "#define LIMIT (4 * 1024)
///      enum colour { RED, GREEN = 5 };
///      struct point { double x, y; enum colour colour; unsigned visible : 1; };
///      double length(const struct point *);",
/// )?;
/// assert_eq!(c.constant("LIMIT")?, Some(Constant::Integer(4096)));
/// assert_eq!(c.constant("GREEN")?, Some(Constant::Integer(5)));
///
/// let point = c.ty("struct point")?;
/// assert_eq!((point.size(), point.align()), (Some(24), Some(8)));
/// let members = point.members()?;
/// assert_eq!(members[1].name(), Some("y"));
/// assert_eq!(members[1].offset(), 8);
/// assert_eq!(members[3].bits(), Some((0, 1)));
/// assert_eq!(c.functions()?, ["length"]);
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Declarations {
    scope: Shared<Scope>,
}

impl Declarations {
    /// A set with only C's own types and the usual names from the standard headers, such as `size_t`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// c.read("typedef short number;")?;
    /// assert_eq!(c.ty("number[3]")?.size(), Some(6));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn new() -> Result<Declarations> {
        let scope = Scope::new()?;
        Ok(Declarations { scope })
    }

    /// A set with the declarations of `text`.
    ///
    /// # Errors
    /// Those of [`Declarations::read`].
    ///
    /// ```
    /// let c = farcall::Declarations::parse("typedef struct point { int x, y; } point;")?;
    /// assert_eq!(c.ty("point")?.size(), Some(8));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Declarations> {
        let declarations = Declarations::new()?;
        declarations.read(text)?;
        Ok(declarations)
    }

    /// Adds the declarations of `text`. All clones see them.
    ///
    /// # Errors
    /// [`Error::Declaration`](crate::Error::Declaration) with the place in the text, and
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory). Nothing of the text is added then.
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// c.read("struct point { int x, y; };")?;
    /// assert!(c.read("int good(void); int bad(").is_err());
    /// assert_eq!(c.functions()?, [""; 0]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn read(&self, text: &str) -> Result<()> {
        Ok(self.scope.with(|c| c.read(text))?)
    }

    /// The type that C text names: `"struct tm"`, `"const char *"`, `"int [4]"`.
    ///
    /// # Errors
    /// As for [`Declarations::read`].
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// assert_eq!(c.ty("const char *[4]")?.size(), Some(32));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn ty(&self, name: &str) -> Result<Type> {
        let id = self.scope.with(|c| c.type_named(name))?;
        Ok(self.of(id))
    }

    /// The signature of a declared function, by its name, or of a prototype that uses the declared types.
    ///
    /// # Errors
    /// [`Error::NotDeclared`](crate::Error::NotDeclared); those of [`Signature::declared`].
    ///
    /// ```
    /// use farcall::{Callback, Declarations, StructBytes};
    ///
    /// let c = Declarations::parse("struct pair { int a, b; }; int sum(struct pair);")?;
    /// assert_eq!(c.signature("sum")?.to_string(), "int sum(struct pair)");
    /// assert_eq!(c.signature("struct pair (*)(int)")?.len(), 1);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn signature(&self, declaration: &str) -> Result<Signature> {
        Signature::declared_in(&self.scope, declaration)
    }

    /// The constant called `name`, from an enumeration or a `#define`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// use farcall::{Constant, Declarations};
    ///
    /// let c = Declarations::parse("enum { LIMIT = 1 << 10 };")?;
    /// assert_eq!(c.constant("LIMIT")?, Some(Constant::Integer(1024)));
    /// assert_eq!(c.constant("OTHER")?, None);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn constant(&self, name: &str) -> Result<Option<Constant>> {
        Ok(self
            .scope
            .with(|c| c.constant(name).map(Constant::of).transpose())?)
    }

    /// The names of all functions, in the order of their declarations.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// let c = farcall::Declarations::parse("int puts(const char *); int getchar(void);")?;
    /// assert_eq!(c.functions()?, ["puts", "getchar"]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn functions(&self) -> Result<Vec<String>> {
        self.scope
            .with(|c| names(c, c.functions().map(|function| function.name)))
    }

    /// The names of all variables, in the order of their declarations.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// let c = farcall::Declarations::parse("extern int optind; extern char *optarg;")?;
    /// assert_eq!(c.variables()?, ["optind", "optarg"]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn variables(&self) -> Result<Vec<String>> {
        self.scope
            .with(|c| names(c, c.variables().map(|variable| variable.name)))
    }

    /// All constants with their names, in the order of their declarations.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// use farcall::{Constant, Declarations};
    ///
    /// let c = Declarations::parse("enum { ONE = 1 };\n#define NAME \"n\"\n")?;
    /// let constants = c.constants()?;
    /// assert_eq!(constants[0], ("ONE".to_owned(), Constant::Integer(1)));
    /// assert_eq!(constants[1], ("NAME".to_owned(), Constant::Text(b"n".to_vec())));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn constants(&self) -> Result<Vec<(String, Constant)>> {
        self.scope.with(|c| {
            let copied = |(name, value)| Ok((try_string(c.name(name))?, Constant::of(value)?));
            try_collect_all(c.constants().map(copied))
        })
    }

    pub(crate) fn scope(&self) -> &Shared<Scope> {
        &self.scope
    }

    fn of(&self, id: TypeId) -> Type {
        Type {
            scope: self.scope.clone(),
            id,
        }
    }
}

fn names(c: &C, names: impl Iterator<Item = NameId>) -> Result<Vec<String>> {
    try_collect_all(names.map(|name| Ok(try_string(c.name(name))?)))
}

/// A C type. `Display` shows it in C syntax. Clones share the data.
///
/// ```
/// use farcall::{Declarations, TypeKind};
///
/// let c = Declarations::parse("union number { int i; float f[2]; };")?;
/// let number = c.ty("union number")?;
/// assert_eq!(number.to_string(), "union number");
/// assert_eq!(number.kind(), TypeKind::Union);
/// let members = number.members()?;
/// let floats = members[1].ty();
/// assert_eq!(floats.to_string(), "float[2]");
/// assert_eq!((floats.kind(), floats.len()), (TypeKind::Array, Some(2)));
/// assert_eq!(floats.target().map(|element| element.kind()), Some(TypeKind::Float));
/// assert_eq!(c.ty("void")?.size(), None);
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone)]
pub struct Type {
    scope: Shared<Scope>,
    id: TypeId,
}

impl Type {
    /// The size in bytes, as `sizeof` gives it; `None` for `void`, a function, or a structure that is declared but not defined.
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// assert_eq!(c.ty("double [2]")?.size(), Some(16));
    /// assert_eq!(c.ty("struct later")?.size(), None);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn size(&self) -> Option<u64> {
        self.layout().map(|layout| layout.size)
    }

    /// The alignment in bytes, as `_Alignof` gives it; `None` for a type without a size.
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// assert_eq!(c.ty("short [3]")?.align(), Some(2));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn align(&self) -> Option<u32> {
        self.layout().map(|layout| layout.align)
    }

    /// A value of this type, a structure or a union, from a copy of its bytes. It can also be passed after the `...` of a prototype.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for other types, for a wrong number of bytes, and for a type that cannot be passed, such as a
    /// structure that compilers pass in different ways; [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// let c = farcall::Declarations::parse("struct pair { short a, b; };")?;
    /// let pair = c.ty("struct pair")?.value(&[1, 0, 2, 0])?;
    /// assert_eq!(pair[2], 2);
    /// let error = c.ty("struct pair")?.value(&[1]).unwrap_err().to_string();
    /// assert_eq!(error, "struct pair: expected 4 bytes, got 1");
    /// assert!(c.ty("int")?.value(&[0; 4]).is_err());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn value(&self, bytes: &[u8]) -> Result<StructBytes> {
        let wrong = |wanted: fmt::Arguments, got: fmt::Arguments| {
            let place = self.scope.show(self.id, "")?;
            Err(Error::mismatch(format_args!("{place}"), wanted, got))
        };
        match self.scope.with(|c| c.passed(self.id)) {
            Ok(ty @ Passed::Struct(_)) if ty.size() as usize == bytes.len() => {
                Ok(StructBytes::of_type(bytes, ty)?)
            }
            Ok(ty @ Passed::Struct(_)) => wrong(
                format_args!("{} bytes", ty.size()),
                format_args!("{}", bytes.len()),
            ),
            Ok(_) => wrong(
                format_args!("a structure or a union"),
                format_args!("another type"),
            ),
            Err(c::Unpassable::OutOfMemory(none)) => Err(none.into()),
            Err(reason) => wrong(
                format_args!("a type that can be passed"),
                format_args!("one of which {reason}"),
            ),
        }
    }

    fn layout(&self) -> Option<c::Layout> {
        self.scope.with(|c| c.layout(self.id))
    }

    /// The kind of the type.
    ///
    /// ```
    /// use farcall::{Declarations, TypeKind};
    ///
    /// let c = Declarations::parse("typedef unsigned char byte;")?;
    /// assert_eq!(c.ty("byte")?.kind(), TypeKind::Integer);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn kind(&self) -> TypeKind {
        self.scope.with(|c| match c.resolved(self.id) {
            Ty::Basic(basic) => of_basic(basic),
            Ty::Pointer { .. } => TypeKind::Pointer,
            Ty::Array { .. } => TypeKind::Array,
            Ty::Function(_) => TypeKind::Function,
            Ty::Record(_) => match c.record(self.id) {
                Some(record) if record.is_union => TypeKind::Union,
                _ => TypeKind::Struct,
            },
            Ty::Enum(_) => TypeKind::Enum,
            _ => TypeKind::Other,
        })
    }

    /// The type that a pointer points to, or the type of an array's elements.
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// let target = c.ty("const char **")?.target();
    /// assert_eq!(target.map(|ty| ty.to_string()).as_deref(), Some("const char *"));
    /// assert!(c.ty("int")?.target().is_none());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn target(&self) -> Option<Type> {
        let id = self.scope.with(|c| match c.resolved(self.id) {
            Ty::Pointer { to, .. } => Some(to),
            Ty::Array { of, .. } => Some(of),
            _ => None,
        })?;
        Some(Type {
            scope: self.scope.clone(),
            id,
        })
    }

    /// The number of elements of an array; `None` for other types, and for an array without a length.
    ///
    /// ```
    /// let c = farcall::Declarations::new()?;
    /// assert_eq!(c.ty("int [4]")?.len(), Some(4));
    /// assert_eq!(c.ty("int")?.len(), None);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "a type is no collection")]
    pub fn len(&self) -> Option<u64> {
        self.scope.with(|c| match c.resolved(self.id) {
            Ty::Array { len, .. } => len,
            _ => None,
        })
    }

    /// The members of a structure or a union, in their order; empty for other types, and for a structure that is declared but not defined.
    /// An anonymous structure is one member without a name; its type has its members.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// let c = farcall::Declarations::parse("struct point { int x, y; };")?;
    /// let members = c.ty("struct point")?.members()?;
    /// assert_eq!((members.len(), members[1].offset()), (2, 4));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn members(&self) -> Result<Vec<Member>> {
        self.scope.with(|c| {
            let record = c.record(self.id);
            let fields = record.and_then(|record| c.fields(record));
            let fields = fields.unwrap_or_default().iter();
            try_collect_all(fields.map(|field| self.member(c, field)))
        })
    }

    /// The enumerators of an enumeration with their values, in their order; empty for other types.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// ```
    /// let c = farcall::Declarations::parse("enum colour { RED, GREEN = 5 };")?;
    /// let enumerators = c.ty("enum colour")?.enumerators()?;
    /// assert_eq!(enumerators, [("RED".to_owned(), 0), ("GREEN".to_owned(), 5)]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn enumerators(&self) -> Result<Vec<(String, i128)>> {
        self.scope.with(|c| {
            let Some(enumeration) = c.enumeration(self.id) else {
                return Ok(Vec::new());
            };
            let enumerators = c.enumerators(enumeration);
            // All of them are integers.
            let integers = enumerators.filter_map(|(name, value)| match value {
                c::Constant::Integer(value) => Some((name, value)),
                _ => None,
            });
            try_collect_all(integers.map(|(name, value)| Ok((try_string(c.name(name))?, value))))
        })
    }

    fn member(&self, c: &C, field: &Field) -> Result<Member> {
        let name = field.name.map(|name| try_string(c.name(name)));
        Ok(Member {
            name: name.transpose()?,
            ty: Type {
                scope: self.scope.clone(),
                id: field.ty,
            },
            offset: field.offset(),
            bits: field.bits(),
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is made first: the formatter may run the user's code, which must not run under a lock.
        match self.scope.show(self.id, "") {
            Ok(text) => f.write_str(&text),
            Err(none) => none.fmt(f),
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Type({self})")
    }
}

/// A member of a structure or a union.
///
/// ```
/// let c = farcall::Declarations::parse("struct header { unsigned char kind; unsigned short a : 3, b : 9; };")?;
/// let members = c.ty("struct header")?.members()?;
/// assert_eq!(members[0].name(), Some("kind"));
/// assert_eq!((members[0].offset(), members[0].bits()), (0, None));
/// assert_eq!(members[2].ty().to_string(), "unsigned short");
/// assert_eq!(members[2].bits().map(|(_, count)| count), Some(9));
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Member {
    name: Option<String>,
    ty: Type,
    offset: u64,
    bits: Option<(u8, u8)>,
}

impl Member {
    /// The member's name; `None` for an anonymous structure or union.
    ///
    /// ```
    /// let c = farcall::Declarations::parse("struct point { int x; double y; };")?;
    /// let members = c.ty("struct point")?.members()?;
    /// assert_eq!(members[1].name(), Some("y"));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The member's type; for a bit-field, its declared type.
    ///
    /// ```
    /// let c = farcall::Declarations::parse("struct point { int x; double y; };")?;
    /// let members = c.ty("struct point")?.members()?;
    /// assert_eq!(members[0].ty().to_string(), "int");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// The offset from the start of the structure, in bytes; for a bit-field, that of the byte in which it begins.
    ///
    /// ```
    /// let c = farcall::Declarations::parse("struct point { int x; double y; };")?;
    /// let members = c.ty("struct point")?.members()?;
    /// assert_eq!(members[1].offset(), 8);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// A bit-field's first bit, counted from the lowest bit of the byte at [`Member::offset`], and its width in bits; `None` for other members.
    ///
    /// ```
    /// let c = farcall::Declarations::parse("struct flags { unsigned a : 3, b : 5; };")?;
    /// let members = c.ty("struct flags")?.members()?;
    /// assert_eq!(members[1].bits(), Some((3, 5)));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn bits(&self) -> Option<(u8, u8)> {
        self.bits
    }
}
