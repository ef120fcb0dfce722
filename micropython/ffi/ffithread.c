// Callbacks on threads that MicroPython does not know.
//
// No Python can run there: such a thread has no state of MicroPython's, and the collector does not know its stack. So it
// leaves its call as a request in a queue, and waits. A server, which is a thread of MicroPython's own made for this, runs
// the function. There is none before the first request. A busy server holds up no other request: as long as there are
// fewer than MAX_SERVERS, a request that finds all of them busy makes one more. All idle servers but one end. When the
// interpreter ends, MicroPython cancels them all, and no request waits any longer.
//
// The queue is C's own. The foreign thread touches nothing of MicroPython's but where it makes a server, for which it has
// a state of MicroPython's for a moment. A thread that holds the queue's lock takes no signal but the collector's.

#include "modffi.h"

#if MICROPY_PY_THREAD

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "py/gc.h"

// A chain of calls from threads of C's to Python, on to other threads of C's and so forth has one of them busy for each link.
#define MAX_SERVERS (256)
#define SERVER_STACK (1024 * 1024)
// The rest is for the C that Python calls.
#define SERVER_STACK_FOR_PYTHON (512 * 1024)
#define SERVER_PYSTACK (1024) // words
#define IDLE_SECONDS (1)
#define CANCEL_SECONDS (1) // at most, for each; C that Python called may not let itself be cancelled

// Of a request: these two while the foreign thread waits, then one of the others.
typedef enum {
    QUEUED,
    TAKEN,
    SERVED,
    CLOSED, // the callback
    UNSERVED, // for there is no thread
    OVER, // the interpreter
} request_state_t;

// A foreign thread's call. It lies on that thread's stack.
typedef struct _request_t {
    struct _request_t *next;
    ffi_entered_t *entered;
    const uint64_t *args;
    uint64_t result;
    request_state_t state;
    sigset_t signals; // what the foreign thread blocks
    pthread_cond_t changed;
} request_t;

// Volatile, because a server that is cancelled jumps back to where its handler was pushed.
typedef volatile struct _server_t {
    request_t *request;
    bool has_lock;
} server_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER;
static request_t *first, **last = &first;
static unsigned int queued; // requests
static unsigned int servers; // all of them, also those that are about to start or to end
static unsigned int idle; // those that are to take the next request
static unsigned int busy; // those that have one
static unsigned int moving; // those that MicroPython is just about to have in its list of threads, or to have no more
static unsigned int forks; // threads that are about to fork
static unsigned int generation; // of processes
static bool is_over; // the interpreter has ended, or is about to

// Signals and cancelling

#ifdef __ANDROID__
#define set_cancel_type(type) ((void)0)
#define set_cancel_state(state, before) ((void)(before))
#else
#define set_cancel_type(type) ((void)pthread_setcanceltype((type), NULL))
#define set_cancel_state(state, before) ((void)pthread_setcancelstate((state), (before)))
#endif

// All but the collector's.
static void fill_with_signals(sigset_t *all) {
    sigfillset(all);
    sigdelset(all, FFI_COLLECTOR_SIGNAL);
}

// Signals are blocked and unblocked, and never set: musl has some of its own, which it wants to stay as they are.
static void block_signals(sigset_t *before) {
    sigset_t all;
    fill_with_signals(&all);
    pthread_sigmask(SIG_BLOCK, &all, before);
}

static void restore_signals(const sigset_t *before) {
    sigset_t others;
    fill_with_signals(&others);
    for (size_t i = 0; i < sizeof(others); ++i) {
        ((char *)&others)[i] &= ~((const char *)before)[i];
    }
    pthread_sigmask(SIG_UNBLOCK, &others, NULL);
}

// A thread inherits what the one that makes it blocks.
static void unblock_collector(void) {
    sigset_t collector;
    sigemptyset(&collector);
    sigaddset(&collector, FFI_COLLECTOR_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &collector, NULL);
}

