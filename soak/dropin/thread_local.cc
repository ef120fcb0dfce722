// Destructors of C++ thread_local objects call closures, and make some.
#include "soak.h"
static volatile long ended;
struct AtEnd {
    unsigned seed = 0;
    ~AtEnd() {
        CHECK(soak_use(&seed));
        __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
    }
};
static thread_local AtEnd at_end;
static void *thread(void *seed) {
    at_end.seed = (unsigned)(uintptr_t)seed;
    if (at_end.seed % 2) CHECK(soak_use(&at_end.seed));
    return nullptr;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    long rounds = 0;
    for (; soak_goes_on(); rounds += 2) {
        pthread_t one, two;
        CHECK(pthread_create(&one, nullptr, thread, (void *)(uintptr_t)(soak_seed + rounds)) == 0);
        CHECK(pthread_create(&two, nullptr, thread, (void *)(uintptr_t)(soak_seed + rounds + 1)) == 0);
        pthread_join(one, nullptr);
        pthread_join(two, nullptr);
    }
    CHECK(ended == rounds);
    printf("rounds %ld\n", rounds);
}
