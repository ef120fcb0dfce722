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
        Some(Constant::Integer(value)) => *value,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(
        ["A", "B", "C", "D", "E", "F", "G", "H"].map(integer),
        [97, -1, 1 << 31, 12, 0, 44, 2, 113]
    );
    assert_eq!(c.constant("I"), Some(&Constant::Text(b"x\ny".to_vec())));
    assert_eq!(c.constant("J"), Some(&Constant::Float(-1500.0)));
    assert!(c.constant("K").is_none() && c.constant("L").is_none());
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
        .passed_params(c.function_type(f.ty).expect("a function"))
        .expect("they are passed");
    assert_eq!(params[1], farcall_arch::Type::POINTER);
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
    ] {
        let long = format!("int {}", text.repeat(100_000));
        assert!(!error(&long).is_empty(), "{text}");
        assert!(!error(&text.repeat(100_000)).is_empty(), "{text}");
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
