//! A function's prototype from the command line: in C, or in type codes.

use std::ops::Range;

use farcall_cdecl::c::{Declarations, Error, Platform, TypeId};
use farcall_cdecl::{Codes, Position, Role, VARIADIC};

use crate::failure::{Failure, Result};
use crate::spelling::declared;

// The option for declarations. clap would take a comment for documentation as that of the command.
#[derive(clap::Args)]
pub struct Declare {
    /// C declarations that the prototype relies on: structures, enumerations, typedefs
    #[arg(
        id = "declare",
        short = 'd',
        long = "declare",
        value_name = "C",
        default_value = "",
        hide_default_value = true
    )]
    pub text: String,
}

/// A prototype, with the types that it uses.
pub struct Prototype {
    pub c: Declarations,
    pub name: Option<String>,
    pub ret: TypeId,
    /// The parameters, followed by arguments for the `...`, as far as they are known.
    pub params: Vec<Param>,
    /// The number of parameters that the prototype names.
    pub fixed: usize,
    pub is_variadic: bool,
    /// The prototype in C, on one line.
    pub text: String,
    /// The range of each named parameter in `text`.
    pub spans: Vec<Range<usize>>,
    /// The text for the crate `farcall`: the original text, or the C that codes stand for.
    pub source: String,
}

/// A parameter's type and name.
#[derive(Clone)]
pub struct Param {
    pub name: Option<String>,
    pub ty: TypeId,
}

impl Prototype {
    /// Reads `declarations`, and then a prototype in C or in codes (`result:name:arguments`).
    pub fn read(text: &str, declarations: &str, platform: Platform) -> Result<Prototype> {
        let (source, more) = match codes(text)? {
            Some(translated) => translated,
            None => (text.replace('…', "..."), Vec::new()),
        };
        let mut c = Declarations::new(platform).map_err(Failure::of)?;
        c.read(declarations)
            .map_err(|error| Failure::of_c("declarations", &error))?;
        let (name, ty) = match c.prototype(&source) {
            Ok(declared) => declared,
            Err(Error::Text(_)) if c.function(&source).is_some() => {
                let function = c.function(&source).map(|f| (Some(f.name), f.ty));
                function.ok_or_else(|| Failure::usage("expected a prototype"))?
            }
            Err(error) => {
                return Err(Failure::of_c("prototype", &error)
                    .with_hint("a prototype is C, such as 'double pow(double, double)', or codes, such as d:pow:dd"));
            }
        };
        let name = name.map(|name| c.name(name).to_owned());
        let mut prototype = Prototype::of(c, name, ty, source)?;
        for text in more {
            prototype.add_argument(&text)?;
        }
        Ok(prototype)
    }

    fn of(c: Declarations, name: Option<String>, ty: TypeId, source: String) -> Result<Prototype> {
        let Some(function) = c.function_type(ty) else {
            let got = c.show(ty).to_string();
            return Err(Failure::usage(format_args!(
                "expected a function's prototype, got {got}"
            )));
        };
        let params: Vec<Param> = c
            .params(&function)
            .map(|param| Param {
                name: param.name.map(|name| c.name(name).to_owned()),
                ty: param.ty,
            })
            .collect();
        let (text, spans) = shown(&c, name.as_deref(), function.ret, &params, &function);
        Ok(Prototype {
            ret: function.ret,
            is_variadic: function.is_variadic,
            fixed: params.len(),
            params,
            name,
            text,
            spans,
            source,
            c,
        })
    }

    /// Adds an argument of the type `ty` after the `...`.
    pub fn add_argument(&mut self, ty: &str) -> Result<()> {
        if !self.is_variadic {
            let failure = Failure::usage(format_args!(
                "expected no type behind a prototype without '...', got '{ty}'"
            ));
            return Err(failure.with_detail(&self.text));
        }
        let id = self.type_named(ty)?;
        self.params.push(Param { name: None, ty: id });
        Ok(())
    }

    pub fn type_named(&mut self, text: &str) -> Result<TypeId> {
        self.c
            .type_named(text)
            .map_err(|error| Failure::of_c("type", &error))
    }

    /// The declaration of a parameter, or its type if it has no name.
    pub fn declared(&self, param: &Param) -> String {
        declared(&self.c, param.ty, param.name.as_deref())
    }

    /// The prototype with a caret below parameter number `index`, or below the `...`.
    pub fn pointed(&self, index: usize) -> String {
        let span = match self.spans.get(index) {
            Some(span) => span.clone(),
            None => self.end_of_params(),
        };
        let before = self.text[..span.start].chars().count();
        let width = self.text[span].chars().count().max(1);
        format!("{}\n{:before$}{:^<width$}", self.text, "", "")
    }

    /// The range of the `...`, or of the parenthesis that closes the list.
    pub fn end_of_params(&self) -> Range<usize> {
        let start = self.spans.last().map_or(0, |span| span.end);
        let rest = &self.text[start..];
        match (self.is_variadic, rest.find("..."), rest.find(')')) {
            (true, Some(at), _) => start + at..start + at + 3,
            (_, _, Some(at)) => start + at..start + at + 1,
            _ => self.text.len()..self.text.len(),
        }
    }
}

