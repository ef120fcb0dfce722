//! Signatures in the letters of MicroPython's `ffi` module.
//!
//! One letter is one type, and so is a struct in braces. [`TypeCode`] gives a letter's C type and the [`Kind`] of its values.
//! `farcall_arch` assigns the types to registers.

use crate::braces::{Code, StructCode};
use crate::code::{TypeCode, misplaced};
use crate::error::Result;
use crate::kind::{Kind, Position};
use farcall_arch::abi::shape::Shape;
use farcall_arch::{Scalar, Signature, SignatureError, Type};
use farcall_memory::{OutOfMemory, TryVec, try_collect, try_with_capacity};
use std::fmt;

/// The mark in a string of argument codes that stands for the `...` of a variadic function's prototype.
///
/// ```
/// assert_eq!(farcall_cdecl::VARIADIC, '.');
/// ```
pub const VARIADIC: char = '.';

/// The argument codes of a function whose prototype has `(void)`. An empty string means the same.
const NO_ARGUMENTS: &str = "v";

/// The direction of calls. It decides which codes are allowed where. There are two and no more, so a `match` may name both.
///
/// ```
/// use farcall_cdecl::{Codes, Role};
///
/// // A callback cannot know what followed the `...`.
/// assert!(Codes::parse("i", "s.id", Role::Function).is_ok());
/// assert!(Codes::parse("i", "s.id", Role::Callback).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A function of C that is called from here.
    Function,
    /// A function that C calls.
    Callback,
}

/// The codes of a function's result and arguments, checked.
///
/// ```
/// use farcall_cdecl::{Codes, Role};
///
/// let codes = Codes::parse("i", "s.id", Role::Function)?;
/// assert_eq!((codes.args.len(), codes.fixed), (3, Some(1)));
/// assert_eq!(codes.to_string(), "i(s.id)");
/// # Ok::<(), farcall_cdecl::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Codes {
    /// The result's code.
    pub ret: TypeCode,
    /// The arguments' codes, variadic ones included.
    pub args: Vec<TypeCode>,
    /// The number of arguments before the [`VARIADIC`] mark, if there is one.
    pub fixed: Option<usize>,
    /// The structs among the types, sorted by their places: 0 for the result, from 1 on for the arguments.
    structs: Vec<(usize, StructCode)>,
}

impl Codes {
    /// Reads a result code and a string of argument codes. A [`VARIADIC`] mark among the arguments stands for the `...` of the
    /// function's prototype, and a `v` alone for C's `(void)`.
    ///
    /// # Errors
    /// Variants of [`crate::Error`]: `UnknownCode`; `NotOneCode`; `MisplacedCode` for `v` as one of several arguments, and for a mark in a
    /// callback, which could not know its arguments; for braces, `UnknownMember`, `Repeats`, `OpenBraces` and `Struct`;
    /// `Signature` for a variadic argument of a type that C promotes.
    pub fn parse(ret: &str, args: &str, role: Role) -> Result<Codes> {
        let args = if args == NO_ARGUMENTS { "" } else { args };
        let mut structs = Vec::new();
        let ret = match Code::parse(ret, Position::Result)? {
            Code::Letter(code) => code,
            Code::Struct(structure) => {
                structs.try_push((0, structure))?;
                TypeCode::STRUCT
            }
        };
        let mut codes = Codes {
            ret,
            args: try_with_capacity(args.len())?,
            fixed: None,
            structs,
        };
        let mut rest = args.chars();
        while let Some(got) = rest.next() {
            let position = Position::Argument(codes.args.len());
            match got {
                VARIADIC if codes.fixed.is_none() && role == Role::Function => {
                    codes.fixed = Some(codes.args.len());
                }
                VARIADIC if role == Role::Callback => {
                    return Err(misplaced(VARIADIC, position, "an argument of a callback"));
                }
                '{' => {
                    // One byte back: the text includes the opening brace.
                    let text = &args[args.len() - rest.as_str().len() - 1..];
                    let (structure, len) = StructCode::parse(text, position)?;
                    rest = text[len..].chars();
                    codes.args.try_push(TypeCode::STRUCT)?;
                    codes.structs.try_push((codes.args.len(), structure))?;
                }
                _ => codes.args.try_push(argument(got, position)?)?,
            }
        }
        codes.expect_promoted()?;
        Ok(codes)
    }

    /// Refuses variadic arguments of types that C promotes.
    fn expect_promoted(&self) -> Result<()> {
        let Some(fixed) = self.fixed else {
            return Ok(());
        };
        let is_promoted = |code: &TypeCode| code.scalar().is_some_and(Scalar::is_promoted_by_c);
        match self.args[fixed..].iter().position(is_promoted) {
            None => Ok(()),
            Some(extra) => Err(SignatureError::UnpromotedVariadic {
                index: fixed + extra,
            }
            .into()),
        }
    }

    /// The struct at `position`, if there is one.
    pub fn structure(&self, position: Position) -> Option<&StructCode> {
        let place = match position {
            Position::Result => 0,
            Position::Argument(index) => index + 1,
            Position::Variable => return None,
        };
        let found = self
            .structs
            .binary_search_by_key(&place, |(place, _)| *place);
        Some(&self.structs[found.ok()?].1)
    }

