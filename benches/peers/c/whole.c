// Times whole processes by turns: the processor's time that each takes, from its start to its end, the loader's and the kernel's work for it
// included. Time in which another program has the processor is not in it.
//
//   whole ROUNDS ROW NAME=PROGRAM... -- ARGUMENT...

#define _GNU_SOURCE
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

enum { PEERS = 8, WARM_UP = 2 };

struct peer {
    const char *name;
    char *program;
    double *rounds;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

// Keeps this process and its children on the last processor that it may use.
static void pin(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        int last = CPU_SETSIZE - 1;
        while (last > 0 && !CPU_ISSET(last, &set)) {
            --last;
        }
        CPU_ZERO(&set);
        CPU_SET(last, &set);
        sched_setaffinity(0, sizeof(set), &set);
    }
}

static double nanoseconds(struct timeval time) {
    return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

// Runs a program to its end; returns the processor's time that it took.
static double run(char **arguments) {
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
    int rounds = atoi(argv[1]);
    struct peer peers[PEERS];
    for (int i = 0; i < count; ++i) {
        char *program = strchr(argv[3 + i], '=');
        if (program == NULL || (peers[i].rounds = calloc((size_t)rounds, sizeof(double))) == NULL) {
            fail(argv[3 + i]);
        }
        *program = 0;
        peers[i].name = argv[3 + i];
        peers[i].program = program + 1;
    }
    pin();
    char **arguments = &argv[3 + count];
    for (int round = -WARM_UP; round < rounds; ++round) {
        for (int i = 0; i < count; ++i) {
            arguments[0] = peers[i].program;
            double time = run(arguments);
            if (round >= 0) {
                peers[i].rounds[round] = time;
            }
        }
    }
    for (int i = 0; i < count; ++i) {
        printf("sample\t%s\t%s\t", argv[2], peers[i].name);
        for (int round = 0; round < rounds; ++round) {
            printf("%s%.0f", round == 0 ? "" : " ", peers[i].rounds[round]);
        }
        putchar('\n');
    }
    return 0;
}
