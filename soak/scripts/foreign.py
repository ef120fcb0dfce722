# Threads that only C knows run Python functions, which sort by others, while functions and callbacks are made, closed and
# collected, and now and then the process forks.
import _thread, ffi, gc, sys
from array import array
from support.turn import goes_on

seed = int(sys.argv[2])
libc = ffi.open("libc.so.6")
create = libc.func("i", "pthread_create", "ppCp")
join = libc.func("i", "pthread_join", "Lp")
qsort = libc.func("v", "qsort", "pQQC")
fork = libc.func("i", "fork", "")
waitpid = libc.func("i", "waitpid", "ipi")
leave = libc.func("v", "_exit", "i")
lock = _thread.allocate_lock()
calls = 0
rounds = 0
forks = 0


def random(below):
    global seed
    seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
    return (seed >> 8) % below


def fail(*what):
    print("wrong", *what)
    sys.exit(1)


def compare(a, b):
    a, b = (int.from_bytes(ffi.as_bytearray(p, 4), sys.byteorder) for p in (a, b))
    return (a > b) - (a < b)


by_value = ffi.callback("i", compare, "pp")


# A thread's own function. Its argument is a number.
def work(x):
    global calls
    numbers = array("i", ((x * 31 + i * 7919) % 97 for i in range(20)))
    qsort(numbers, len(numbers), 4, by_value)
    with lock:
        calls += 1
    if list(numbers) != sorted(numbers):
        return 0
    if x % 5 == 0:
        raise ValueError(x)
    if x % 7 == 0:
        with ffi.callback("i", lambda y: y + x, "i") as inner:
            return ffi.func("i", inner.cfun(), "i")(1)
    return x + 1


# The result that C gets: zero where the function raises.
def expected(x):
    return 0 if x % 5 == 0 else x + 1


# Threads that run `callback`, from numbers to threads.
def start(callback):
    threads = {}
    for _ in range(1 + random(6)):
        x = random(1000)
        if x not in threads:
            thread = bytearray(8)
            if create(thread, None, callback, x) != 0:
                fail("no thread")
            threads[x] = int.from_bytes(thread, sys.byteorder)
    return threads


def finish(threads, is_open):
    for x, thread in threads.items():
        result = bytearray(8)
        join(thread, result)
        result = int.from_bytes(result, sys.byteorder)
        if result != expected(x) and (is_open or result != 0):
            fail(x, result)


# Forks a child that collects and has threads of its own.
def child():
    pid = fork()
    if pid == 0:
        gc.collect()
        callback = ffi.callback("p", work, "p")
        finish(start(callback), True)
        leave(0)
    status = bytearray(4)
    if waitpid(pid, status, 0) != pid or status != bytes(4):
        fail("child", status)


# Silences the messages about exceptions on C's threads, and about callbacks that were closed while C called them.
null = libc.func("i", "open", "si")("/dev/null", 1)
libc.func("i", "dup2", "ii")(null, 2)
while goes_on(rounds):
    callback = ffi.callback("p", work, "p")
    threads = start(callback)
    what = random(4)
    if what == 0:
        gc.collect()
    elif what == 1:
        sorted(str(i) for i in range(200))
    is_open = random(3) != 0
    if not is_open:
        callback.close()
        gc.collect()
    finish(threads, is_open)
    callback.close()
    rounds += 1
    if rounds % 50 == 0:
        child()
        forks += 1
print("calls", calls)
print("rounds", rounds)
print("forks", forks)
