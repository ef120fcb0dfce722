// The functions that scripts need besides the cases.

#include <stdint.h>

// Calls back a given number of times. Returns the last result.
int32_t call_back(int32_t (*f)(int32_t, int32_t), int64_t count) {
    int32_t last = 0;
    for (int64_t i = 0; i < count; ++i) {
        last = f((int32_t)i, 1);
    }
    return last;
}

// The same for functions of one argument.
int32_t call_back_one(int32_t (*f)(int32_t), int64_t count) {
    int32_t last = 0;
    for (int64_t i = 0; i < count; ++i) {
        last = f((int32_t)i);
    }
    return last;
}

// A struct by value, and the same two numbers one by one.
struct pair {
    int64_t first, second;
};

int64_t add_pair(struct pair pair) {
    return pair.first + pair.second;
}

int64_t add_two(int64_t first, int64_t second) {
    return first + second;
}

struct pair pair_of(int64_t first, int64_t second) {
    return (struct pair) { first, second };
}
