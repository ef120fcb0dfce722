//! The set of everything that was declared.

use super::constant::{Constant, Width};
use super::constants::{Constants, ConstantsMark};
use super::derived::Derived;
use super::names::{NameId, Names};
use super::packed::{Params, Types, TypesMark};
use super::platform::Platform;
use super::types::{Basic, Enum, Field, FunctionType, Record, Ty, TypeId};
use farcall_memory::{OutOfMemory, TryVec};

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: NameId,
    /// Its symbol in a library, if `__asm__` gives it another name there.
    pub symbol: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
    /// The type of its result.
    pub ret: TypeId,
}

/// A variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: NameId,
    /// Its symbol in a library, if `__asm__` gives it another name there.
    pub symbol: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
}

/// The meaning of an ordinary identifier, which is not a tag (C11 6.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Type(TypeId),
    Function(u32),
    Variable(u32),
    /// A constant of an enumeration.
    Constant(u32),
    /// A constant of a `#define`.
    Macro(u32),
}

/// The number of low bits of a word that hold the kind of the meaning.
const MEANING_BITS: u32 = 3;

impl Meaning {
    /// The meaning as a word, which is never 0.
    fn word(self) -> u32 {
        let (sort, number) = match self {
            Meaning::Type(ty) => (1, ty.number()),
            Meaning::Function(index) => (2, index),
            Meaning::Variable(index) => (3, index),
            Meaning::Constant(index) => (4, index),
            Meaning::Macro(index) => (5, index),
        };
        number << MEANING_BITS | sort
    }

    fn of(word: u32) -> Option<Meaning> {
        let number = word >> MEANING_BITS;
        Some(match word & ((1 << MEANING_BITS) - 1) {
            1 => Meaning::Type(TypeId::new(number)),
            2 => Meaning::Function(number),
            3 => Meaning::Variable(number),
            4 => Meaning::Constant(number),
            5 => Meaning::Macro(number),
            _ => return None,
        })
    }
}

/// A stored function or variable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    name: NameId,
    /// The number of its type; if it has another name in libraries, the index of its row in [`Declarations::renamed`].
    what: u32,
}

/// The bit for a function or variable with another name in libraries.
const IS_RENAMED: u32 = 1 << 31;

/// The sizes of all tables at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub names: usize,
    pub types: TypesMark,
    pub records: usize,
    pub fields: usize,
    pub by_name: usize,
    pub enums: usize,
    pub functions: usize,
    pub variables: usize,
    pub renamed: usize,
    pub constants: ConstantsMark,
    pub changes: usize,
}

/// A value before a text changed it.
#[derive(Debug)]
pub(super) enum Change {
    Meaning(NameId, u32),
    Record(u32, Record),
    Enum(u32, Enum),
    Function(u32, Entry),
    Variable(u32, Entry),
}

/// The data for undoing the effects of a text.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub mark: Option<Mark>,
    pub changes: Vec<Change>,
}

/// The declarations of texts, for one platform.
#[derive(Debug)]
pub struct Declarations {
    pub(super) platform: Platform,
    pub(super) names: Names,
    pub(super) types: Types,
    pub(super) derived: Derived,
    pub(super) records: Vec<Record>,
    pub(super) fields: Vec<Field>,
    /// For structures with many fields, the fields sorted by name: indices from the first field on.
    pub(super) by_name: Vec<u32>,
    pub(super) enums: Vec<Enum>,
    pub(super) functions: Vec<Entry>,
    pub(super) variables: Vec<Entry>,
    /// The types of functions and variables that have other names in libraries, and those names.
    pub(super) renamed: Vec<(TypeId, NameId)>,
    pub(super) constants: Constants,
    pub(super) journal: Journal,
}

impl Declarations {
    /// A set with only C's own types.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(platform: Platform) -> std::result::Result<Declarations, OutOfMemory> {
        let mut types = Types::default();
        for basic in Basic::ALL {
            types.push(Ty::Basic(basic), 0)?;
        }
        Ok(Declarations {
            platform,
            names: Names::default(),
            types,
            derived: Derived::default(),
            records: Vec::new(),
            fields: Vec::new(),
            by_name: Vec::new(),
            enums: Vec::new(),
            functions: Vec::new(),
            variables: Vec::new(),
            renamed: Vec::new(),
            constants: Constants::default(),
            journal: Journal::default(),
        })
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The text of a name.
    pub fn name(&self, name: NameId) -> &str {
        self.names.get(name)
    }

