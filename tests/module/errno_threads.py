# Each thread has an errno of its own, and asks for it, or not, for itself.

import ffi
import gc
import time
from support.peer import func
from support.threads import _thread, done, report, wait

N = 6
get_errno = func("i", "get_errno", "")
set_errno = func("i", "set_errno", "i")
around = func("i", "errno_around", "iC")
shared = ffi.callback("i", lambda number: ffi.errno(number + 1) - number, "i")


def work(n):
    try:
        first = ffi.errno()
        for i in range(400):
            number = n * 1000 + i
            set_errno(number)
            # No collection: MicroPython itself loses what a thread has now and then, if another one collects. errno.py has them.
            if ffi.errno() != number or get_errno() != number:
                return report(n, "another thread's")
            ffi.errno(number + 500)
            if i % 10 == 0:
                time.sleep(0.0001)
            if get_errno() != number + 500 or around(number, shared) != number + 1:
                return report(n, "another thread's")
        report(n, first)
    except Exception as e:
        report(n, repr(e))


ffi.errno(99)
for n in range(N):
    _thread.start_new_thread(work, (n,))
wait(N)
print(sorted(done))
print(ffi.errno(), get_errno())


# One that asks for the first time, after calls of functions that have code by now.
def late(n):
    numbers = []
    for i in range(3):
        set_errno(i + 40)
    gc.collect()
    report(n, ffi.errno())


done.clear()
_thread.start_new_thread(late, (0,))
wait(1)
print(done, ffi.errno())