    /// The type of the value at `position`.
    pub fn ty(&self, position: Position) -> Type {
        let code = match position {
            Position::Argument(index) => self.args.get(index),
            Position::Result | Position::Variable => Some(&self.ret),
        };
        match (code, self.structure(position)) {
            (_, Some(structure)) => structure.ty().clone(),
            (Some(code), None) => code.ty(),
            (None, None) => Type::Void,
        }
    }

    /// The type in the form that conventions use. A letter's needs no list of types.
    fn shape(&self, code: TypeCode, position: Position) -> Shape {
        match code.scalar() {
            Some(scalar) => Shape::Scalar(scalar),
            None => Shape::of(&self.ty(position)),
        }
    }

    /// The result in the form that conventions use.
    pub fn ret_shape(&self) -> Shape {
        self.shape(self.ret, Position::Result)
    }

    /// The arguments in the form that conventions use.
    pub fn arg_shapes(&self) -> impl ExactSizeIterator<Item = Shape> {
        let args = self.args.iter().enumerate();
        args.map(|(index, code)| self.shape(*code, Position::Argument(index)))
    }

    /// Refuses structs, for callers that support only values of one slot. `role` is the role that a struct cannot have.
    ///
    /// # Errors
    /// [`Error::MisplacedCode`](crate::Error::MisplacedCode) for the first struct.
    pub fn expect_no_structs(&self, role: &'static str) -> Result<()> {
        match self.structs.first() {
            None => Ok(()),
            Some((place, _)) => {
                let argument = place.checked_sub(1).map(Position::Argument);
                let position = argument.unwrap_or(Position::Result);
                Err(misplaced('{', position, role))
            }
        }
    }

    /// Makes the signature.
    ///
    /// # Errors
    /// [`Error::Signature`](crate::Error::Signature) for too many arguments, and for a variadic argument of a type that C promotes.
    pub fn signature(&self) -> Result<Signature> {
        let mut args = try_collect(self.args.iter().map(|code| code.ty()))?;
        let mut ret = self.ret.ty();
        for (place, structure) in &self.structs {
            let ty = match place.checked_sub(1) {
                None => &mut ret,
                Some(index) => &mut args[index],
            };
            ty.clone_from(structure.ty());
        }
        Ok(match self.fixed {
            None => Signature::new(ret, args)?,
            Some(fixed) => Signature::variadic(ret, args, fixed)?,
        })
    }

    /// The codes of the arguments, with the mark.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn args_text(&self) -> std::result::Result<String, OutOfMemory> {
        let structs = self.structs.iter().map(|(_, code)| code.text().len());
        let mut text = String::new();
        text.try_reserve_exact(self.args.len() + 1 + structs.sum::<usize>())?;
        let _ = self.each_arg(|part| {
            text.push_str(part);
            Ok(())
        });
        Ok(text)
    }

    /// Passes the codes of the arguments and the mark to `show`, one by one.
    fn each_arg(&self, mut show: impl FnMut(&str) -> fmt::Result) -> fmt::Result {
        for (index, code) in self.args.iter().enumerate() {
            if self.fixed == Some(index) {
                show(".")?;
            }
            self.show(*code, Position::Argument(index), &mut show)?;
        }
        if self.fixed == Some(self.args.len()) {
            show(".")?;
        }
        Ok(())
    }

    fn show(
        &self,
        code: TypeCode,
        position: Position,
        show: &mut impl FnMut(&str) -> fmt::Result,
    ) -> fmt::Result {
        if code.kind() == Kind::Struct
            && let Some(structure) = self.structure(position)
        {
            return show(structure.text());
        }
        show(code.letter().encode_utf8(&mut [0; 4]))
    }
}

