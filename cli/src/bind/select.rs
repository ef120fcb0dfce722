//! The part of a header that the bindings get: what the library exports, the types that this needs, and the header's own constants.

use std::collections::BTreeSet;

use farcall_cdecl::c::{Constant, Declarations, Field, Layout, Platform, Ty, TypeId};

use super::header::Header;
use crate::spelling::portable;

/// Declarations in C. Each may use those before it.
pub struct Selection {
    pub constants: Vec<String>,
    pub types: Vec<String>,
    pub functions: Vec<String>,
    pub variables: Vec<String>,
    /// The names that are left out, with the reasons.
    pub left_out: Vec<(String, String)>,
}

/// Collects declarations, and reads each of them again, so that the written text agrees with the header.
struct Selector<'h> {
    header: &'h Header,
    c: &'h Declarations,
    written: Declarations,
    done: BTreeSet<TypeId2>,
    /// Structures that are used only through pointers.
    later: Vec<TypeId>,
    out: Selection,
}

/// A type's number, which can be sorted.
type TypeId2 = u32;

/// Selects the declarations of a header that `exports` has.
pub fn select(
    header: &Header,
    exports: &BTreeSet<String>,
) -> Result<Selection, farcall::OutOfMemory> {
    let mut selector = Selector {
        header,
        c: &header.all,
        written: Declarations::new(Platform::host())?,
        done: BTreeSet::new(),
        later: Vec::new(),
        out: Selection {
            constants: Vec::new(),
            types: Vec::new(),
            functions: Vec::new(),
            variables: Vec::new(),
            left_out: Vec::new(),
        },
    };
    selector.constants();
    selector.functions(exports);
    selector.variables(exports);
    while let Some(ty) = selector.later.pop() {
        selector.define(ty);
    }
    Ok(selector.out)
}

