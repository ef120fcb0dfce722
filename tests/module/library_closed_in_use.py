# A library is closed, for good, while other threads are calling it: they get an exception, never a crash.

import ffi
import os
import time

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

N = 4
path = os.getenv("FARCALL_PEER")
lock = _thread.allocate_lock()
ends = []
callback = ffi.callback("i", lambda x: x, "i")


def work(sum_calls):
    calls = 0
    try:
        while True:
            if sum_calls(callback, 10) != 45:
                end = "wrong"
                break
            calls += 1
    except ValueError as e:
        end = "closed" if "closed" in str(e) else str(e)
    with lock:
        ends.append((end, calls > 0))


def ended():
    with lock:
        return len(ends)


for _ in range(20):
    ends.clear()
    lib = ffi.open(path)
    sum_calls = lib.func("i", "sum_calls", "Ci")
    print(sum_calls(callback, 2), end=" ")
    for _ in range(N):
        _thread.start_new_thread(work, (sum_calls,))
    time.sleep(0.02)
    lib.close()
    while ended() < N:
        time.sleep(0.001)
    print([end for end, _ in ends] == N * ["closed"], end=" ")
print()
