// Part of peer.c: threads that only C knows, and what they call.

#include <stdlib.h>
#include <time.h>

// call_on_thread_*: call_on_thread() with an argument and a result of each type.
#define CALL_ON_THREAD(code, type) \
    typedef struct { \
        type (*f)(type); \
        type x; \
    } job_##code##_t; \
    static void *run_job_##code(void *argument) { \
        job_##code##_t *job = argument; \
        job->x = job->f(job->x); \
        return NULL; \
    } \
    PEER type call_on_thread_##code(type (*f)(type), type x) { \
        job_##code##_t job = { f, x }; \
        thread_t thread; \
        if (begin_thread(&thread, run_job_##code, &job)) { \
            end_thread(&thread); \
        } \
        return job.x; \
    }
EACH_TYPE(CALL_ON_THREAD)
CALL_ON_THREAD(s, const char *)

// Threads that go on while Python does other things. All of them call `f` with 0, 1, 2 and so forth.
#define MAX_THREADS (32)
typedef struct {
    pthread_t thread;
    int (*f)(int);
    int times;
    long long sum;
} runner_t;

static runner_t runners[MAX_THREADS];
static int runner_count;

static void *run_calls(void *argument) {
    runner_t *runner = argument;
    for (int i = 0; i < runner->times; ++i) {
        runner->sum += runner->f(i);
    }
    return NULL;
}

PEER int start_threads(int (*f)(int), int threads, int times) {
    runner_count = 0;
    while (runner_count < threads && runner_count < MAX_THREADS) {
        runner_t *runner = &runners[runner_count];
        *runner = (runner_t) { .f = f, .times = times };
        if (pthread_create(&runner->thread, NULL, run_calls, runner) != 0) {
            break;
        }
        ++runner_count;
    }
    return runner_count;
}

// Waits for them, and gives the sum of all results.
PEER long long join_threads(void) {
    long long sum = 0;
    for (int i = 0; i < runner_count; ++i) {
        pthread_join(runners[i].thread, NULL);
        sum += runners[i].sum;
    }
    runner_count = 0;
    return sum;
}

// Called as the process ends: whatever the threads wait for, this ends only when they have it.
static void join_late(void) {
    join_threads();
}

PEER int join_threads_at_exit(void) {
    return atexit(join_late);
}

// Calls `f` as a thread ends, when all that ran in it is over.
static pthread_key_t key;
static int (*f_of_key)(int);

static void call_from_key(void *value) {
    f_of_key(*(int *)value);
}

PEER int watch_key(int (*f)(int)) {
    f_of_key = f;
    return pthread_key_create(&key, call_from_key);
}

PEER int set_key(int value) {
    static int values[MAX_THREADS];
    values[value] = value;
    return pthread_setspecific(key, &values[value]);
}

// Two threads whose functions meet: each waits within Python's function for the other to be in its own.
static pthread_barrier_t *meeting(void) {
    static pthread_barrier_t barrier;
    static int made;
    if (!made) {
        made = pthread_barrier_init(&barrier, NULL, 2) == 0;
    }
    return &barrier;
}

PEER int meet(int x) {
    pthread_barrier_wait(meeting());
    return x;
}

PEER int prepare_meeting(void) {
    return meeting() != NULL;
}

// A thread that blocks all signals while it calls.
static void *run_blocked(void *argument) {
    #if !defined(_WIN32)
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    #endif
    return run_calls(argument);
}

PEER long long call_with_signals_blocked(int (*f)(int), int times) {
    runner_t runner = { .f = f, .times = times };
    thread_t thread;
    if (!begin_thread(&thread, run_blocked, &runner)) {
        return -2;
    }
    end_thread(&thread);
    return runner.sum;
}

// A thread that is cancelled while its callback runs, which `g`, called meanwhile on this one, waits for.
PEER int cancel_in_callback(int (*f)(int), int (*g)(int)) {
    runner_t runner = { .f = f, .times = 1 };
    thread_t thread;
    if (!begin_thread(&thread, run_calls, &runner)) {
        return -2;
    }
    g(0);
    #if !defined(__ANDROID__)
    pthread_cancel(thread.id);
    #endif
    g(1);
    end_thread(&thread);
    return (int)runner.sum;
}

#if defined(__linux__)
// A timer that calls on threads the C library makes for it.
static timer_t timer;

static void timer_expired(union sigval value) {
    int (*f)(int);
    memcpy(&f, &value.sival_ptr, sizeof(f));
    f(7);
}

PEER int start_timer(int (*f)(int), int milliseconds) {
    struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = timer_expired };
    memcpy(&event.sigev_value.sival_ptr, &f, sizeof(f));
    struct itimerspec times = {
        .it_value.tv_nsec = milliseconds * 1000000L,
        .it_interval.tv_nsec = milliseconds * 1000000L,
    };
    return timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &times, NULL) != 0;
}

PEER int stop_timer(void) {
    return timer_delete(timer);
}

// A sort whose comparisons are Python's.
void qsort_r(void *, size_t, size_t, int (*)(const void *, const void *, void *), void *);

typedef struct {
    int (*compare)(const void *, const void *, void *);
    int *numbers;
    size_t count;
} sort_t;

static void *run_sort(void *argument) {
    sort_t *sort = argument;
    qsort_r(sort->numbers, sort->count, sizeof(int), sort->compare, sort);
    return NULL;
}

PEER int sort_on_thread(int (*compare)(const void *, const void *, void *), int *numbers, int count) {
    sort_t sort = { compare, numbers, (size_t)count };
    thread_t thread;
    if (!begin_thread(&thread, run_sort, &sort)) {
        return -2;
    }
    return end_thread(&thread);
}
#endif
