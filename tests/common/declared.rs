//! What C text declares of `tests/c/peer.c`: calls with structures and wide numbers.

use super::peer;
use farcall::{Declarations, Function, StructBytes, Value};

/// The declarations of the end of `tests/c/peer.c`.
pub const PEER: &str = "
    struct mixed { int8_t a; double b; };
    struct floats { float v[3]; };
    struct large { int64_t v[5]; };
    struct odd { uint8_t v[3]; };
    struct bits { unsigned a : 3, b : 9; int c; };
    struct over { _Alignas(64) int64_t v[2]; };
    union number { int32_t i; double d; };
    enum colour { RED, GREEN = 5, BLUE };

    struct mixed scale_mixed(struct mixed m, int by);
    struct floats reverse_floats(struct floats f);
    struct odd turn_odd(struct odd o);
    struct bits flip_bits(struct bits b);
    union number half_number(union number n);
    struct large shift_large(double by, struct large l, struct mixed m);
    struct over make_over(int64_t a);

    __int128 times(__int128 a, int64_t b);
    unsigned __int128 flip_wide(int a, unsigned __int128 b);
    long double third(long double a);
    double _Complex times_i(double _Complex a);
    float _Complex conjugate(float _Complex a);
    _Bool not(_Bool a);
    enum colour next_colour(enum colour c);
    double weigh_more(int count, ...);

    typedef struct large make_large(struct mixed, struct large);
    struct large call_large(make_large *f, int64_t a);
    struct mixed call_mixed(struct mixed (*f)(struct mixed, int), struct mixed m);
    long double call_long(long double (*f)(long double, __int128), __int128 a);
    _Bool call_not(_Bool (*f)(_Bool), _Bool a);

    extern struct mixed kept_mixed;
    extern long double kept_long;
    extern int kept_numbers[3];
    extern _Bool kept_bool;
    extern enum colour kept_colour;
";

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixed {
    pub a: i8,
    pub b: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Large {
    pub v: [i64; 5],
}

pub fn declarations() -> Declarations {
    Declarations::parse(PEER).expect("good declarations")
}

pub fn function(name: &str) -> Function {
    peer()
        .function_in(&declarations(), name)
        .expect("a function of the peer library")
}

/// Calls a function of the library: more often than follow the plan before there is code, each time with the same result.
pub fn call(name: &str, args: &[Value]) -> Value {
    let function = function(name);
    // SAFETY: the declarations are those of peer.c, whose functions use nothing but their arguments.
    let mut results = (0..1000).map(|_| unsafe { function.call(args) }.expect("a call that fits"));
    let first = results.next().expect("a result");
    let by_plan_and_code = results.filter(|result| !is_same(result, &first)).count();
    assert_eq!(by_plan_and_code, 0, "{name}");
    first
}

/// Whether two values are the same, but for padding.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Struct(a), Value::Struct(b)) => a.len() == b.len(),
        (a, b) => a == b,
    }
}

pub fn bytes<T: Copy>(value: T) -> Value {
    StructBytes::of(&value).expect("memory").into()
}

/// A structure's content.
pub fn read<T: Copy>(value: Value) -> T {
    let bytes = StructBytes::try_from(value).expect("a structure");
    // SAFETY: all structures of these tests have members that are numbers.
    unsafe { bytes.read() }.expect("as large as the type")
}

pub fn error(name: &str, args: &[Value]) -> String {
    // SAFETY: nothing is called.
    unsafe { function(name).call(args) }
        .expect_err("no call")
        .to_string()
}
