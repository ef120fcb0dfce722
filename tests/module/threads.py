# Threads started by Python call C, and C calls them, all at once.

import ffi
import gc
from support.peer import func
from support.threads import _thread, done, report, wait

N = 6
sum_calls = func("i", "sum_calls", "Ci")
add2 = func("i", "add2", "ii")
counted = []


# Calls, of functions and of callbacks shared by all.
shared = ffi.callback("i", lambda x: x + 1, "i")


def work(n):
    try:
        for i in range(300):
            if add2(n, i) != n + i or sum_calls(shared, 5) != 15:
                report(n, "wrong")
                return
        report(n, "right")
    except Exception as e:
        report(n, repr(e))


for n in range(N):
    _thread.start_new_thread(work, (n,))
wait(N)
print(sorted(done))


# Callbacks made, called and closed; exceptions stay in their own thread.
def work(n):
    try:
        for i in range(100):

            def mine(x):
                if x == 3:
                    raise KeyError(n)
                return n

            with ffi.callback("i", mine, "i") as cb:
                if sum_calls(cb, 3) != 3 * n:
                    report(n, "wrong")
                    return
                try:
                    sum_calls(cb, 5)
                    report(n, "nothing raised")
                    return
                except KeyError as e:
                    if e.args != (n,):
                        report(n, "another thread's")
                        return
            if i % 20 == n:
                gc.collect()
        report(n, "right")
    except Exception as e:
        report(n, repr(e))


done.clear()
for n in range(N):
    _thread.start_new_thread(work, (n,))
wait(N)
print(sorted(done))


# Recursion through C in a thread. Not to the end of the stack, as in recursion.py: a new thread of MicroPython 1.25's
# unix port may read its stack's size before the thread that makes it has taken the margin off, and then its recursion
# check comes too late, C or no C.
def work(n):
    call_i = func("i", "call_i", "Ci")
    cb = ffi.callback("i", lambda x: x if x == 20 else call_i(cb, x + 1), "i")
    report(n, call_i(cb, 0))


done.clear()
N = 1
_thread.start_new_thread(work, (0,))
wait(N)
print(done)
