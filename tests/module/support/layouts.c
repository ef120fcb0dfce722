// Structures that the tests of layouts read and fill. The compiler and the scripts have them from the same text.

#include <stddef.h>
#include <wchar.h>

#define BOTH(name, ...) __VA_ARGS__ PEER const char *name(void) { return #__VA_ARGS__; }

BOTH(layouts_text,
    enum colour { RED, GREEN = 5, BLUE };
    struct scalars {
        char c; signed char sc; unsigned char uc; short s; unsigned short us; int i; unsigned u; long l; unsigned long ul;
        long long q; unsigned long long uq; float f; double d; _Bool b; void *p; enum colour e; size_t z; wchar_t w;
    };
    struct bits {
        unsigned a : 3; unsigned b : 5; unsigned : 0; unsigned c : 31; unsigned long long d : 40; int e : 4;
        unsigned short f : 16; signed char g : 8; unsigned h : 1;
    };
    struct units { unsigned char a : 1; unsigned char b : 7; unsigned short c : 9; char x; unsigned y : 20; };
    struct inner { short x; int y[3]; };
    struct nested { char tag; struct inner in; struct inner list[2]; };
    union either { int i; double d; unsigned char bytes[12]; };
    struct anonymous {
        int kind; union { int number; float real; struct { short low; short high; }; }; int end;
    };
    struct __attribute__((packed)) tight { char c; int i; double d; short s; };
    struct __attribute__((packed)) three { unsigned a : 9; unsigned b : 15; };
    struct flexible { unsigned short len; int data[]; };
    struct grid { int m[2][3]; char names[2][8]; struct inner *p; long double wide; float x[2]; };
    struct over { char c; int x __attribute__((aligned(16))); char end; };
    typedef struct { double re; double im; } pair;
    struct pairs { pair first; pair all[2]; };
)

// Name, size and alignment of each type, and name, offset and size of each of its members that is no bit-field.
#define TYPE(type) p += sprintf(p, #type ",%u,%u\n", (unsigned)sizeof(type), (unsigned)_Alignof(type));
#define MEMBER(type, member) p += sprintf(p, "." #member ",%u,%u\n", (unsigned)offsetof(type, member), \
        (unsigned)sizeof(((type *)0)->member));

PEER const char *layouts_table(void) {
    static char text[8192];
    char *p = text;
#define M(member) MEMBER(struct scalars, member)
    TYPE(struct scalars)
    M(c) M(sc) M(uc) M(s) M(us) M(i) M(u) M(l) M(ul) M(q) M(uq) M(f) M(d) M(b) M(p) M(e) M(z) M(w)
#undef M
    TYPE(struct bits)
    TYPE(struct units) MEMBER(struct units, x)
    TYPE(struct inner) MEMBER(struct inner, x) MEMBER(struct inner, y)
    TYPE(struct nested) MEMBER(struct nested, tag) MEMBER(struct nested, in) MEMBER(struct nested, list)
    TYPE(union either) MEMBER(union either, i) MEMBER(union either, d) MEMBER(union either, bytes)
    TYPE(struct anonymous) MEMBER(struct anonymous, kind) MEMBER(struct anonymous, number)
    MEMBER(struct anonymous, real) MEMBER(struct anonymous, low) MEMBER(struct anonymous, high)
    MEMBER(struct anonymous, end)
    TYPE(struct tight) MEMBER(struct tight, c) MEMBER(struct tight, i) MEMBER(struct tight, d)
    MEMBER(struct tight, s)
    TYPE(struct three)
    TYPE(struct flexible) MEMBER(struct flexible, len)
    TYPE(struct grid) MEMBER(struct grid, m) MEMBER(struct grid, names) MEMBER(struct grid, p)
    MEMBER(struct grid, wide) MEMBER(struct grid, x)
    TYPE(struct over) MEMBER(struct over, c) MEMBER(struct over, x) MEMBER(struct over, end)
    TYPE(pair) MEMBER(pair, re) MEMBER(pair, im)
    TYPE(struct pairs) MEMBER(struct pairs, first) MEMBER(struct pairs, all)
    return text;
}

