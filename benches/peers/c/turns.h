// Common code of programs that time files by turns: each of the words NAME=FILE once a round, and a line of samples for each at the end.

#ifndef TURNS_H
#define TURNS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS = 8 };

struct peer {
    const char *name, *file;
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

// `count` is at most PEERS. The first rounds only warm up.
static void take_turns(const char *row, int warm_up, int rounds, int count, char **words, double (*measure)(const char *file)) {
    struct peer peers[PEERS];
    for (int i = 0; i < count; ++i) {
        char *file = strchr(words[i], '=');
        if (file == NULL || (peers[i].rounds = calloc((size_t)rounds, sizeof(double))) == NULL) {
            fail(words[i]);
        }
        *file = 0;
        peers[i].name = words[i];
        peers[i].file = file + 1;
    }
    pin();
    for (int round = -warm_up; round < rounds; ++round) {
        for (int i = 0; i < count; ++i) {
            double time = measure(peers[i].file);
            if (round >= 0) {
                peers[i].rounds[round] = time;
            }
        }
    }
    for (int i = 0; i < count; ++i) {
        printf("sample\t%s\t%s\t", row, peers[i].name);
        for (int round = 0; round < rounds; ++round) {
            printf("%s%.0f", round == 0 ? "" : " ", peers[i].rounds[round]);
        }
        putchar('\n');
    }
}

#endif // TURNS_H
