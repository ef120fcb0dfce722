# Ctrl-C at random times, in calls, in callbacks, while functions, callbacks and libraries are made and closed, and in the collector.
import ffi, gc, os, random, sys, time
from support.turn import goes_on

random.seed(int(sys.argv[2]))
peer = ffi.open(os.getenv("FARCALL_SOAK_PEER"))
interrupt_in = peer.func("v", "interrupt_in", "l")
call_in = peer.func("v", "call_in", "Cl")
libc = ffi.open(None)
labs = libc.func("l", "labs", "l")
usleep = libc.func("i", "usleep", "I")
qsort = libc.func("v", "qsort", "pQQC")
codes = "bBhHiIlLqQfdp"
signatures = rounds = interrupts = 0


class Canary(Exception):
    pass


def sing(number):
    raise Canary


def compare(a, b):
    return -1


singer = ffi.callback("v", sing, "i")
comparing = ffi.callback("i", compare, "pp")


def make_function():
    global signatures
    signatures += 1
    n, letters = signatures, ""
    while n:
        letters += codes[n % 13]
        n //= 13
    libc.func("i", "getpid", letters)


def make_callback():
    with ffi.callback("i", lambda a: a + 1, "i") as callback:
        if ffi.func("i", callback.cfun(), "i")(3) != 4:
            raise ValueError("wrong")


def open_library():
    with ffi.open("libm.so.6") as library:
        library.func("d", "fabs", "d")(-2.0)


def sort():
    qsort(bytearray(100), 100, 1, comparing)


def collect():
    make_function()
    gc.collect()


def call():
    for n in range(50):
        labs(-n)


def sleep():
    usleep(10**9)


def sleep_in_python():
    time.sleep(1000)


works = (make_function, make_callback, open_library, sort, collect, call, sleep, sleep_in_python)


# Once no call is left on the list, the main thread raises the exception of a signal's handler, however deep the stack is.
def is_out_of_calls(depth):
    if depth > 0:
        return is_out_of_calls(depth - 1)
    try:
        call_in(singer, 100)
        # Code that allocates nothing may be interrupted by a handler that allocates.
        n = 0
        while n < 10000000:
            n += 1
    except Canary:
        return True
    return False


while goes_on(rounds):
    work = random.choice(works)
    try:
        interrupt_in(random.getrandbits(random.randrange(1, 13)))
        while True:
            work()
    except KeyboardInterrupt:
        interrupts += 1
    if labs(-3) != 3:
        print("wrong after", work)
        sys.exit(1)
    sort()
    rounds += 1
    if rounds % 16 == 0 and not is_out_of_calls(rounds // 16 % 13):
        print("wrong: still in a call after", work)
        sys.exit(1)
print("interrupts", interrupts)
print("rounds", rounds)