// The values that both sides write and expect.
PEER void fill_scalars(struct scalars *s) {
    struct scalars values = {
        'c', -3, 253, -30000, 60000, -2000000000, 4000000000u, -2000000000, 4000000000u, -1234567890123456789,
        12345678901234567890u, 0.5f, -0.25, 1, (void *)0x123456789a, BLUE, 77, 0x263a,
    };
    *s = values;
}

PEER int check_scalars(const struct scalars *s) {
    return s->c == 'c' && s->sc == -3 && s->uc == 253 && s->s == -30000 && s->us == 60000 && s->i == -2000000000
           && s->u == 4000000000u && s->l == -2000000000 && s->ul == 4000000000u && s->q == -1234567890123456789
           && s->uq == 12345678901234567890u && s->f == 0.5f && s->d == -0.25 && s->b == 1
           && s->p == (void *)0x123456789a && s->e == BLUE && s->z == 77 && s->w == 0x263a;
}

PEER void fill_bits(struct bits *s) {
    struct bits values = { .a = 5, .b = 21, .c = 0x5a5a5a5a, .d = 0x123456789a, .e = 3, .f = 0xfedc, .g = -9, .h = 1 };
    *s = values;
}

PEER int check_bits(const struct bits *s) {
    return s->a == 5 && s->b == 21 && s->c == 0x5a5a5a5a && s->d == 0x123456789a && s->e == -3 && s->f == 0xfedc
           && s->g == -9 && s->h == 1;
}

PEER void fill_units(struct units *s) {
    struct units values = { .a = 1, .b = 100, .c = 300, .x = 'x', .y = 0xabcde };
    *s = values;
}

PEER int check_units(const struct units *s) {
    return s->a == 1 && s->b == 100 && s->c == 300 && s->x == 'x' && s->y == 0xabcde;
}

PEER void fill_nested(struct nested *s) {
    struct nested values = { 't', { 1, { 2, 3, 4 } }, { { 5, { 6, 7, 8 } }, { -9, { -10, -11, -12 } } } };
    *s = values;
}

PEER int check_nested(const struct nested *s) {
    return s->tag == 't' && s->in.x == 1 && s->in.y[0] == 2 && s->in.y[2] == 4 && s->list[0].x == 5
           && s->list[0].y[1] == 7 && s->list[1].x == -9 && s->list[1].y[2] == -12;
}

PEER void fill_anonymous(struct anonymous *s) {
    s->kind = 1;
    s->low = 0x1234;
    s->high = 0x5678;
    s->end = -1;
}

PEER int check_anonymous(const struct anonymous *s) {
    return s->kind == 1 && s->number == 0x56781234 && s->end == -1;
}

PEER void fill_tight(struct tight *s) {
    struct tight values = { 'p', 0x12345678, 1.5, -2 };
    *s = values;
}

PEER int check_tight(const struct tight *s) {
    return s->c == 'p' && s->i == 0x12345678 && s->d == 1.5 && s->s == -2;
}

PEER void fill_three(struct three *s) {
    s->a = 300;
    s->b = 0x5555;
}

PEER int check_three(const struct three *s) {
    return s->a == 300 && s->b == 0x5555;
}

PEER void fill_grid(struct grid *s) {
    memset(s, 0, sizeof(*s));
    for (int i = 0; i < 6; ++i) {
        s->m[i / 3][i % 3] = i * 100 - 250;
    }
    strcpy(s->names[0], "first");
    strcpy(s->names[1], "second");
    s->p = (struct inner *)s;
    s->wide = 1;
    s->x[1] = 2.5f;
}

PEER int check_grid(const struct grid *s) {
    return s->m[0][0] == -250 && s->m[1][2] == 250 && strcmp(s->names[0], "first") == 0
           && strcmp(s->names[1], "second") == 0 && s->p == NULL && s->x[0] == 0 && s->x[1] == 2.5f;
}

PEER void fill_pairs(struct pairs *s) {
    struct pairs values = { { 1, 2 }, { { 3, 4 }, { 5, 6 } } };
    *s = values;
}

PEER int check_pairs(const struct pairs *s) {
    return s->first.re == 1 && s->first.im == 2 && s->all[0].re == 3 && s->all[1].im == 6;
}

PEER void fill_over(struct over *s) {
    s->c = 'a';
    s->x = -7;
    s->end = 'z';
}