// A function that runs for a thread blocks what the thread blocks. But an interrupt is for the main thread: the port may
// raise it on whatever thread its signal comes to.
static void block_as(const sigset_t *signals) {
    sigset_t mask = *signals;
    #if MICROPY_ASYNC_KBD_INTR
    sigaddset(&mask, SIGINT);
    #endif
    restore_signals(&mask);
}

// The queue. Callers of these hold the lock.

static void add_to_queue(request_t *request) {
    request->next = NULL;
    *last = request;
    last = &request->next;
    ++queued;
}

static void take_from_queue(request_t *request) {
    request_t **place = &first;
    while (*place != request) {
        place = &(*place)->next;
    }
    *place = request->next;
    if (last == &request->next) {
        last = place;
    }
    --queued;
}

static void answer(request_t *request, request_state_t state) {
    request->state = state;
    pthread_cond_signal(&request->changed);
}

// Has those that wait look whether they should make a server now.
static void wake_queued(void) {
    for (request_t *request = first; request != NULL; request = request->next) {
        pthread_cond_signal(&request->changed);
    }
}

static void end_service(void) {
    is_over = true;
    farcall_callbacks_end();
    while (first != NULL) {
        request_t *request = first;
        take_from_queue(request);
        answer(request, OVER);
    }
    pthread_cond_broadcast(&gone);
}

// Servers

// Nothing but the interpreter's end cancels a server.
FFI_ALIGNS_STACK static void server_cancelled(void *context) {
    server_t *self = context;
    if (!self->has_lock) {
        block_signals(NULL);
        pthread_mutex_lock(&lock);
    }
    end_service();
    if (self->request != NULL) {
        --busy;
        answer(self->request, OVER);
    }
    --servers;
    pthread_cond_broadcast(&gone);
    pthread_mutex_unlock(&lock);
}

// Serves one request, without the lock while its function runs. The server may be cancelled at any point of that, as any
// thread of MicroPython's. Returns false in the child of a fork, which has not got the thread that waits for the answer.
static bool serve(server_t *self, request_t *request) {
    unsigned int at_start = generation;
    take_from_queue(request);
    request->state = TAKEN;
    self->request = request;
    --idle;
    ++busy;
    self->has_lock = false;
    pthread_mutex_unlock(&lock);

    set_cancel_type(PTHREAD_CANCEL_ASYNCHRONOUS);
    block_as(&request->signals);
    MP_THREAD_GIL_ENTER();
    uint64_t result = 0;
    bool is_open = ffi_run_for_foreign_thread(request->entered, request->args, &result);
    MP_THREAD_GIL_EXIT();
    block_signals(NULL);
    set_cancel_type(PTHREAD_CANCEL_DEFERRED);

    pthread_mutex_lock(&lock);
    self->has_lock = true;
    self->request = NULL;
    if (generation != at_start) {
        return false;
    }
    --busy;
    ++idle;
    request->result = result;
    answer(request, is_open ? SERVED : CLOSED);
    return true;
}

// Returns false where this server is not needed any more. When the interpreter ends, this is where it is cancelled.
static bool await_request(void) {
    while ((first == NULL && forks == 0) || is_over) {
        if (idle == 1 || is_over) {
            pthread_cond_wait(&work, &lock);
            continue;
        }
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += IDLE_SECONDS;
        if (pthread_cond_timedwait(&work, &lock, &end) != 0 && first == NULL && idle > 1) {
            return false;
        }
    }
    return forks == 0;
}

static void serve_all(server_t *self) {
    pthread_mutex_lock(&lock);
    self->has_lock = true;
    --moving;
    pthread_cond_broadcast(&gone);
    bool is_same_process = true;
    while (is_same_process && await_request()) {
        is_same_process = serve(self, first);
    }
    ++moving;
    if (is_same_process) {
        --idle;
    } else {
        ++servers;
    }
    self->has_lock = false;
    pthread_mutex_unlock(&lock);
}

