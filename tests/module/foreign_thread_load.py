# Many threads of C's call at once, while the first thread runs Python, collects, and waits in C.

import ffi
import gc
import time
from support.peer import func

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

start = func("i", "start_threads", "Cii")
join = func("q", "join_threads", "")
THREADS, TIMES = 8, 10000
lock = _thread.allocate_lock()
done = collections = 0


# Makes garbage, and keeps some for a while. The last ones wait for collections that come meanwhile.
def f(x):
    global done
    mine = [x, str(x), (x,)]
    while x == TIMES - 1 and collections <= 5:
        time.sleep(0.001)
    with lock:
        done += 1
    return mine[2][0] + len(mine[1]) - len(str(mine[0]))


with ffi.callback("i", f, "i") as cb:
    print(start(cb, THREADS, TIMES))
    while True:
        gc.collect()
        collections += 1
        with lock:
            if done == THREADS * TIMES:
                break
        time.sleep(0.001)
    print(join() == THREADS * sum(range(TIMES)), done, collections > 5)

    # The same with the first thread inside C.
    done = 0
    start(cb, THREADS, TIMES // 10)
    print(join() == THREADS * sum(range(TIMES // 10)), done)
