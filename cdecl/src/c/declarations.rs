//! What has been declared.

use super::constant::{Constant, Width};
use super::derived::{Derived, is_derived};
use super::names::{NameId, Names};
use super::platform::Platform;
use super::types::{Basic, Enum, Field, FunctionType, Param, Record, Ty, TypeId};
use farcall_memory::{OutOfMemory, TryVec};

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: NameId,
    /// The name that it has in a library, where `__asm__` gives another.
    pub symbol: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
    /// The type of its result.
    pub ret: TypeId,
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: NameId,
    /// The name that it has in a library, where `__asm__` gives another.
    pub symbol: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
}

/// What a name means where no tag is due (C11 6.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Type(TypeId),
    Function(u32),
    Variable(u32),
    /// Of an enumeration.
    Constant(u32),
    /// Of a `#define`.
    Macro(u32),
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub ordinary: Option<Meaning>,
    pub tag: Option<TypeId>,
}

/// How much of everything there was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub names: usize,
    pub types: usize,
    pub function_types: usize,
    pub params: usize,
    pub records: usize,
    pub fields: usize,
    pub enums: usize,
    pub functions: usize,
    pub variables: usize,
    pub constants: usize,
    pub changes: usize,
}

/// What was there before a text changed it.
#[derive(Debug)]
pub(super) enum Change {
    Known(NameId, Known),
    Record(u32, Record),
    Enum(u32, Enum),
    Function(u32, Function),
    Variable(u32, Variable),
}

/// What is needed to take back a text.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub mark: Option<Mark>,
    pub changes: Vec<Change>,
}

/// All that texts have declared, for one platform.
#[derive(Debug)]
pub struct Declarations {
    pub(super) platform: Platform,
    pub(super) names: Names,
    /// By the names' numbers; names that are beyond its end mean nothing yet.
    pub(super) known: Vec<Known>,
    pub(super) types: Vec<Ty>,
    /// Of how many of these each one consists, one within the other: whoever follows them must come to an end.
    pub(super) depths: Vec<u8>,
    pub(super) derived: Derived,
    pub(super) function_types: Vec<FunctionType>,
    pub(super) params: Vec<Param>,
    pub(super) records: Vec<Record>,
    pub(super) fields: Vec<Field>,
    /// Beside each structure's fields, the same ones by their names: numbers from the first one's on.
    pub(super) by_name: Vec<u32>,
    pub(super) enums: Vec<Enum>,
    pub(super) functions: Vec<Function>,
    pub(super) variables: Vec<Variable>,
    pub(super) constants: Vec<(NameId, Constant, Option<Basic>)>,
    pub(super) journal: Journal,
}

impl Declarations {
    /// Nothing but the types that C has by itself.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(platform: Platform) -> std::result::Result<Declarations, OutOfMemory> {
        let mut types = Vec::new();
        types.try_extend(Basic::ALL.into_iter().map(Ty::Basic))?;
        let mut depths = Vec::new();
        depths.try_resize(types.len(), 0)?;
        Ok(Declarations {
            platform,
            names: Names::default(),
            known: Vec::new(),
            types,
            depths,
            derived: Derived::default(),
            function_types: Vec::new(),
            params: Vec::new(),
            records: Vec::new(),
            fields: Vec::new(),
            by_name: Vec::new(),
            enums: Vec::new(),
            functions: Vec::new(),
            variables: Vec::new(),
            constants: Vec::new(),
            journal: Journal::default(),
        })
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// A name's text.
    pub fn name(&self, name: NameId) -> &str {
        self.names.get(name)
    }

