// Times whole processes by turns: the processor's time that each takes, from its start to its end, the loader's and the kernel's work for it
// included. Time in which another program has the processor is not in it.
//
//   whole ROUNDS ROW NAME=PROGRAM... -- ARGUMENT...

#include "turns.h"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

enum { WARM_UP = 2 };

// The arguments of each program; the first is the program itself.
static char **arguments;

static double nanoseconds(struct timeval time) {
    return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

// Runs a program to its end; returns the processor's time that it took.
static double run(const char *program) {
    arguments[0] = (char *)program;
    pid_t child;
    int status;
    struct rusage usage;
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) != 0 || wait4(child, &status, 0, &usage) != child) {
        fail(arguments[0]);
    }
    if (status != 0) {
        fprintf(stderr, "%s ended with %d\n", arguments[0], status);
        exit(1);
    }
    return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

int main(int argc, char **argv) {
    int count = 0;
    while (3 + count < argc && strcmp(argv[3 + count], "--") != 0) {
        ++count;
    }
    if (count < 1 || count > PEERS || 3 + count == argc) {
        fputs("usage: whole ROUNDS ROW NAME=PROGRAM... -- ARGUMENT...\n", stderr);
        return 2;
    }
    arguments = &argv[3 + count];
    take_turns(argv[2], WARM_UP, atoi(argv[1]), count, &argv[3], run);
    return 0;
}