/// The code of an argument.
fn argument(got: char, position: Position) -> Result<TypeCode> {
    let code = TypeCode::known(got, position)?;
    match code.kind() {
        Kind::Void => Err(misplaced(got, position, "an argument")),
        _ => Ok(code),
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(self.ret, Position::Result, &mut |part| f.write_str(part))?;
        f.write_str("(")?;
        self.each_arg(|part| f.write_str(part))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::ALL_CODES;

    #[test]
    fn all_codes_are_the_letters_that_parse() {
        let parsed: Vec<String> = (' '..='~')
            .filter_map(TypeCode::new)
            .map(|code| code.letter().to_string())
            .collect();
        let mut listed: Vec<String> = ALL_CODES.split(' ').map(str::to_owned).collect();
        listed.sort();
        assert_eq!(parsed, listed);
    }

    #[test]
    fn unknown_letter_is_an_error_that_names_it_and_its_place() {
        let error = Codes::parse("i", "idZ", Role::Function)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("argument 3: ") && error.ends_with("got 'Z'"),
            "{error}"
        );
        let error = Codes::parse("é", "", Role::Function)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("result: ") && error.ends_with("got 'é'"),
            "{error}"
        );
    }

    #[test]
    fn variadic_mark_divides_the_arguments_and_counts_as_none() {
        let codes = Codes::parse("i", "s.id", Role::Function).expect("good codes");
        assert_eq!((codes.args.len(), codes.fixed), (3, Some(1)));
        assert_eq!(codes.to_string(), "i(s.id)");
        assert_eq!(codes.signature().expect("a signature").fixed(), Some(1));
        let none_given = Codes::parse("i", "s.", Role::Function).expect("good codes");
        assert_eq!((none_given.args.len(), none_given.fixed), (1, Some(1)));
    }

    #[test]
    fn variadic_mark_is_refused_twice_and_in_callbacks_and_before_what_c_promotes() {
        let error = |text: &str, role| {
            let codes = Codes::parse("i", text, role).and_then(|codes| codes.signature());
            codes.unwrap_err().to_string()
        };
        let twice = error("s.i.d", Role::Function);
        assert!(
            twice.starts_with("argument 3: ") && twice.ends_with("got '.'"),
            "{twice}"
        );
        let callback = error("s.i", Role::Callback);
        assert_eq!(
            callback,
            "argument 2: '.' is no type for an argument of a callback"
        );
        let promoted = error("s.if", Role::Function);
        assert!(
            promoted.starts_with("argument 3: expected int"),
            "{promoted}"
        );
    }

    #[test]
    fn structs_stand_in_results_arguments_and_variables() {
        let text = ("{2h}", "i{id}.{{p}3{bf}}d");
        let codes = Codes::parse(text.0, text.1, Role::Function).expect("good codes");
        assert_eq!(codes.to_string(), format!("{}({})", text.0, text.1));
        assert_eq!(codes.args_text().expect("memory"), text.1);
        assert_eq!((codes.args.len(), codes.fixed), (4, Some(2)));
        assert_eq!(
            codes.signature().expect("a signature").to_string(),
            "{2 x int16}(int32, {int32, double}, ..., {{uint64}, 3 x {int8, float}}, double)"
        );
        let text_at = |position| codes.structure(position).map(StructCode::text);
        assert_eq!(text_at(Position::Result), Some("{2h}"));
        assert_eq!(text_at(Position::Argument(0)), None);
        assert_eq!(text_at(Position::Argument(2)), Some("{{p}3{bf}}"));
        assert_eq!(codes.args[1].kind(), Kind::Struct);
        assert_eq!(codes.ty(Position::Argument(1)).size(), 16);
        assert_eq!(codes.ty(Position::Argument(3)), Type::F64);
        let variable = Code::of_variable("{bd}").expect("a good code");
        assert_eq!((variable.kind(), variable.ty().size()), (Kind::Struct, 16));
        let letter = Code::of_variable("d").expect("a good code");
        assert_eq!((letter.kind(), letter.ty()), (Kind::Double, Type::F64));
    }

    #[test]
    fn braces_in_the_wrong_place_are_errors_that_name_it() {
        let error = |ret: &str, args: &str| {
            let codes = Codes::parse(ret, args, Role::Callback);
            codes.expect_err("bad codes").to_string()
        };
        assert_eq!(
            error("{i}i", ""),
            "result: expected one type code, got \"{i}i\""
        );
        assert!(error("i", "i}").starts_with("argument 2: expected one of the type codes"));
        assert!(error("i", "3h").starts_with("argument 1: expected one of the type codes"));
        assert_eq!(
            error("i", "id{}"),
            "argument 3: expected a structure with members, got an empty one"
        );
        let variable = |text| Code::of_variable(text).expect_err("no code").to_string();
        assert_eq!(variable("{i"), "variable: '{' is never closed");
        assert_eq!(variable("v"), "variable: 'v' is no type for a variable");
        let codes = Codes::parse("i", "i{i}", Role::Function).expect("good codes");
        assert_eq!(
            codes.expect_no_structs("a slot").unwrap_err().to_string(),
            "argument 2: '{' is no type for a slot"
        );
    }

    #[test]
    fn result_of_no_or_two_letters_is_an_error() {
        for text in ["", "ii"] {
            let error = Codes::parse(text, "", Role::Function)
                .unwrap_err()
                .to_string();
            assert_eq!(
                error,
                format!("result: expected one type code, got {text:?}")
            );
        }
    }

    #[test]
    fn void_is_no_argument_but_alone_stands_for_none() {
        for role in [Role::Function, Role::Callback] {
            let none = Codes::parse("v", "v", role).expect("good codes");
            assert_eq!(none, Codes::parse("v", "", role).expect("good codes"));
            for args in ["vv", "iv", "vi"] {
                let error = Codes::parse("v", args, role).unwrap_err().to_string();
                assert!(error.ends_with("'v' is no type for an argument"), "{error}");
            }
        }
    }

    #[test]
    fn function_code_is_a_type_everywhere() {
        for role in [Role::Function, Role::Callback] {
            let codes = Codes::parse("C", "C", role).expect("good codes");
            assert_eq!(codes.ret.kind(), Kind::Callback);
            assert_eq!(codes.args[0].ty(), Type::POINTER);
        }
    }
}