    /// The functions, in the order of their declarations.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(self.function_index(name)? as usize)
    }

    /// Which of the functions has that name.
    pub fn function_index(&self, name: &str) -> Option<u32> {
        match self.meaning(name)? {
            Meaning::Function(index) => Some(index),
            _ => None,
        }
    }

    /// The variables, in the order of their declarations.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variable of that name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.get(self.variable_index(name)? as usize)
    }

    /// Which of the variables has that name.
    pub fn variable_index(&self, name: &str) -> Option<u32> {
        match self.meaning(name)? {
            Meaning::Variable(index) => Some(index),
            _ => None,
        }
    }

    /// The constants: those of enumerations and of `#define`, unless `#undef` has taken them back.
    pub fn constants(&self) -> impl Iterator<Item = (NameId, &Constant)> {
        let numbered = self.constants.iter().zip(0..);
        numbered.filter_map(|((name, value, _), index)| {
            let meaning = self.known_of(*name).ordinary?;
            let is_meant = meaning == Meaning::Constant(index) || meaning == Meaning::Macro(index);
            is_meant.then_some((*name, value))
        })
    }

    /// The constant of that name.
    pub fn constant(&self, name: &str) -> Option<&Constant> {
        match self.meaning(name)? {
            Meaning::Constant(index) | Meaning::Macro(index) => {
                Some(&self.constants.get(index as usize)?.1)
            }
            _ => None,
        }
    }

    /// The typedef of that name, or a type that is known on the platform without anybody's declaring it.
    pub fn typedef(&self, name: &str) -> Option<TypeId> {
        match self.meaning(name) {
            Some(Meaning::Type(ty)) => Some(ty),
            Some(_) => None,
            None => self.platform.known(name).map(Declarations::basic),
        }
    }

    /// The names of all typedefs, and their types.
    pub fn typedefs(&self) -> impl Iterator<Item = (NameId, TypeId)> {
        let numbered = self.known.iter().zip(0..);
        numbered.filter_map(|(known, number)| match known.ordinary {
            Some(Meaning::Type(ty)) => Some((NameId::new(number), ty)),
            _ => None,
        })
    }

    /// All tags, and their types.
    pub fn tags(&self) -> impl Iterator<Item = (NameId, TypeId)> {
        let numbered = self.known.iter().zip(0..);
        numbered.filter_map(|(known, number)| Some((NameId::new(number), known.tag?)))
    }

    fn meaning(&self, name: &str) -> Option<Meaning> {
        self.known_of(self.names.find(name)?).ordinary
    }

    pub(super) fn known_of(&self, name: NameId) -> Known {
        let known = self.known.get(name.index());
        known.copied().unwrap_or_default()
    }

    pub(super) fn known_mut(
        &mut self,
        name: NameId,
    ) -> std::result::Result<&mut Known, OutOfMemory> {
        if self.known.len() <= name.index() {
            self.known.try_resize(self.names.len(), Known::default())?;
        }
        self.note_known(name)?;
        Ok(&mut self.known[name.index()])
    }

    /// The type with a number, if there is one.
    pub fn type_numbered(&self, number: u32) -> Option<TypeId> {
        ((number as usize) < self.types.len()).then_some(TypeId::new(number))
    }

    /// What a type is.
    pub fn get(&self, ty: TypeId) -> Ty {
        self.types[ty.index()]
    }

    /// What a type is, behind the names that it was given.
    pub fn resolved(&self, ty: TypeId) -> Ty {
        match self.get(ty) {
            // No name stands for a name.
            Ty::Alias { of, .. } => self.get(of),
            other => other,
        }
    }

    /// One of C's own types.
    pub(super) fn basic(basic: Basic) -> TypeId {
        TypeId::new(basic as u32)
    }

    /// Of how many pointers, arrays and functions a type consists.
    pub(super) fn depth_of(&self, ty: Ty) -> u8 {
        match ty {
            Ty::Pointer { to, .. } => self.depth(to).saturating_add(1),
            Ty::Array { of, .. } | Ty::Vector { of, .. } => self.depth(of).saturating_add(1),
            Ty::Function(index) => {
                let ret = self.function_types[index as usize].ret;
                self.depth(ret).saturating_add(1)
            }
            // A name is written instead of what it stands for; but an array is looked into for its size.
            Ty::Alias { of, .. } if matches!(self.get(of), Ty::Array { .. }) => self.depth(of),
            _ => 0,
        }
    }

    /// A type, which is the one that there is where one with this content may be.
    pub(super) fn add_type(&mut self, ty: Ty) -> Result<TypeId, OutOfMemory> {
        if let Some(known) = self.derived.find(&self.types, &ty) {
            return Ok(known);
        }
        let depth = self.depth_of(ty);
        if is_derived(&ty) {
            self.derived.reserve(&self.types)?;
        }
        self.depths.try_reserve(1)?;
        self.types.try_push(ty)?;
        self.depths.push(depth);
        self.derived.add_last(&self.types);
        Ok(TypeId::new(self.types.len() as u32 - 1))
    }

    pub(super) fn depth(&self, ty: TypeId) -> u8 {
        self.depths[ty.index()]
    }

    /// How deep structures are nested in a type.
    pub(super) fn nesting(&self, ty: TypeId) -> u8 {
        match self.resolved(ty) {
            Ty::Record(index) => self.records[index as usize].depth,
            Ty::Array { of, .. } => self.nesting(of),
            _ => 0,
        }
    }

    /// What a type is a name of in the end, and the alignment that the names ask for.
    pub(super) fn behind_names(&self, ty: TypeId) -> (TypeId, u32) {
        match self.get(ty) {
            Ty::Alias { of, align, .. } => (of, align),
            _ => (ty, 0),
        }
    }

    /// The function type behind a type: itself, or what it points to.
    pub fn function_type(&self, ty: TypeId) -> Option<&FunctionType> {
        match self.resolved(ty) {
            Ty::Function(index) => self.function_types.get(index as usize),
            Ty::Pointer { to, .. } => match self.resolved(to) {
                Ty::Function(index) => self.function_types.get(index as usize),
                _ => None,
            },
            _ => None,
        }
    }

    /// The parameters of a function type.
    pub fn params(&self, function: &FunctionType) -> &[Param] {
        &self.params[function.params.start as usize..function.params.end as usize]
    }

    /// The structure or the union behind a type.
    pub fn record(&self, ty: TypeId) -> Option<&Record> {
        match self.resolved(ty) {
            Ty::Record(index) => self.records.get(index as usize),
            _ => None,
        }
    }

    /// The members of a structure; `None` while it is only announced.
    pub fn fields(&self, record: &Record) -> Option<&[Field]> {
        let range = record.fields.as_ref()?;
        Some(&self.fields[range.start as usize..range.end as usize])
    }

    /// The names of an enumeration's constants, and their values.
    pub fn enumerators(&self, enumeration: &Enum) -> impl Iterator<Item = (NameId, &Constant)> {
        let range = enumeration.constants.start as usize..enumeration.constants.end as usize;
        let constants = self.constants[range].iter();
        constants.map(|(name, value, _)| (*name, value))
    }

    /// The enumeration behind a type.
    pub fn enumeration(&self, ty: TypeId) -> Option<&Enum> {
        match self.resolved(ty) {
            Ty::Enum(index) => self.enums.get(index as usize),
            _ => None,
        }
    }

    /// Bits and sign of an integer type.
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

    /// The integer type of a type, if it is one: an enumeration's is the one that it is compatible with.
    pub(super) fn integer(&self, ty: TypeId) -> Option<Basic> {
        match self.resolved(ty) {
            Ty::Basic(basic) if basic.is_integer() => Some(basic),
            Ty::Enum(index) => self.enums.get(index as usize)?.ty,
            _ => None,
        }
    }
}