/// The prototype on one line, with the parameters' names, and the ranges of the parameters.
fn shown(
    c: &Declarations,
    name: Option<&str>,
    ret: TypeId,
    params: &[Param],
    function: &farcall_cdecl::c::FunctionType,
) -> (String, Vec<Range<usize>>) {
    let mut list = String::new();
    let mut spans = Vec::new();
    for param in params {
        if !list.is_empty() {
            list += ", ";
        }
        let start = list.len();
        list += &declared(c, param.ty, param.name.as_deref());
        spans.push(start..list.len());
    }
    list += match (params.is_empty(), function.is_variadic) {
        (false, true) => ", ...",
        (true, true) => "...",
        (true, false) if function.has_prototype => "void",
        _ => "",
    };
    // If the result is a function's address, the declared name stands within the result's type.
    let declarator = format!("{}({list})", name.unwrap_or_default());
    let text = declared(c, ret, Some(&declarator));
    let at = text.find(&declarator).unwrap_or_default() + name.map_or(0, str::len) + 1;
    let spans = spans
        .into_iter()
        .map(|span| span.start + at..span.end + at)
        .collect();
    (text, spans)
}

/// The C that codes stand for, and the types after the `...`; `None` if the text is not made of codes.
fn codes(text: &str) -> Result<Option<(String, Vec<String>)>> {
    let parts: Vec<&str> = text.split(':').collect();
    let [ret, name, args] = parts[..] else {
        return Ok(None);
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_name || ret.contains(char::is_whitespace) {
        return Ok(None);
    }
    let codes = Codes::parse(ret, args, Role::Function).map_err(|error| {
        let start = text.len() - args.len();
        let detail = pointed_code(text, ret, args, start);
        Failure::usage(format_args!("codes: {error}")).with_detail(detail)
    })?;
    let mut types = Vec::new();
    for (index, code) in codes.args.iter().enumerate() {
        let at = Position::Argument(index);
        types.push(match codes.structure(at) {
            Some(structure) => c_struct(structure.text()),
            None => c_type(code.letter()).to_owned(),
        });
    }
    let ret = match codes.structure(Position::Result) {
        Some(structure) => c_struct(structure.text()),
        None => c_type(codes.ret.letter()).to_owned(),
    };
    let more = types.split_off(codes.fixed.unwrap_or(types.len()));
    if codes.fixed.is_some() {
        types.push("...".to_owned());
    } else if types.is_empty() {
        types.push("void".to_owned());
    }
    Ok(Some((format!("{ret} {name}({})", types.join(", ")), more)))
}

/// Codes with a caret below the first wrong one: the last code of the shortest prefix with the same fault.
fn pointed_code(text: &str, ret: &str, args: &str, start: usize) -> String {
    let fault = |args: &str| {
        let error = Codes::parse(ret, args, Role::Function).err();
        error.map(|error| error.to_string())
    };
    if fault("").is_some() {
        return format!(
            "{text}\n{:^<width$}",
            "",
            width = ret.chars().count().max(1)
        );
    }
    let whole = fault(args);
    let mut places = args.char_indices();
    let is_it = |(at, c): &(usize, char)| fault(&args[..at + c.len_utf8()]) == whole;
    let at = places.find(is_it).map_or(args.len(), |(at, _)| at);
    let before = text[..start + at].chars().count();
    format!("{text}\n{:before$}^", "")
}

/// Converts a structure's codes to C with the same layout: `{i2d}` becomes `struct { int m0; double m1[2]; }`.
fn c_struct(text: &str) -> String {
    let mut members = String::new();
    let mut rest = text.strip_prefix('{').unwrap_or(text);
    let mut number = 0;
    while !rest.is_empty() && !rest.starts_with('}') {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, behind) = rest.split_at(digits);
        let (ty, len) = match behind.starts_with('{') {
            true => {
                let len = balanced(behind);
                (c_struct(&behind[..len]), len)
            }
            false => {
                let letter = behind.chars().next().unwrap_or(VARIADIC);
                (c_type(letter).to_owned(), letter.len_utf8())
            }
        };
        let array = match count {
            "" => String::new(),
            count => format!("[{count}]"),
        };
        members += &format!(" {ty} m{number}{array};");
        number += 1;
        rest = behind.get(len..).unwrap_or_default();
    }
    format!("struct {{{members} }}")
}

/// The length of the group in braces at the start of a text.
fn balanced(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

fn c_type(letter: char) -> &'static str {
    match letter {
        'v' => "void",
        'b' => "signed char",
        'B' => "unsigned char",
        'h' => "short",
        'H' => "unsigned short",
        'i' => "int",
        'I' => "unsigned",
        'l' => "long",
        'L' => "unsigned long",
        'q' => "long long",
        'Q' => "unsigned long long",
        'f' => "float",
        'd' => "double",
        's' | 'S' => "const char *",
        'P' => "const void *",
        'O' => "uintptr_t",
        // Pointers, including those to functions.
        _ => "void *",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farcall_cdecl::Code;

    #[test]
    fn codes_have_the_layout_of_the_c_that_stands_for_them() {
        for code in [
            "b",
            "H",
            "i",
            "L",
            "q",
            "f",
            "d",
            "p",
            "s",
            "{i2d}",
            "{b{hd}3{bb}}",
        ] {
            let parsed = Code::parse(code, Position::Result).expect("a code");
            let mut c = Declarations::new(Platform::host()).expect("memory");
            let text = match code.starts_with('{') {
                true => c_struct(code),
                false => c_type(code.chars().next().expect("a letter")).to_owned(),
            };
            let id = c.type_named(&text).expect("a type");
            let size = c.layout(id).expect("a size").size;
            assert_eq!(size, u64::from(parsed.ty().size()), "{code}: {text}");
        }
    }
}