static void count_out_server(void) {
    pthread_mutex_lock(&lock);
    --moving;
    --servers;
    pthread_cond_broadcast(&gone);
    pthread_mutex_unlock(&lock);
}

// What MicroPython sets up for a thread. `state` lies where the part of the stack begins that the collector has to see.
static void make_state(mp_state_thread_t *state) {
    memset(state, 0, sizeof(*state));
    mp_thread_set_state(state);
    state->stack_top = (char *)(state + 1);
    #if MICROPY_STACK_CHECK
    state->stack_limit = SERVER_STACK_FOR_PYTHON;
    #endif
    mp_locals_set(&MP_STATE_VM(dict_main));
    mp_globals_set(&MP_STATE_VM(dict_main));
}

static void *server_entry(void *unused) {
    (void)unused;
    server_t self = { NULL, false };
    mp_state_thread_t state;
    pthread_cleanup_push(server_cancelled, (void *)&self);
    make_state(&state);
    #if MICROPY_ENABLE_PYSTACK
    mp_obj_t pystack[SERVER_PYSTACK];
    mp_pystack_init(pystack, &pystack[SERVER_PYSTACK]);
    #endif
    block_signals(NULL);
    unblock_collector();
    mp_thread_start(); // has it be cancelled at any point
    set_cancel_type(PTHREAD_CANCEL_DEFERRED);

    serve_all(&self);

    set_cancel_type(PTHREAD_CANCEL_ASYNCHRONOUS);
    mp_thread_finish();
    set_cancel_type(PTHREAD_CANCEL_DEFERRED);
    pthread_cleanup_pop(0);
    count_out_server();
    return NULL;
}

// Where the system makes no more threads, MicroPython raises. With the heap locked, that takes nothing from it.
static bool create_thread(void) {
    mp_state_thread_t *before = mp_thread_get_state();
    mp_state_thread_t state;
    make_state(&state);
    #if MICROPY_ENABLE_PYSTACK
    mp_obj_t pystack[16];
    mp_pystack_init(pystack, &pystack[MP_ARRAY_SIZE(pystack)]);
    #endif
    gc_lock();
    volatile bool is_made = false;
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        size_t stack_size = SERVER_STACK;
        mp_thread_create(server_entry, NULL, &stack_size);
        is_made = true;
        nlr_pop();
    }
    mp_thread_set_state(before);
    return is_made;
}

// The process

static sigset_t signals_at_fork;
static int cancelling_at_fork;

// A fork's child has only the thread that forks. MicroPython does not know that, and its collector waits
// for all threads it knows. So idle servers end ahead of a fork.
static void ahead_of_fork(void) {
    sigset_t signals;
    int cancelling;
    set_cancel_state(PTHREAD_CANCEL_DISABLE, &cancelling);
    block_signals(&signals);
    pthread_mutex_lock(&lock);
    ++forks;
    pthread_cond_broadcast(&work);
    while (servers > busy && !is_over) {
        pthread_cond_wait(&gone, &lock);
    }
    signals_at_fork = signals;
    cancelling_at_fork = cancelling;
}

static void after_fork(void) {
    --forks;
    wake_queued();
    sigset_t signals = signals_at_fork;
    int cancelling = cancelling_at_fork;
    pthread_mutex_unlock(&lock);
    restore_signals(&signals);
    set_cancel_state(cancelling, &cancelling);
}

static void in_forks_child(void) {
    pthread_mutex_t new_lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t new_work = PTHREAD_COND_INITIALIZER, new_gone = PTHREAD_COND_INITIALIZER;
    lock = new_lock;
    work = new_work;
    gone = new_gone;
    first = NULL;
    last = &first;
    queued = servers = idle = busy = moving = forks = 0;
    ++generation;
    restore_signals(&signals_at_fork);
    set_cancel_state(cancelling_at_fork, &cancelling_at_fork);
}