    /// The functions, in the order of their declarations.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function> {
        self.functions.iter().map(|entry| self.function_of(entry))
    }

    fn function_of(&self, entry: &Entry) -> Function {
        let Variable { name, symbol, ty } = self.variable_of(entry);
        // A declared function always has a function type.
        let ret = self.function_type(ty).map_or(ty, |function| function.ret);
        Function {
            name,
            symbol,
            ty,
            ret,
        }
    }

    /// The function with the number `index`.
    pub fn function_numbered(&self, index: u32) -> Option<Function> {
        let entry = self.functions.get(index as usize)?;
        Some(self.function_of(entry))
    }

    /// The function called `name`.
    pub fn function(&self, name: &str) -> Option<Function> {
        self.function_numbered(self.function_index(name)?)
    }

    /// The number of the function called `name`.
    pub fn function_index(&self, name: &str) -> Option<u32> {
        match self.meaning(name)? {
            Meaning::Function(index) => Some(index),
            _ => None,
        }
    }

    /// The variables, in the order of their declarations.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = Variable> {
        self.variables.iter().map(|entry| self.variable_of(entry))
    }

    fn variable_of(&self, entry: &Entry) -> Variable {
        let (ty, symbol) = match entry.what & IS_RENAMED {
            0 => (TypeId::new(entry.what), None),
            _ => {
                let (ty, symbol) = self.renamed[(entry.what & !IS_RENAMED) as usize];
                (ty, Some(symbol))
            }
        };
        let name = entry.name;
        Variable { name, symbol, ty }
    }

    /// The variable with the number `index`.
    pub fn variable_numbered(&self, index: u32) -> Option<Variable> {
        let entry = self.variables.get(index as usize)?;
        Some(self.variable_of(entry))
    }

    /// The variable called `name`.
    pub fn variable(&self, name: &str) -> Option<Variable> {
        self.variable_numbered(self.variable_index(name)?)
    }

    /// The number of the variable called `name`.
    pub fn variable_index(&self, name: &str) -> Option<u32> {
        match self.meaning(name)? {
            Meaning::Variable(index) => Some(index),
            _ => None,
        }
    }

    /// The constants of enumerations and of `#define`, except for those that `#undef` removed.
    pub fn constants(&self) -> impl Iterator<Item = (NameId, Constant<'_>)> {
        (0..self.constants.len() as u32).filter_map(|index| {
            let (name, value, _) = self.constants.get(index);
            let meaning = self.meaning_of(name)?;
            let is_meant = meaning == Meaning::Constant(index) || meaning == Meaning::Macro(index);
            is_meant.then_some((name, value))
        })
    }

    /// The constant called `name`.
    pub fn constant(&self, name: &str) -> Option<Constant<'_>> {
        match self.meaning(name)? {
            Meaning::Constant(index) | Meaning::Macro(index) => Some(self.constants.get(index).1),
            _ => None,
        }
    }

    /// The typedef called `name`, or a type that the platform knows without a declaration.
    pub fn typedef(&self, name: &str) -> Option<TypeId> {
        match self.meaning(name) {
            Some(Meaning::Type(ty)) => Some(ty),
            Some(_) => None,
            None => self.platform.known(name).map(Declarations::basic),
        }
    }

    /// All types, with their numbers.
    fn all_types(&self) -> impl Iterator<Item = (TypeId, Ty)> {
        let ids = (0..self.types.len() as u32).map(TypeId::new);
        ids.map(|id| (id, self.get(id)))
    }

    /// The names of all typedefs, and their types.
    pub fn typedefs(&self) -> impl Iterator<Item = (NameId, TypeId)> {
        self.all_types().filter_map(|(id, ty)| match ty {
            Ty::Alias { name, .. } if self.meaning_of(name) == Some(Meaning::Type(id)) => {
                Some((name, id))
            }
            _ => None,
        })
    }

    /// All tags, and their types.
    pub fn tags(&self) -> impl Iterator<Item = (NameId, TypeId)> {
        self.all_types().filter_map(|(id, ty)| match ty {
            Ty::Record(index) => Some((self.records[index as usize].tag?, id)),
            Ty::Enum(index) => Some((self.enums[index as usize].tag?, id)),
            _ => None,
        })
    }

    fn meaning(&self, name: &str) -> Option<Meaning> {
        self.meaning_of(self.names.find(name)?)
    }

    /// The meaning of an ordinary identifier.
    pub(super) fn meaning_of(&self, name: NameId) -> Option<Meaning> {
        Meaning::of(self.names.meaning(name))
    }

    pub(super) fn set_meaning(
        &mut self,
        name: NameId,
        meaning: Option<Meaning>,
    ) -> std::result::Result<(), OutOfMemory> {
        self.note_meaning(name)?;
        let word = meaning.map_or(0, Meaning::word);
        self.names.set_meaning(name, word);
        Ok(())
    }

    /// Makes the stored form of a function or variable.
    pub(super) fn entry(
        &mut self,
        name: NameId,
        ty: TypeId,
        symbol: Option<NameId>,
    ) -> std::result::Result<Entry, OutOfMemory> {
        let what = match symbol {
            None => ty.number(),
            Some(symbol) => {
                self.renamed.try_push((ty, symbol))?;
                (self.renamed.len() as u32 - 1) | IS_RENAMED
            }
        };
        Ok(Entry { name, what })
    }

    /// The type with a number, if there is one.
    pub fn type_numbered(&self, number: u32) -> Option<TypeId> {
        ((number as usize) < self.types.len()).then_some(TypeId::new(number))
    }

    /// The content of a type.
    pub fn get(&self, ty: TypeId) -> Ty {
        self.types.get(ty)
    }

    /// The content of a type, with typedefs resolved.
    pub fn resolved(&self, ty: TypeId) -> Ty {
        match self.get(ty) {
            // A typedef never refers to another typedef.
            Ty::Alias { of, .. } => self.get(of),
            other => other,
        }
    }

    /// One of C's own types.
    pub(super) fn basic(basic: Basic) -> TypeId {
        TypeId::new(basic as u32)
    }

    /// The number of nested pointers, arrays and functions in a type.
    pub(super) fn depth_of(&self, ty: Ty) -> u8 {
        match ty {
            Ty::Pointer { to, .. } => self.depth(to).saturating_add(1),
            Ty::Array { of, .. } | Ty::Vector { of, .. } => self.depth(of).saturating_add(1),
            Ty::Function(place) => {
                let ret = self.types.function(place).ret;
                self.depth(ret).saturating_add(1)
            }
            // A typedef's name hides the nesting within it; but the size of an array is computed from its elements.
            Ty::Alias { of, .. } if matches!(self.get(of), Ty::Array { .. }) => self.depth(of),
            _ => 0,
        }
    }

    pub(super) fn depth(&self, ty: TypeId) -> u8 {
        self.types.depth(ty)
    }

    /// The depth of nested structures in a type.
    pub(super) fn nesting(&self, ty: TypeId) -> u8 {
        match self.resolved(ty) {
            Ty::Record(index) => self.records[index as usize].depth,
            Ty::Array { of, .. } => self.nesting(of),
            _ => 0,
        }
    }

    /// The type with typedefs resolved, and the alignment that the typedefs ask for.
    pub(super) fn behind_names(&self, ty: TypeId) -> (TypeId, u32) {
        match self.get(ty) {
            Ty::Alias { of, align, .. } => (of, align),
            _ => (ty, 0),
        }
    }

    /// The function type of a type: the type itself, or its target if it is a pointer.
    pub fn function_type(&self, ty: TypeId) -> Option<FunctionType> {
        let ty = match self.resolved(ty) {
            Ty::Pointer { to, .. } => self.resolved(to),
            other => other,
        };
        match ty {
            Ty::Function(place) => Some(self.types.function(place)),
            _ => None,
        }
    }

    /// The parameters of a function type.
    pub fn params(&self, function: &FunctionType) -> Params<'_> {
        self.types.params(function)
    }

    /// The structure or union of a type, with typedefs resolved.
    pub fn record(&self, ty: TypeId) -> Option<&Record> {
        match self.resolved(ty) {
            Ty::Record(index) => self.records.get(index as usize),
            _ => None,
        }
    }

    /// The members of a structure; `None` until it is defined.
    pub fn fields(&self, record: &Record) -> Option<&[Field]> {
        let range = record.fields.start as usize..record.fields.end as usize;
        record.is_complete().then(|| &self.fields[range])
    }

    /// The constants of an enumeration: their names and values.
    pub fn enumerators(&self, enumeration: &Enum) -> impl Iterator<Item = (NameId, Constant<'_>)> {
        enumeration.constants.clone().map(|index| {
            let (name, value, _) = self.constants.get(index);
            (name, value)
        })
    }

    /// The enumeration of a type, with typedefs resolved.
    pub fn enumeration(&self, ty: TypeId) -> Option<&Enum> {
        match self.resolved(ty) {
            Ty::Enum(index) => self.enums.get(index as usize),
            _ => None,
        }
    }

    /// The width and the sign of an integer type.
    pub(super) fn width(&self, basic: Basic) -> Width {
        use Basic::*;
        let bits = match basic {
            Bool => 1,
            Char | SChar | UChar => 8,
            Short | UShort => 16,
            Long | ULong => self.platform.long * 8,
            LongLong | ULongLong => 64,
            Int128 | UInt128 => 128,
            _ => 32,
        };
        let is_signed = match basic {
            Char => self.platform.char_is_signed,
            SChar | Short | Int | Long | LongLong | Int128 => true,
            _ => false,
        };
        Width { bits, is_signed }
    }

    /// The integer type of a type, if it is one. For an enumeration, this is its compatible type.
    pub(super) fn integer(&self, ty: TypeId) -> Option<Basic> {
        match self.resolved(ty) {
            Ty::Basic(basic) if basic.is_integer() => Some(basic),
            Ty::Enum(index) => self.enums.get(index as usize)?.ty,
            _ => None,
        }
    }
}
