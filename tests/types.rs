//! Types, layouts and constants that C text declares.

use farcall::{Constant, Declarations, Error, Member, Type, TypeKind};

fn parse(text: &str) -> Declarations {
    Declarations::parse(text).expect("good declarations")
}

fn ty(c: &Declarations, name: &str) -> Type {
    c.ty(name).expect("a type")
}

#[test]
fn sizes_and_alignments_are_those_of_rusts_own_types() {
    let c = parse("");
    macro_rules! check {
        ($($name:literal: $ty:ty),+ $(,)?) => {
            $(
                let own = (size_of::<$ty>() as u64, align_of::<$ty>() as u32);
                let declared = ty(&c, $name);
                let layout = (declared.size(), declared.align());
                assert_eq!(layout, (Some(own.0), Some(own.1)), $name);
            )+
        };
    }
    check! {
        "char": std::ffi::c_char,
        "short": i16,
        "int": i32,
        "long": std::ffi::c_long,
        "unsigned long long": u64,
        "size_t": usize,
        "ptrdiff_t": isize,
        "_Bool": bool,
        "float": f32,
        "double": f64,
        "__int128": i128,
        "void *": *const (),
        "int (*)(int)": fn(i32) -> i32,
        "uint16_t[7]": [u16; 7],
    }
}

#[test]
fn members_have_names_types_offsets_and_bits() {
    let c = parse(
        "struct inner { short a, b; };
         struct all {
             char first;
             struct inner inner[2];
             union { int i; float f; };
             unsigned low : 4, : 2, high : 5;
             const char *text;
             double end[];
         };",
    );
    let all = ty(&c, "struct all");
    let members = all.members().expect("memory");
    let told: Vec<_> = members
        .iter()
        .map(|member: &Member| (member.name(), member.offset(), member.ty().to_string()))
        .collect();
    let expected = [
        (Some("first"), 0, "char"),
        (Some("inner"), 2, "struct inner[2]"),
        (None, 12, "union {...}"),
        (Some("low"), 16, "unsigned int"),
        (Some("high"), 16, "unsigned int"),
        (Some("text"), 24, "const char *"),
        (Some("end"), 32, "double[]"),
    ];
    assert_eq!(
        told,
        expected.map(|(name, offset, text)| (name, offset, text.to_owned()))
    );
    assert_eq!(members[3].bits(), Some((0, 4)));
    assert_eq!(members[4].bits(), Some((6, 5)));
    assert_eq!(members[0].bits(), None);
    assert_eq!((all.size(), all.align()), (Some(32), Some(8)));
    let inner = members[1].ty();
    assert_eq!((inner.kind(), inner.len()), (TypeKind::Array, Some(2)));
    let element = inner.target().expect("elements");
    assert_eq!(element.members().expect("memory")[1].offset(), 2);
    assert_eq!(members[6].ty().len(), None);
    assert_eq!(members[6].ty().size(), None);
}

#[test]
fn kinds_are_those_behind_the_names() {
    let c = parse(
        "typedef enum { A } letter; typedef struct later later; typedef unsigned char byte;
         typedef byte bytes[4]; union u { int i; };",
    );
    let cases = [
        ("void", TypeKind::Void),
        ("bool", TypeKind::Bool),
        ("byte", TypeKind::Integer),
        ("char", TypeKind::Integer),
        ("long double", TypeKind::Float),
        ("double _Complex", TypeKind::Complex),
        ("letter", TypeKind::Enum),
        ("later *", TypeKind::Pointer),
        ("bytes", TypeKind::Array),
        ("int(int)", TypeKind::Function),
        ("later", TypeKind::Struct),
        ("union u", TypeKind::Union),
        ("va_list", TypeKind::Other),
    ];
    for (name, kind) in cases {
        assert_eq!(ty(&c, name).kind(), kind, "{name}");
    }
    let later = ty(&c, "later");
    assert_eq!((later.size(), later.align()), (None, None));
    assert!(later.members().expect("memory").is_empty());
    let pointed = ty(&c, "later *").target().expect("what it points to");
    assert_eq!(pointed.to_string(), "later");
    // Text that is read later completes it, also for holders of the type.
    c.read("struct later { long long content; };")
        .expect("good declarations");
    assert_eq!(later.size(), Some(8));
}

