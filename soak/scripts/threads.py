# Threads make functions and callbacks of the same signatures at the same time, and call them.
import ffi, _thread, sys, time
from support.turn import goes_on

seed = int(sys.argv[2])
lock = _thread.allocate_lock()
codes = "bBhHiIlLqQpP"
rounds = 0
left = 3


def sums(*values):
    return sum(values)


def work(n):
    global rounds, left
    done = 0
    while goes_on(3 * done):
        n = (n * 1103515245 + 12345) & 0x7FFFFFFF
        letters = "".join(codes[(n >> shift) % len(codes)] for shift in (3, 8, 13, 18))
        callback = ffi.callback("i", sums, letters)
        function = ffi.func("i", callback.cfun(), letters)
        for _ in range(n % 12):
            if function(1, 2, 3, 4) != 10:
                print("wrong", letters)
                sys.exit(1)
        callback.close()
        done += 1
    with lock:
        rounds += done
        left -= 1


for i in range(3):
    _thread.start_new_thread(work, (seed + i,))
while True:
    time.sleep(0.02)
    with lock:
        if left == 0:
            break
print("rounds", rounds)
