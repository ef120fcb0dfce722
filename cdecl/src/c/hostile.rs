//! Texts of any size that are made to take long. `tests/hostile.rs` reads them as well.

use super::{Declarations, TypeId};

/// A function that makes a text of about this number of bytes.
pub type Family = fn(usize) -> String;

/// Joins the texts of `part` for 0, 1 and so on until there are enough bytes.
fn many(size: usize, part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < size {
        text.push_str(&part(number));
        number += 1;
    }
    text
}

fn same(size: usize, part: &str) -> String {
    many(size, |_| part.to_owned())
}

/// The families of texts, each with its purpose.
pub const FAMILIES: &[(&str, Family)] = &[
    ("comments without an end", |size| {
        format!("int f(void) {{ {}", same(size, "/* "))
    }),
    ("strings without an end", |size| {
        format!("int x = {}", same(size, "\"\\"))
    }),
    ("characters without an end", |size| {
        format!("int x = {}", same(size, "'\\"))
    }),
    ("prefixes without a string", |size| {
        format!("int x = {}", same(size, "L\"\\\"u8'\\'"))
    }),
    ("directives with comments", |size| {
        same(size, "#define A /*\n")
    }),
    ("directives with quotes", |size| {
        same(size, "#define A \"'\\\n")
    }),
    ("spliced lines", |size| {
        format!("#define A {}", same(size, "\\\n"))
    }),
    ("brackets of every sort", |size| {
        format!("int x = {}", same(size, "([{}])("))
    }),
    ("attributes", |size| {
        format!("int x __attribute__(({}", same(size, "packed(,aligned, "))
    }),
    ("declarators", |size| format!("int {}", same(size, "(*"))),
    ("one long name", |size| {
        format!("int {}; strukt", same(size, "a"))
    }),
    ("one long line with an error", |size| {
        format!("{}@", same(size, "int x; "))
    }),
    ("many lines with an error", |size| {
        format!("{}@", same(size, "\n"))
    }),
    ("many parameters", |size| {
        format!("int f({}int);", many(size, |n| format!("int a{n}, ")))
    }),
    ("many functions", |size| {
        many(size, |n| format!("int f{n}(int);"))
    }),
    ("functions again", |size| {
        same(size, "int f(int (*)(int, int), int);")
    }),
    ("functions without prototypes again", |size| {
        same(size, "int f(); int f(int);")
    }),
    ("many members", |size| {
        format!(
            "struct s {{ {} }} f(struct s);",
            many(size, |n| format!("char m{n};"))
        )
    }),
    ("offsets in a large structure", |size| {
        let members = many(size / 2, |n| format!("int m{n};"));
        let uses = many(size / 2, |n| format!("int x{n}[offsetof(struct s, m{n})];"));
        format!("struct s {{ {members} }}; {uses}")
    }),
    ("offsets in a structure of many without a name", |size| {
        let members = many(size / 2, |n| format!("struct {{ int m{n}; }};"));
        let uses = many(size / 2, |n| format!("int x{n}[offsetof(struct s, m{n})];"));
        format!("struct s {{ {members} }}; {uses}")
    }),
    ("members of others again and again", |size| {
        let members = many(size / 2, |n| format!("int m{n};"));
        format!(
            "struct s {{ {members} }}; {}",
            many(size / 2, |n| format!("struct t{n} {{ struct s; int x; }};"))
        )
    }),
    ("structures nested by name", |size| {
        let chain: String = (0..26)
            .map(|n| format!("struct s{} {{ struct s{n} x, y; }};", n + 1))
            .collect();
        let uses = many(size, |n| {
            format!("struct s{} f{n}(struct s{});", n % 27, n % 26)
        });
        format!("struct s0 {{ char x; }};{chain}{uses}")
    }),
    ("structures nested without end", |size| {
        many(size, |n| {
            format!("struct s{n} {{ struct s{} x[1]; }};", n as i64 - 1)
        })
    }),
    ("structures nested in place", |size| same(size, "struct { ")),
    ("structures of one of nothing", |size| {
        format!(
            "struct e {{}}; struct s0 {{ struct e x[0]; }}; {}",
            many(size, |n| format!(
                "struct t{n} {{ struct s0 x[1 << 30], y; int z[1 << 30][0]; }} f{n}(struct t{n});"
            ))
        )
    }),
    ("arrays in a structure", |size| {
        many(size, |n| {
            format!(
                "struct s{n} {{ char x[8][8]; }}; struct t{n} {{ struct s{n} x[1 << 20]; }} f{n}(struct t{n});"
            )
        })
    }),
    ("types of functions in types of functions", |size| {
        let chain = |letter: char| {
            many(size / 2, |n| {
                format!(
                    "typedef void (*{letter}{})({letter}{n}, {letter}{n});",
                    n + 1
                )
            })
        };
        format!(
            "typedef int a0; typedef long b0; {}{}void f(a30); void f(b30);",
            chain('a'),
            chain('b')
        )
    }),
    ("the same types in other types", |size| {
        let chain = |letter: char| {
            (0..40)
                .map(|n| {
                    format!(
                        "typedef void (*{letter}{})({letter}{n}, {letter}{n});",
                        n + 1
                    )
                })
                .collect::<String>()
        };
        format!(
            "typedef int a0; typedef int b0; {}{}{}",
            chain('a'),
            chain('b'),
            many(size, |n| format!("void f{n}(a40); void f{n}(b40);"))
        )
    }),
    ("constants", |size| {
        format!(
            "enum {{ {} }};",
            many(size, |n| format!("A{n} = 1 << 3 + 2,"))
        )
    }),
    ("lengths that depend on parameters", |size| {
        format!("int f({}", same(size, "int a[sizeof(int (*)("))
    }),
    ("lengths one in another", |size| {
        let open = "int a[sizeof(int (*)(".repeat(40);
        let close = ")) + n]".repeat(40);
        many(size, |n| format!("int f{n}({open}int{close});"))
    }),
    ("assertions in structures in assertions", |size| {
        let open = "_Static_assert(sizeof(struct { int x; ".repeat(40);
        let close = "}), \"\");".repeat(40);
        many(size, |_| format!("{open}{close}"))
    }),
    ("defined expressions", |size| {
        format!("#define A {}x\n", same(size, "(1.0 - "))
    }),
    ("defined constants", |size| {
        many(size, |n| format!("#define A{n} (1.5 * {n})\n"))
    }),
    ("packing", |size| same(size, "#pragma pack(push, 1)\n")),
    ("marks of lines", |size| same(size, "# 1 \"a.h\"\n")),
    ("arguments of types", |size| {
        format!("int x[{}", same(size, "sizeof(typeof("))
    }),
    ("names that mean nothing", |size| {
        format!("int f({});", many(size, |n| format!("int a[b{n}],")))
    }),
];

/// Reads a text, and queries everything about its declarations.
pub fn exercise(c: &mut Declarations, text: &str) {
    let _ = c.read(text);
    let _ = c.type_named(text);
    let _ = c.prototype(text);
    let types: Vec<TypeId> = c.typedefs().chain(c.tags()).map(|(_, ty)| ty).collect();
    for ty in types {
        let _ = (c.layout(ty), c.passed(ty), c.show(ty).to_string());
    }
    for function in c.functions() {
        if let Some(ty) = c.function_type(function.ty) {
            let _ = (c.passed(ty.ret), c.passed_params(&ty));
        }
        let _ = c.show(function.ty).named(c.name(function.name)).to_string();
    }
    for (_, constant) in c.constants() {
        let _ = constant.to_string();
    }
}
