/* Threads that come and go use more signatures than the library remembers. */
#include "soak.h"
static void *some(void *seed) {
    for (int i = 0; i < 100; ++i) CHECK(soak_use((unsigned *)seed));
    return NULL;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    long rounds = 0;
    unsigned seeds[3];
    while (soak_goes_on()) {
        pthread_t threads[3];
        for (int i = 0; i < 3; ++i) {
            seeds[i] = soak_seed + (unsigned)rounds + (unsigned)i;
            CHECK(pthread_create(&threads[i], NULL, some, &seeds[i]) == 0);
        }
        for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
        rounds += 300;
    }
    printf("rounds %ld\n", rounds);
    return 0;
}
