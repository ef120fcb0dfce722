/* Forks during the very first use, each time in a process of its own. */
#include "soak.h"
static pthread_barrier_t barrier;
static void *first(void *seed) {
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; ++i) CHECK(soak_use((unsigned *)seed));
    return NULL;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    long rounds = 0;
    for (; soak_goes_on(); ++rounds) {
        pid_t process = fork();
        if (process == 0) {
            unsigned seed = soak_seed + (unsigned)rounds, other = seed;
            pthread_t thread;
            alarm(600);
            pthread_barrier_init(&barrier, NULL, 2);
            pthread_create(&thread, NULL, first, &other);
            pthread_barrier_wait(&barrier);
            soak_dawdle(&seed, 10000);
            pid_t child = fork();
            if (child == 0) {
                alarm(300);
                CHECK(soak_use(&seed));
                _exit(0);
            }
            int status = -1;
            CHECK(waitpid(child, &status, 0) == child);
            CHECK(status == 0);
            pthread_join(thread, NULL);
            _exit(0);
        }
        int status = -1;
        CHECK(waitpid(process, &status, 0) == process);
        CHECK(status == 0);
    }
    printf("rounds %ld\n", rounds);
    return 0;
}
