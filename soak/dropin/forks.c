/* Forks while other threads make signatures and closures; each child does so, too. */
#include "soak.h"
static volatile int is_over;
static void *others(void *seed) {
    while (!is_over) CHECK(soak_use((unsigned *)seed));
    return NULL;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    unsigned seed = soak_seed, seeds[2] = {soak_seed + 1, soak_seed + 2};
    pthread_t threads[2];
    for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, others, &seeds[i]);
    long rounds = 0;
    for (; soak_goes_on(); ++rounds) {
        soak_dawdle(&seed, 50000);
        pid_t child = fork();
        if (child == 0) {
            alarm(300);
            for (int i = 0; i < 5; ++i) CHECK(soak_use(&seed));
            _exit(0);
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    is_over = 1;
    for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
    printf("rounds %ld\n", rounds);
    return 0;
}
