// Structures by value that machine code passes: of one register, of two of a kind or of both kinds, and in memory.

#include <stdbool.h>
#include <stdint.h>

#define DECLARED(name, ...) __VA_ARGS__ PEER const char *name(void) { return #__VA_ARGS__; }

DECLARED(by_value_text,
    struct by_value_point { double x; double y; };
    struct by_value_range { int32_t low; int32_t high; };
    struct by_value_mixed { int64_t n; double d; };
    struct by_value_three { int8_t bytes[3]; };
    struct by_value_large { int64_t words[5]; };
    struct by_value_floats { float parts[3]; };
    )

PEER double by_value_dot(struct by_value_point a, struct by_value_point b) {
    return a.x * b.x + a.y * b.y;
}

PEER struct by_value_point by_value_turned(struct by_value_point a) {
    struct by_value_point turned = { -a.y, a.x };
    return turned;
}

PEER int64_t by_value_length(struct by_value_range a) {
    return (int64_t)a.high - a.low;
}

PEER struct by_value_range by_value_range(int32_t low, int32_t high) {
    struct by_value_range range = { low, high };
    return range;
}

PEER struct by_value_mixed by_value_mixed(struct by_value_mixed a, bool negative) {
    a.n = negative ? -a.n : a.n;
    a.d = negative ? -a.d : a.d;
    return a;
}

PEER int32_t by_value_sum(uint8_t first, struct by_value_three a, struct by_value_large b, struct by_value_floats c, int16_t last) {
    int32_t sum = first + last;
    for (int i = 0; i < 3; ++i) {
        sum += a.bytes[i] + (int32_t)c.parts[i];
    }
    for (int i = 0; i < 5; ++i) {
        sum += (int32_t)b.words[i];
    }
    return sum;
}
