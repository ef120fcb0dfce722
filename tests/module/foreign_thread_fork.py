# A fork's child collects, and has callbacks run on threads of C's, although it has none of the threads that did so before.

import ffi
import gc
import os
import time
from support.peer import func

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

# QEMU itself fails an assertion when a process with threads forks often.
if os.getenv("FARCALL_EMULATOR"):
    print("SKIP")
    raise SystemExit

libc = ffi.open(None)
fork = libc.func("i", "fork", "")
waitpid = libc.func("i", "waitpid", "ipi")
leave = libc.func("v", "_exit", "i")
kill = libc.func("i", "kill", "ii")
WNOHANG = 1

start = func("i", "start_threads", "Cii")
join = func("q", "join_threads", "")


def f(x):
    if x % 50 == 0:
        gc.collect()
    return x


cb = ffi.callback("i", f, "i")


def calls():
    return start(cb, 4, 100) == 4 and join() == 4 * 4950


def in_child():
    for _ in range(3):
        gc.collect()
    return calls() and calls()


# What the child ends with: 0 if all is right.
def child():
    pid = fork()
    if pid == 0:
        right = False
        try:
            right = in_child()
        finally:
            leave(0 if right else 1)
    status = bytearray(4)
    for _ in range(10000):
        if waitpid(pid, status, WNOHANG) == pid:
            return int.from_bytes(status, "little")
        time.sleep(0.01)
    kill(pid, 9)
    waitpid(pid, status, 0)
    return "it hangs"


# Ahead of the first, with idle threads, and with ones that have been idle for some time.
print(child(), calls())
for wait in (0, 0, 0, 0.02, 1.2):
    time.sleep(wait)
    print(child(), calls())
