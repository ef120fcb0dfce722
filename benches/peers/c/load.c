// Times what it takes to load a shared library, by turns: processes that are linked with it and do nothing, and dlopen() with dlclose()
// as the first thing a process does.
//
//   load linked ROUNDS NAME=PROGRAM...
//   load opened ROUNDS NAME=LIBRARY...
//   load open LIBRARY                    once, in this process

#include "turns.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { WARM_UP = 3 };

// This program.
static const char *self;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

// Runs a program to its end, its output going to `output` if that is not 0; returns the time it took.
static double run(char **arguments, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output != 0) {
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    }
    pid_t child;
    int status;
    double start = now();
    if (posix_spawn(&child, arguments[0], &actions, NULL, arguments, environ) != 0
        || waitpid(child, &status, 0) != child) {
        fail(arguments[0]);
    }
    double end = now();
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) {
        fprintf(stderr, "%s ended with %d\n", arguments[0], status);
        exit(1);
    }
    return end - start;
}

// The time of a process that is linked with the library.
static double linked(const char *program) {
    return run((char *[]) { (char *)program, NULL }, 0);
}

// The time to open and close the library, as a new process measures and prints it.
static double opened(const char *library) {
    int ends[2];
    char text[64];
    if (pipe(ends) != 0) {
        fail("pipe");
    }
    run((char *[]) { (char *)self, "open", (char *)library, NULL }, ends[1]);
    ssize_t length = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    close(ends[1]);
    if (length <= 0) {
        fail("read");
    }
    text[length] = 0;
    return atof(text);
}

static int open_once(const char *library) {
    double start = now();
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    dlclose(handle);
    double end = now();
    printf("%.0f\n", end - start);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "open") == 0) {
        return open_once(argv[2]);
    }
    int count = argc - 3;
    if (count < 1 || count > PEERS) {
        fputs("usage: load linked|opened ROUNDS NAME=FILE...\n", stderr);
        return 2;
    }
    self = argv[0];
    bool is_linked = strcmp(argv[1], "linked") == 0;
    take_turns(is_linked ? "load/linked" : "load/opened", WARM_UP, atoi(argv[2]), count, &argv[3], is_linked ? linked : opened);
    return 0;
}
