# What tests of Python's threads share: each thread reports once, and the first one waits for all.

import time

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

lock = _thread.allocate_lock()
done = []


def report(n, what):
    with lock:
        done.append((n, what))


# Until so many have reported.
def wait(count):
    while True:
        with lock:
            if len(done) == count:
                return
        time.sleep(0.01)
