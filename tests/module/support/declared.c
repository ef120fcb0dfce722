// Functions of C types for tests of declarations. Part of peer.c, which includes it.

#include <complex.h>
#include <stdbool.h>

// echo_*: an argument, back as the result.
#define ECHO(name, type) \
    PEER type echo_##name(type x) { return x; } \
    PEER type through_##name(type (*f)(type), type x) { return f(x); } \
    PEER type wide_##name = 1;
ECHO(bool, _Bool)
ECHO(char, char)
ECHO(schar, signed char)
ECHO(uchar, unsigned char)
ECHO(short, short)
ECHO(ushort, unsigned short)
ECHO(int, int)
ECHO(uint, unsigned int)
ECHO(long, long)
ECHO(ulong, unsigned long)
ECHO(llong, long long)
ECHO(ullong, unsigned long long)
ECHO(i128, __int128)
ECHO(u128, unsigned __int128)
ECHO(float, float)
ECHO(double, double)
ECHO(ldouble, long double)
ECHO(fcomplex, float _Complex)
ECHO(dcomplex, double _Complex)
ECHO(lcomplex, long double _Complex)

enum jewel { RUBY = 1, LEAF = 2, SKY = 40 };
PEER enum jewel echo_jewel(enum jewel x) { return x; }

// Structs of many shapes, by value. turn_*: one with all of its parts changed.
typedef struct { int x, y; } point_t;
typedef struct { float x, y; } spot_t;
typedef struct { double x; int n; } mixed_t;
typedef struct { char tag; short v[3]; } odd_t;
typedef struct { long long v[5]; } big_t;
typedef struct { double x, y, z; } space_t;
typedef union { int i; float f; } either_t;
struct tiny { unsigned char b; };
struct line { point_t from, to; };

PEER point_t turn_point(point_t p) { return (point_t) { p.y, p.x }; }
PEER spot_t turn_spot(spot_t p) { return (spot_t) { p.y, p.x }; }
PEER mixed_t turn_mixed(mixed_t m) { return (mixed_t) { m.x * 2, m.n + 1 }; }
PEER odd_t turn_odd(odd_t o) { return (odd_t) { (char)(o.tag + 1), { o.v[2], o.v[1], o.v[0] } }; }
PEER big_t turn_big(big_t b) { return (big_t) { { b.v[4], b.v[3], b.v[2], b.v[1], b.v[0] } }; }
PEER space_t turn_space(space_t s) { return (space_t) { s.z, s.y, s.x }; }
PEER either_t turn_either(either_t e) { e.i += 1; return e; }
PEER struct tiny turn_tiny(struct tiny t) { t.b ^= 255; return t; }
PEER struct line turn_line(struct line n) { return (struct line) { n.to, n.from }; }

// Structs among so many other arguments that they go on in memory.
PEER double sum_structs(int a, point_t p, double b, big_t g, spot_t s, int c, int d, int e, int f, point_t q, space_t t) {
    return a + p.x + 2 * p.y + b + g.v[4] + s.x + s.y + c + d + e + f + 3 * q.x + 5 * q.y + t.z;
}

// The same ones through a callback, with the result in registers and in memory.
PEER point_t through_point(point_t (*f)(point_t), point_t p) { return f(p); }
PEER big_t through_big(big_t (*f)(big_t, int), big_t b, int n) { return f(b, n); }
PEER mixed_t through_mixed(mixed_t (*f)(int, mixed_t, double), mixed_t m) { return f(3, m, 0.5); }
PEER int through_tiny(int (*f)(struct tiny), int b) { return f((struct tiny) { (unsigned char)b }); }

PEER point_t var_point = { 3, 4 };
PEER int var_numbers[4] = { 1, 2, 3, 4 };
PEER char *var_text = "text";
PEER enum jewel var_jewel = LEAF;

// Texts, and what a caller keeps.
PEER const char *name_of_jewel(enum jewel c) { return c == RUBY ? "red" : c == LEAF ? "green" : NULL; }
PEER unsigned char *same_bytes(unsigned char *bytes) { return bytes; }
PEER int length_by(int (*f)(const char *, void *), const char *text, void *data) { return f(text, data); }

static int (*lent)(int);
PEER int lend(int (*f)(int)) { lent = f; return f == NULL ? 0 : f(1); }
PEER int call_lent(int x) { return lent(x); }

typedef int (*adder)(int, int);
PEER adder choose(int which) { return which == 0 ? NULL : add2; }

// Variadic: `format` has 'i' for an int, 'q' for a long long, 'd' for a double and 's' for a text's length.
PEER double sum_all(const char *format, ...) {
    double sum = 0;
    va_list list;
    va_start(list, format);
    for (; *format != '\0'; ++format) {
        switch (*format) {
            case 'i':
                sum += va_arg(list, int);
                break;
            case 'q':
                sum += (double)va_arg(list, long long);
                break;
            case 'd':
                sum += va_arg(list, double);
                break;
            default: {
                const char *text = va_arg(list, const char *);
                sum += text == NULL ? -1 : (double)strlen(text);
            }
        }
    }
    va_end(list);
    return sum;
}
PEER point_t point_of(int n, ...) {
    va_list list;
    va_start(list, n);
    point_t p = { n, va_arg(list, int) };
    va_end(list);
    return p;
}
