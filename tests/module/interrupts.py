# Ctrl-C between any two instructions of calls and callbacks, and of what makes and closes functions, callbacks and libraries.
# Whatever it leaves is over; all goes on as before.

import ffi
import sys
import time

if sys.platform == "win32":
    print("SKIP")
    raise SystemExit

from support.peer import func, libc, path, posix

interrupt_after = func("v", "interrupt_after", "l")
interrupt_in = func("v", "interrupt_in", "l")
call_after = func("v", "call_after", "Cl")
pass_i = func("i", "pass_i", "i")
pass_d = func("d", "pass_d", "d")
pass_q = func("q", "pass_q", "q")
call_i = func("i", "call_i", "Ci")
call_d = func("d", "call_d", "Cd")
spin = func("v", "spin", "")
pick_i = func("i", "pick_i", "iiiiiiiiiiiii")


class Canary(Exception):
    pass


def sing(number):
    raise Canary


def double(x):
    return x + x


def fail(x):
    raise ValueError(x)


singer = ffi.callback("v", sing, "i")
doubled = ffi.callback("i", double, "i")
doubled_d = ffi.callback("d", double, "d")
failing = ffi.callback("i", fail, "i")


def nest(x):
    return call_i(doubled, x) + 1


nested = ffi.callback("i", nest, "i")


# Until there is code for all of them.
def warm_up():
    for n in range(300):
        pass_i(n), pass_d(n), pass_q(1 << 62), pick_i(2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
        call_i(doubled, n), call_d(doubled_d, 1.5), call_i(nested, n)
        try:
            call_i(failing, n)
        except ValueError:
            pass


# Is no call left on the list? Then nobody but the main thread can raise what a handler ends in.
def is_out_of_calls(depth):
    if depth > 0:
        return is_out_of_calls(depth - 1)
    try:
        call_after(singer, 400)
        # The handler may interrupt nothing that allocates memory, as it does so itself.
        n = 0
        while n < 100000:
            n += 1
    except Canary:
        return True
    return False


def is_well():
    return pass_i(3) == 3 and call_i(nested, 4) == 9 and call_d(doubled_d, 1.5) == 3.0


# Counts what goes wrong with `f` when it is interrupted after 0, `step`, ... instructions, or microseconds.
def interrupted(name, f, last, step, interrupt=interrupt_after):
    wrong = 0
    for n in range(0, last, step):
        try:
            try:
                interrupt(n)
                f()
                # What has not come so far is waited for.
                for _ in range(1000000):
                    pass
                wrong += 1
            except KeyboardInterrupt:
                pass
        except Exception as e:
            print(name, n, repr(e))
            wrong += 1
        if not is_well():
            print(name, n, "unwell")
            wrong += 1
        if n % (16 * step) == 0 and not is_out_of_calls(n // step % 7):
            print(name, n, "in a call")
            wrong += 1
    print(name, "wrong", wrong)


def call_failing():
    try:
        call_i(failing, 1)
    except ValueError:
        pass


def call_many():
    pick_i(2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


made = 0
codes = "bBhHiIlLqQfdp"


# A signature that was not there before.
def make_function():
    global made
    made += 1
    n, letters = made, ""
    while n:
        letters += codes[n % 13]
        n //= 13
    func("i", "pass_i", letters)


def make_callback():
    callback = ffi.callback("i", double, "i")
    callback.cfun()
    callback.close()


def open_library():
    with ffi.open(path) as library:
        library.func("i", "pass_i", "i")(1)


warm_up()
print(is_well(), is_out_of_calls(0))
interrupted("call", lambda: pass_i(7), 400, 3)
interrupted("float", lambda: pass_d(7.5), 450, 7)
interrupted("slots", lambda: pass_q(1 << 62), 900, 13)
interrupted("stack", call_many, 900, 13)
interrupted("callback", lambda: call_i(doubled, 7), 1200, 13)
interrupted("callback on slots", lambda: call_d(doubled_d, 7.5), 1800, 29)
interrupted("nested", lambda: call_i(nested, 7), 2000, 37)
interrupted("exception", call_failing, 2500, 53)
interrupted("function made", make_function, 400, 7, interrupt_in)
interrupted("callback made", make_callback, 400, 7, interrupt_in)
interrupted("library", open_library, 800, 13, interrupt_in)
print(is_well(), is_out_of_calls(0))

def wait():
    while True:
        pass


# Whatever it comes into ends at once, or nearly so.
raise_ = libc().func("i", "raise", "i")
read = posix("i", "read", "ipL")
ends = bytearray(8)
posix("i", "pipe", "p")(ends)
for name, f in (
    ("read", lambda: read(int.from_bytes(ends[:4], "little"), bytearray(1), 1)),
    ("loop", spin),
    ("sleep", lambda: time.sleep(100)),
    ("Python", wait),
    ("raise", lambda: raise_(2)),
):
    try:
        if name != "raise":
            interrupt_in(10000)
        f()
        print(name, "returned")
    except KeyboardInterrupt:
        print(name, "left", is_well(), is_out_of_calls(3))