impl Selector<'_> {
    /// Reads a declaration as a script will. Returns whether it is right.
    fn accept(&mut self, name: &str, text: &str) -> bool {
        match self.written.read(text) {
            Ok(()) => true,
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default().to_owned();
                self.out.left_out.push((name.to_owned(), why));
                false
            }
        }
    }

    fn constants(&mut self) {
        let c = self.c;
        for (name, value) in c.constants() {
            let name = c.name(name);
            // Reserved names of the implementation are of no use in a script.
            if !self.header.is_own(name) || name.starts_with('_') {
                continue;
            }
            let value = match value {
                Constant::Integer(value) => value.to_string(),
                Constant::Float(value) => format!("{value:?}"),
                Constant::Text(bytes) => quoted(bytes),
                _ => continue,
            };
            let text = format!("#define {name} {value}\n");
            if self.accept(name, &text) {
                self.out.constants.push(text.trim_end().to_owned());
            }
        }
    }

    fn functions(&mut self, exports: &BTreeSet<String>) {
        let c = self.c;
        for function in c.functions() {
            let name = c.name(function.name);
            let symbol = c.name(function.symbol.unwrap_or(function.name));
            if !exports.contains(symbol) {
                continue;
            }
            let Some(of) = c.function_type(function.ty) else {
                continue;
            };
            let refused = c
                .passed_params(&of)
                .err()
                .map(|(index, why)| format!("argument {}: {why}", index + 1));
            let refused =
                refused.or_else(|| c.passed(of.ret).err().map(|why| format!("result: {why}")));
            if let Some(why) = refused {
                self.out.left_out.push((name.to_owned(), why));
                continue;
            }
            self.need(of.ret, true);
            for param in c.params(&of) {
                self.need(param.ty, true);
            }
            let text = format!(
                "{}{};",
                prototype(c, name, function.ty),
                renamed(name, symbol)
            );
            if self.accept(name, &text) {
                self.out.functions.push(text);
            }
        }
    }

    fn variables(&mut self, exports: &BTreeSet<String>) {
        let c = self.c;
        for variable in c.variables() {
            let name = c.name(variable.name);
            let symbol = c.name(variable.symbol.unwrap_or(variable.name));
            if !exports.contains(symbol) {
                continue;
            }
            self.need(variable.ty, true);
            let text = format!(
                "extern {}{};",
                self.text(variable.ty, name),
                renamed(name, symbol)
            );
            if self.accept(name, &text) {
                self.out.variables.push(text);
            }
        }
    }

    /// Writes the declarations that a type needs, unless they are written already. Structures behind pointers need only their names.
    fn need(&mut self, ty: TypeId, is_by_value: bool) {
        match self.c.get(ty) {
            Ty::Pointer { to, .. } => self.need(to, false),
            Ty::Array { of, .. } | Ty::Vector { of, .. } => self.need(of, true),
            Ty::Function(_) => {
                let Some(of) = self.c.function_type(ty) else {
                    return;
                };
                self.need(of.ret, false);
                for param in self.c.params(&of) {
                    self.need(param.ty, false);
                }
            }
            Ty::Alias { name, of, align } => {
                self.need_alias(ty, self.c.name(name), of, align, is_by_value)
            }
            Ty::Record(_) => self.need_record(ty, is_by_value),
            Ty::Enum(_) | Ty::Basic(_) => {}
            _ => {}
        }
    }

    fn need_alias(&mut self, ty: TypeId, name: &str, of: TypeId, align: u32, is_by_value: bool) {
        let is_record = self.c.record(of).is_some_and(|record| record.tag.is_some());
        if is_record {
            self.need(of, is_by_value);
        }
        if !self.done.insert(ty.number()) {
            return;
        }
        // A name that every script knows needs no declaration, if it has the same type.
        let known = self
            .written
            .typedef(name)
            .map(|known| self.written.resolved(known));
        if known == Some(self.c.get(of)) {
            return;
        }
        if !is_record {
            match self.c.get(of) {
                Ty::Record(_) => self.need_members(of),
                _ => self.need(of, false),
            }
        }
        let mut text = format!("typedef {}", self.text(of, name));
        if align > 0 {
            text += &format!(" __attribute__((aligned({align})))");
        }
        let text = text + ";";
        if self.accept(name, &text) {
            self.out.types.push(text);
        }
    }

    fn need_record(&mut self, ty: TypeId, is_by_value: bool) {
        let Some(record) = self.c.record(ty) else {
            return;
        };
        let Some(tag) = record.tag.map(|tag| self.c.name(tag).to_owned()) else {
            // A structure without a name is written where it is used.
            self.need_members(ty);
            return;
        };
        let keyword = if record.is_union { "union" } else { "struct" };
        let is_complete = self.c.fields(record).is_some();
        // The complement of its number marks a type that is declared, but not defined.
        if self.done.insert(u32::MAX - ty.number()) {
            let text = format!("{keyword} {tag};");
            if self.accept(&tag, &text) {
                self.out.types.push(text);
            }
        }
        if is_complete && is_by_value {
            self.define(ty);
        } else if is_complete && self.header.is_own(&tag) {
            self.later.push(ty);
        }
    }

    fn need_members(&mut self, ty: TypeId) {
        let fields: Vec<Field> = self
            .c
            .record(ty)
            .and_then(|it| self.c.fields(it))
            .unwrap_or_default()
            .to_vec();
        for field in fields {
            let is_pointer = matches!(self.c.get(field.ty), Ty::Pointer { .. });
            self.need(field.ty, !is_pointer);
        }
    }

    /// Writes a structure with its members. It gets attributes if its layout would be different without them.
    fn define(&mut self, ty: TypeId) {
        if !self.done.insert(ty.number()) {
            return;
        }
        self.need_members(ty);
        let (Some(record), Some(layout)) = (self.c.record(ty), self.c.layout(ty)) else {
            return;
        };
        let tag = record.tag.map_or("", |tag| self.c.name(tag));
        let head = if record.is_union { "union" } else { "struct" };
        let body = members(self.c, ty, 1);
        let plain = format!("{head} {tag} {{\n{body}}};");
        let packed = format!(
            "{head} {tag} {{\n{body}}} __attribute__((packed, aligned({})));",
            layout.align
        );
        for text in [plain, packed] {
            if self.is_as_it_was(ty, &format!("{head} {tag}"), &text, layout)
                && self.accept(tag, &text)
            {
                self.out.types.push(text);
                return;
            }
        }
        self.out.left_out.push((
            format!("{head} {tag}"),
            "its layout cannot be written".to_owned(),
        ));
    }

    /// Whether a text gives a structure the same layout as the header. The text is tried in a separate copy.
    fn is_as_it_was(&self, ty: TypeId, name: &str, text: &str, layout: Layout) -> bool {
        let Ok(mut trial) = Declarations::new(*self.c.platform()) else {
            return false;
        };
        let before = self.out.types.join("\n");
        if trial.read(&before).is_err() || trial.read(text).is_err() {
            return false;
        }
        let Ok(id) = trial.type_named(name) else {
            return false;
        };
        let places = |c: &Declarations, ty: TypeId| {
            let fields = c
                .record(ty)
                .and_then(|record| c.fields(record))
                .unwrap_or_default();
            fields
                .iter()
                .map(|field| (field.offset(), field.bits()))
                .collect::<Vec<_>>()
        };
        trial.layout(id) == Some(layout) && places(&trial, id) == places(self.c, ty)
    }

    fn text(&self, ty: TypeId, name: &str) -> String {
        portable(self.c, ty, name)
    }
}

fn prototype(c: &Declarations, name: &str, ty: TypeId) -> String {
    let Some(function) = c.function_type(ty) else {
        return String::new();
    };
    let mut params: Vec<String> = c
        .params(&function)
        .map(|param| portable(c, param.ty, param.name.map_or("", |name| c.name(name))))
        .collect();
    match (params.is_empty(), function.is_variadic) {
        (_, true) => params.push("...".to_owned()),
        (true, false) => params.push("void".to_owned()),
        (false, false) => {}
    }
    portable(c, function.ret, &format!("{name}({})", params.join(", ")))
}

fn renamed(name: &str, symbol: &str) -> String {
    match name == symbol {
        true => String::new(),
        false => format!(" __asm__(\"{symbol}\")"),
    }
}

fn members(c: &Declarations, ty: TypeId, depth: usize) -> String {
    let fields = c
        .record(ty)
        .and_then(|record| c.fields(record))
        .unwrap_or_default();
    let indent = "    ".repeat(depth);
    let lines = fields.iter().map(|field| {
        let name = field.name.map_or("", |name| c.name(name));
        let width = field.bits().map(|(_, width)| format!(" : {width}"));
        format!(
            "{indent}{}{};\n",
            portable(c, field.ty, name),
            width.unwrap_or_default()
        )
    });
    lines.collect()
}

/// A string literal that is valid in both C and Python.
fn quoted(bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|&byte| match byte {
        b'"' | b'\\' => format!("\\{byte:03o}"),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
