// Part of stepper.c: threads that stop on their way into a callback.

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

typedef struct {
    int (*f)(int);
    int x;
    long steps;
    int result;
    bool has_ended;
    pthread_t thread;
} late_t;

static late_t late;
static sem_t arrived, may_go_on;

static void stop_here(int number) {
    (void)number;
    sem_post(&arrived);
    // The collector's signal comes meanwhile.
    while (sem_wait(&may_go_on) != 0) {
    }
}

static void go_ahead(int number) {
    (void)number;
}

static void call_late(void) {
    wanted = stop_here;
    count_steps(late.steps);
    late.result = late.f(late.x);
    wanted = go_ahead;
    stop_counting();
    late.has_ended = true;
    sem_post(&arrived);
}

static void *run_late(void *unused) {
    call_late();
    return unused;
}

PEER int prepare_late(int (*f)(int), int x, long steps) {
    late = (late_t) { .f = f, .x = x, .steps = steps };
    return sem_init(&arrived, 0, 0) != 0 || sem_init(&may_go_on, 0, 0) != 0;
}

// Has a thread that only C knows call. Others call by themselves.
PEER int start_late(void) {
    return pthread_create(&late.thread, NULL, run_late, NULL);
}

PEER void run_late_here(void) {
    call_late();
}

// Waits until the thread has stopped. Then this is 1, or 2 where it goes no further with any more steps; 0 if it is over.
PEER int await_late(void) {
    while (sem_wait(&arrived) != 0) {
    }
    return late.has_ended ? 0 : is_at_end ? 2 : 1;
}

// Has it go on, and waits for its end.
PEER int end_late(void) {
    if (!late.has_ended) {
        sem_post(&may_go_on);
        await_late();
    }
    if (late.thread != 0) {
        pthread_join(late.thread, NULL);
    }
    return late.result;
}