static void at_exit(void) {
    sigset_t signals;
    block_signals(&signals);
    pthread_mutex_lock(&lock);
    end_service();
    pthread_mutex_unlock(&lock);
    restore_signals(&signals);
}

#if FFI_WRAPS_THREAD_DEINIT

// The port's own, which cancels all threads, and does not look after its list of them any more.
void __real_mp_thread_deinit(void);
void __wrap_mp_thread_deinit(void);

// Waits for a cancelled server to end, with the lock. Each has its own time, as a busy machine may let them run one after the other.
static bool one_less_is_busy(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += CANCEL_SECONDS;
    unsigned int before = busy;
    while (busy == before && pthread_cond_timedwait(&gone, &lock, &end) == 0) {
    }
    return busy < before;
}

// The linker calls this in its place. When the port cancels the servers, each runs a function, or waits for requests that will
// not come. When this returns, no function runs.
void __wrap_mp_thread_deinit(void) {
    sigset_t signals;
    block_signals(&signals);
    pthread_mutex_lock(&lock);
    end_service();
    while (moving > 0) {
        pthread_cond_wait(&gone, &lock);
    }
    pthread_mutex_unlock(&lock);

    __real_mp_thread_deinit();

    pthread_mutex_lock(&lock);
    while (busy > 0 && one_less_is_busy()) {
    }
    pthread_mutex_unlock(&lock);
    restore_signals(&signals);
}

#endif

static void watch_process(void) {
    pthread_atfork(ahead_of_fork, after_fork, in_forks_child);
    atexit(at_exit);
}

// Foreign threads

// Has the lock, but not in between. Returns false if no thread can be made.
static bool make_server(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ++servers;
    ++idle;
    ++moving;
    pthread_mutex_unlock(&lock);
    pthread_once(&once, watch_process);
    bool is_made = create_thread();
    pthread_mutex_lock(&lock);
    if (!is_made) {
        --servers;
        --idle;
        --moving;
        pthread_cond_broadcast(&gone);
        wake_queued();
    }
    return is_made;
}

static void await_answer(request_t *request) {
    bool can_make = true;
    while (request->state == QUEUED || request->state == TAKEN) {
        bool is_short = request->state == QUEUED && forks == 0 && queued > idle;
        if (is_short && can_make && servers < MAX_SERVERS) {
            can_make = make_server();
        } else if (is_short && servers == 0) {
            take_from_queue(request);
            request->state = UNSERVED;
        } else {
            if (request->state == QUEUED) {
                pthread_cond_signal(&work);
            }
            pthread_cond_wait(&request->changed, &lock);
        }
    }
}

// Not by the C library's own buffers: a thread may have been cancelled while it had their lock.
static void report(request_state_t state) {
    static const char unserved[] = "farcall: there is no thread to run a callback on that C called from a thread of its own;"
        " it got zero\n";
    if (state == CLOSED) {
        farcall_report_closed();
    } else if (state == UNSERVED) {
        ssize_t written = write(STDERR_FILENO, unserved, sizeof(unserved) - 1);
        (void)written;
    }
}

uint64_t ffi_call_on_server(ffi_entered_t *entered, const uint64_t *args) {
    request_t request = { .entered = entered, .args = args, .state = OVER };
    int cancelling;
    // Whoever takes the request answers it, whatever becomes of this thread meanwhile.
    set_cancel_state(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_cond_init(&request.changed, NULL);
    block_signals(&request.signals);
    pthread_mutex_lock(&lock);
    if (!is_over) {
        request.state = QUEUED;
        add_to_queue(&request);
        await_answer(&request);
    }
    pthread_mutex_unlock(&lock);
    restore_signals(&request.signals);
    pthread_cond_destroy(&request.changed);
    set_cancel_state(cancelling, &cancelling);
    report(request.state);
    return request.result;
}

#endif // MICROPY_PY_THREAD
