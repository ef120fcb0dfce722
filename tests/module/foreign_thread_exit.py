# The interpreter ends while threads of C's call, and are in callbacks that would never return. The process then waits for
# these threads.

import ffi
import gc
import os
import sys
import time
from support.peer import func

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

start = func("i", "start_threads", "Cii")
join_at_exit = func("i", "join_threads_at_exit", "")


# At some moment, of which many are tried: while the first threads for callbacks are made, or when there are some already.
def end_at(moment):
    cb = ffi.callback("i", lambda x: len([x] * 50), "i")
    start(cb, 1 + moment % 7, 4000)
    join_at_exit()
    time.sleep_us(moment * 37 % 4000)
    if moment % 3 == 0:
        sys.exit(0)
    if moment % 3 == 1:
        gc.collect()


if len(sys.argv) > 1:
    end_at(int(sys.argv[1]))
    sys.exit(0)

# QEMU's processes cannot start themselves again so.
if sys.platform == "linux" and not os.getenv("FARCALL_EMULATOR"):
    itself = "/proc/%d/exe" % ffi.open(None).func("i", "getpid", "")()
    for moment in range(1, 121, 9):
        status = os.system("exec %s %s %d" % (itself, sys.argv[0], moment))
        if status != 0:
            print("moment", moment, "status", status)

lock = _thread.allocate_lock()
usleep = ffi.open(None).func("i", "usleep", "I")
entered = 0


def f(x):
    global entered
    with lock:
        entered += 1
        which = entered
    if which == 1:
        while True:
            pass
    if which == 2:
        while True:
            usleep(1000)
    if which == 3:
        while True:
            time.sleep(1)
    return len([x] * 100)


cb = ffi.callback("i", f, "i")
print(start(cb, 8, 5000), join_at_exit())
while True:
    with lock:
        if entered > 100:
            break
    time.sleep(0.001)
print("ends")
