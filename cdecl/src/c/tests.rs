use super::*;

fn read(text: &str) -> Declarations {
    let mut c = Declarations::new(Platform::LINUX_X86_64).expect("memory");
    if let Err(error) = c.read(text) {
        panic!("{error}");
    }
    c
}

fn error(text: &str) -> String {
    let mut c = Declarations::new(Platform::LINUX_X86_64).expect("memory");
    match c.read(text) {
        Ok(()) => panic!("no error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn declarators_nest_as_c_has_them() {
    let c = read("int *(*signal(int sig, void (*)(int)))(const char *const [3], ...);");
    let signal = c.function("signal").expect("it is declared");
    assert_eq!(
        c.show(signal.ty).named("signal").to_string(),
        "int *(*signal(int, void (*)(int)))(const char *const *, ...)"
    );
}

#[test]
fn typedef_name_is_a_name_where_a_type_was_given() {
    let c = read(
        "typedef int size; struct s { unsigned size; }; int f(size size); typedef long size_t;",
    );
    let f = c.function("f").expect("it is declared");
    assert_eq!(c.show(f.ty).to_string(), "int(size)");
    assert_eq!(
        c.layout(c.typedef("size_t").expect("it is known"))
            .map(|l| l.size),
        Some(8)
    );
}

#[test]
fn constants_have_the_values_and_types_of_c() {
    let c = read(
        "enum { A = 'a', B = -1, C = 1u << 31, D = sizeof(int[3]), E = -1 < 0u, F = (unsigned char)300, G = 7 / 2 * 2 % 4 };\n\
         #define H (A + 0x10UL)\n#define I \"x\\n\" \"y\"\n#define J -1.5e3f\n#define K(x) x\n#define L do_it()\n",
    );
    let integer = |name| match c.constant(name) {
        Some(Constant::Integer(value)) => value,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(
        ["A", "B", "C", "D", "E", "F", "G", "H"].map(integer),
        [97, -1, 1 << 31, 12, 0, 44, 2, 113]
    );
    assert_eq!(c.constant("I"), Some(Constant::Text(b"x\ny")));
    assert_eq!(c.constant("J"), Some(Constant::Float(-1500.0)));
    assert!(c.constant("K").is_none() && c.constant("L").is_none());
}

#[test]
fn numbers_with_a_fraction_and_strings_are_constants() {
    let c = read(
        "#define A 0.1f\n#define B (-(1 / 2 + 1.5) * 2)\n#define C (float)0.1\n#define D 0x1p-3\n#define E (A / 0.25)\n\
         #define F (\"a\\n\" /* over\n lines */ u8\"b\")\n#define G L\"x\"\n#define H 1.5 x\n#define I 1\n#undef I\n#define I 2\n#undef J\n\
         enum { K = sizeof L\"ab\" \"c\", L = sizeof \"ab\" };\n#define K K\n#undef K\n",
    );
    let float = |name| match c.constant(name) {
        Some(Constant::Float(value)) => value,
        other => panic!("{name}: {other:?}"),
    };
    let single = f64::from(0.1_f32);
    assert_eq!(
        ["A", "B", "C", "D", "E"].map(float),
        [single, -3.0, single, 0.125, single / 0.25]
    );
    assert_eq!(c.constant("F"), Some(Constant::Text(b"a\nb")));
    assert!(c.constant("G").is_none() && c.constant("H").is_none());
    assert_eq!(c.constant("I"), Some(Constant::Integer(2)));
    assert_eq!(c.constant("K"), Some(Constant::Integer(16)));
    assert_eq!(c.constant("L"), Some(Constant::Integer(3)));
    assert_eq!(c.constants().count(), 9);
    assert_eq!(
        error("#define A 1\n# define A 2\n"),
        "2:3: expected the value that 'A' has already, 1, got 2\n# define A 2\n  ^^^^^^"
    );
}

#[test]
fn what_may_be_declared_again_may_be() {
    read(
        "int f(); int f(int, const char *); int f(int a, char const *const b); typedef const int CI; int g(CI *); int g(const int *);\
         typedef int T; typedef int T; enum e { A }; void h(enum e); void h(unsigned); extern int v[]; extern int v[3]; int v[3];\
         struct s; struct s { int x; }; struct s; int *i(int[]), *i(int *); static int j(void); static inline int j(void) { return 0; }\
         typedef long double _Float128; _Float128 fabsf128(_Float128); int k(int n, int m[n * 2], int o[static 3], int [*]); struct t { int n; struct { int m; }; struct { int a; }; union { int b; }; };\
         typedef int *P; int l(P restrict p, int q[restrict]); extern void end; _Alignas(8) int w; _Static_assert(sizeof(w) == nobody_knows(1), \"\");",
    );
}

#[test]
fn structures_by_value_have_the_members_that_conventions_see() {
    let c = read(
        "struct s { char tag; struct { short x, y : 3; }; float v[2]; }; struct s f(struct s, va_list);",
    );
    let f = c.function("f").expect("it is declared");
    assert_eq!(
        c.passed(f.ret).map(|ty| ty.to_string()).as_deref(),
        Ok("{int8, {int16, uint8}, 2 x float}")
    );
    let params = c
        .passed_params(&c.function_type(f.ty).expect("a function"))
        .expect("they are passed");
    assert_eq!(params[1], farcall_arch::Type::POINTER);
}

/// The type that the last structure of a text is passed as, on a platform.
fn passed(platform: Platform, text: &str) -> std::result::Result<farcall_arch::Type, Unpassable> {
    let mut c = Declarations::new(platform).expect("memory");
    c.read(text).expect("it is C");
    let (_, ty) = c.tags().last().expect("there is one");
    c.passed(ty)
}

#[test]
fn what_compilers_pass_differently_is_refused_where_they_do() {
    let of_floats = [
        "struct s { int : 32; float x; };",
        "struct s { double x; int : 3; };",
        "union s { float x; int : 0; };",
        "struct s { struct { int : 3; float x; } a; float y; };",
        "struct s { float x; int empty[0]; };",
        "struct s { double x; char rest[]; };",
    ];
    let packed = [
        "struct inner { int x : 3; }; struct s { char c; struct inner i; } __attribute__((packed));",
        "typedef int low __attribute__((aligned(1))); struct s { char c; low x; } __attribute__((packed));",
        "union bits { char c; int x : 29; } __attribute__((packed)); struct s { char c; union bits u; };",
        "struct s { char c; union { int : 9; char x[2]; } __attribute__((packed)) u; };",
    ];
    for text in of_floats.into_iter().chain(packed) {
        let refused = passed(Platform::LINUX_X86_64, text);
        assert_eq!(refused, Err(Unpassable::Disputed), "{text}");
        assert!(passed(Platform::WINDOWS_X86_64_GNU, text).is_ok(), "{text}");
    }
    for text in of_floats {
        let refused = passed(Platform::LINUX_AARCH64, text);
        assert_eq!(refused, Err(Unpassable::Disputed), "{text}");
    }
    // Where Microsoft's rules meet attributes of a bit-field.
    for text in [
        "struct s { char a : 6 __attribute__((packed)); int b : 28; };",
        "struct s { short a : 16 __attribute__((aligned(16))); int b : 3; };",
    ] {
        let refused = passed(Platform::WINDOWS_X86_64_GNU, text);
        assert_eq!(refused, Err(Unpassable::Disputed), "{text}");
        assert!(passed(Platform::LINUX_X86_64, text).is_ok(), "{text}");
    }
    for text in packed {
        assert!(passed(Platform::LINUX_AARCH64, text).is_ok(), "{text}");
    }
    // On AArch64: this one, and the one that GCC treats as a complex number.
    for text in [
        "struct s { float x; int : 0; float y; };",
        "struct s { double _Complex x; int empty[0]; };",
    ] {
        let refused = passed(Platform::LINUX_AARCH64, text);
        assert_eq!(refused, Err(Unpassable::Disputed), "{text}");
    }
    for text in [
        "struct s { int x; int : 3; };",
        "struct s { float x; int : 0; float y; };",
        "struct s { double x[2]; long : 3; };",
        "struct s { char c; short x; } __attribute__((packed));",
        "union bits { char c; int x : 8; } __attribute__((packed)); struct s { char c; union bits u; };",
        "struct inner { short x; }; struct s { char c; struct inner i; } __attribute__((packed));",
    ] {
        assert!(passed(Platform::LINUX_X86_64, text).is_ok(), "{text}");
    }
}

#[test]
fn conventions_see_how_members_are_aligned_and_what_is_between_them() {
    let members = |text| match passed(Platform::LINUX_AARCH64, text) {
        Ok(farcall_arch::Type::Struct(members)) => (members.natural_align(), members.is_mixed()),
        other => panic!("{text}: {other:?}"),
    };
    for (text, natural_align, is_mixed) in [
        ("struct s { __int128 x; };", 16, false),
        (
            "struct s { __int128 x; } __attribute__((packed));",
            1,
            false,
        ),
        ("#pragma pack(8)\nstruct s { __int128 x; };", 8, false),
        (
            "struct s { int x __attribute__((aligned(16))); };",
            16,
            false,
        ),
        (
            "struct s { int x; } __attribute__((aligned(16)));",
            4,
            false,
        ),
        ("struct s { int x; int : 0; float y; };", 4, false),
        ("union s { int x; int : 32; };", 4, true),
        ("struct s { long x; char rest[0]; };", 8, true),
        ("struct s { long x; char rest[]; };", 8, true),
    ] {
        assert_eq!(members(text), (natural_align, is_mixed), "{text}");
    }
}

#[test]
fn large_array_in_a_structure_takes_no_memory_for_its_elements() {
    let c = read("struct s { struct { struct { char a[1 << 12]; } b[1 << 8]; } c[1 << 7]; };");
    let (_, ty) = c.tags().next().expect("there is one");
    let passed = c.passed(ty).expect("it is passed");
    assert_eq!(passed.size(), 1 << 27);
}

#[test]
fn error_shows_the_line_with_a_caret() {
    assert_eq!(
        error("int f(void);\n\tint g(strukt s *);\n"),
        "2:8: expected a type, got 'strukt'\n int g(strukt s *);\n       ^^^^^^"
    );
}

#[test]
fn nesting_without_end_is_an_error() {
    for text in [
        "(",
        "[",
        "*",
        "struct {",
        "int(",
        "int (*f)(",
        "enum { A = (",
        "__attribute__((",
        "int a[~",
        "typeof(",
        "_Atomic(",
        "_Alignas(",
        "enum a : ",
        "_Static_assert(",
    ] {
        let long = format!("int {}", text.repeat(100_000));
        assert!(!error(&long).is_empty(), "{text}");
        assert!(!error(&text.repeat(100_000)).is_empty(), "{text}");
    }
    for text in [
        "(", "-", "~", "1?", "1+", "sizeof ", "(int)", "\"a\"", "1*(",
    ] {
        read(&format!("#define A {}\n", text.repeat(100_000)));
    }
    let chain: String = (1..3000)
        .map(|n| format!("typedef a{} a{n}[1];", n - 1))
        .collect();
    assert!(error(&format!("typedef char a0;{chain}")).contains("expected a type of at most"));
    let names: String = (1..100_000)
        .map(|n| format!("typedef a{} a{n};", n - 1))
        .collect();
    let c = read(&format!("typedef char a0;{names}"));
    assert_eq!(
        c.layout(c.typedef("a99999").expect("it is declared"))
            .map(|l| l.size),
        Some(1)
    );
}

#[test]
fn text_that_fails_leaves_nothing_behind() {
    let mut c =
        read("struct s; enum e *q(void); extern int a[]; int f(); typedef long t; struct s *p;");
    let before = format!("{c:?}");
    let mut text = String::from(
        "struct s { int x; const char *y; }; enum e { ONE, TWO }; extern int a[3]; int f(int) __asm__(\"g\");
         #define THREE (TWO + 1)\nint a_new_function(struct s, struct u *, t[3]); ",
    );
    for number in 0..500 {
        text += &format!("typedef struct n{number} *p{number}; p{number} f{number}(void);");
    }
    for end in [
        "int int;",
        "struct s { int x; };",
        "double f2;",
        "int f(",
        "#if\n",
    ] {
        assert!(c.read(&format!("{text}{end}")).is_err(), "{end}");
        assert!(
            c.variables()
                .nth(1)
                .is_some_and(|v| c.record(v.ty).is_none())
        );
        assert_eq!(
            without_tables(&format!("{c:?}")),
            without_tables(&before),
            "{end}"
        );
    }
    c.read(&text).expect("what was taken back can be declared");
    assert_eq!(
        c.show(c.function("f").expect("it is").ty).to_string(),
        "int(int)"
    );
    assert_eq!(
        c.layout(c.variable("a").expect("it is").ty).map(|l| l.size),
        Some(12)
    );
}

/// Removes the tables, which may have grown.
fn without_tables(debug: &str) -> String {
    let mut parts = debug.split("slots: [");
    let first = parts.next().unwrap_or_default();
    let rest = parts.filter_map(|part| Some(part.split_once(']')?.1));
    std::iter::once(first).chain(rest).collect()
}

#[test]
fn pragmas_that_are_operators_count_as_those_that_are_lines() {
    let size = |text: &str| {
        let c = read(text);
        let layout = c.layout(c.typedef("s").expect("it is declared"));
        layout.map(|layout| layout.size)
    };
    let members = "{ char c; int x; }";
    assert_eq!(
        size(&format!("_Pragma(\"pack(1)\") typedef struct {members} s;")),
        Some(5)
    );
    assert_eq!(
        size(&format!(
            "int _Pragma(\"once\") a; _Pragma(L\"pack(push, 2)\")_Pragma(\"GCC poison \\\"b\\\"\") typedef struct _Pragma(\"pack(pop)\") {members} s;"
        )),
        Some(8)
    );
    assert_eq!(
        size(&format!(
            "_Pragma(\"pack(push, 2)\") typedef struct {members} s; _Pragma(\"pack(pop)\") struct t {members};"
        )),
        Some(6)
    );
    assert_eq!(
        error("int a;\n_Pragma(pack(1)) int b;"),
        "2:1: expected a string in brackets behind '_Pragma'\n_Pragma(pack(1)) int b;\n^^^^^^^"
    );
    assert!(error("_Pragma(\"pack(3)\") int b;").starts_with("1:1: expected an alignment"));
    assert!(error("_Pragma(\"pack(1)\"").contains("expected a string in brackets"));
}

#[test]
fn digraphs_are_read() {
    let c = read(
        "typedef struct <% int a<:3:>; %> s; int f(s x<::>);\n%:define N <:\n%:define M 7 %:%: 1\n  %: pragma pack(1)\nstruct t <% char c; int x; %>;",
    );
    let show = |name: &str| c.function(name).map(|f| c.show(f.ty).to_string());
    assert_eq!(show("f").as_deref(), Some("int(s *)"));
    let size = |ty| c.layout(ty).map(|layout| layout.size);
    assert_eq!(c.typedef("s").and_then(size), Some(12));
    assert_eq!(c.tags().next().and_then(|(_, ty)| size(ty)), Some(5));
    assert_eq!(c.constants().count(), 0);
}

#[test]
fn type_in_passing_leaves_nothing_behind() {
    let mut c = read("struct s { int x; };");
    let types = c.types.len();
    let size = c.in_passing(|c| {
        let ty = c.type_named("struct { struct s a[4]; struct new_tag *b; }")?;
        Ok::<_, Error>(c.layout(ty))
    });
    assert_eq!(size.expect("a type").map(|layout| layout.size), Some(24));
    assert_eq!((c.types.len(), c.tags().count()), (types, 1));
}

#[test]
fn derived_types_are_kept_once() {
    let c = read(
        "const char *a(const char *, const char *, int[3]); const char *b(int *, void *, void *);",
    );
    let types = (0..).map_while(|number| c.type_numbered(number));
    let pointers = types.filter(|ty| matches!(c.get(*ty), Ty::Pointer { .. }));
    assert_eq!(pointers.count(), 3);
}
