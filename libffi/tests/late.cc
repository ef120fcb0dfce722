// The library that late.c opens.

#include <stdexcept>

extern "C" void throws() { throw std::runtime_error("thrown"); }

extern "C" int catches(void (*call)()) {
    try {
        call();
    } catch (std::runtime_error &) {
        return 1;
    }
    return 0;
}