#[test]
fn constants_are_those_of_enumerations_and_defines() {
    let c = parse(
        "enum { FIRST = -1, SECOND, BIG = 1LL << 40 };
         #define MASK (0x10 | FIRST + 2)
         #define HALF 0.5
         #define NAME \"a\" \"b\"
         ",
    );
    let constant = |name| c.constant(name).expect("memory");
    assert_eq!(constant("FIRST"), Some(Constant::Integer(-1)));
    assert_eq!(constant("SECOND"), Some(Constant::Integer(0)));
    assert_eq!(constant("BIG"), Some(Constant::Integer(1 << 40)));
    assert_eq!(constant("MASK"), Some(Constant::Integer(0x11)));
    assert_eq!(constant("HALF"), Some(Constant::Float(0.5)));
    assert_eq!(constant("NAME"), Some(Constant::Text(b"ab".to_vec())));
    assert_eq!(constant("FURTHER"), None);
    let names: Vec<String> = c
        .constants()
        .expect("memory")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["FIRST", "SECOND", "BIG", "MASK", "HALF", "NAME"]);
}

#[test]
fn what_is_declared_is_listed_in_order() {
    let c = parse("int b(void); extern int y; void a(int), c(char); extern char x;");
    assert_eq!(c.functions().expect("memory"), ["b", "a", "c"]);
    assert_eq!(c.variables().expect("memory"), ["y", "x"]);
    let signature = c.signature("c").expect("a signature");
    assert_eq!(signature.name(), Some("c"));
    assert_eq!(signature.to_string(), "void c(char)");
    assert_eq!((signature.len(), signature.is_variadic()), (1, false));
    assert!(signature.as_codes().is_none());
}

#[test]
fn errors_in_text_name_the_place_and_have_no_other_cause() {
    let error =
        Declarations::parse("struct s { int a; };\nint f(struct s, in);").expect_err("no C");
    let Error::Declaration(fault) = &error else {
        panic!("{error}")
    };
    assert_eq!((fault.line(), fault.column()), (Some(2), Some(17)));
    assert!(
        error
            .to_string()
            .contains("\nint f(struct s, in);\n                ^^"),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_none());
    let c = parse("");
    assert!(matches!(c.ty("struct"), Err(Error::Declaration(_))));
    assert!(matches!(c.ty("int f"), Err(Error::Declaration(_))));
}

#[test]
fn text_with_an_error_adds_nothing() {
    let c = parse("struct later; enum e { A };");
    let later = ty(&c, "struct later");
    let text = "struct later { int a; }; enum { B }; int f(void); extern int v; int g(in);";
    assert!(matches!(c.read(text), Err(Error::Declaration(_))));
    assert_eq!(later.size(), None);
    assert_eq!(c.constant("B").expect("memory"), None);
    assert!(c.functions().expect("memory").is_empty());
    assert!(c.variables().expect("memory").is_empty());
    let enumerators = ty(&c, "enum e").enumerators().expect("memory");
    assert_eq!(enumerators, [("A".to_owned(), 0)]);
    c.read("struct later { char a; };")
        .expect("good declarations");
    assert_eq!(later.size(), Some(1));
}

#[test]
fn threads_share_what_is_declared() {
    let c = parse("");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let c = &c;
            scope.spawn(move || {
                for number in 0..50 {
                    let text = format!("struct s{thread}_{number} {{ char c[{number} + 1]; }};");
                    c.read(&text).expect("good declarations");
                    let size = ty(c, &format!("struct s{thread}_{number}")).size();
                    assert_eq!(size, Some(number + 1));
                }
            });
        }
    });
}
