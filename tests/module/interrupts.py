# Ctrl-C at every instruction of calls, callbacks, and of what makes and frees functions, callbacks and libraries. Whatever it
# leaves is over; all goes on as before.

import ffi
import gc
import sys
import time

if sys.platform == "win32":
    print("SKIP")
    raise SystemExit

from support.peer import func, libc, path

interrupt_after = func("v", "interrupt_after", "l")
call_after = func("v", "call_after", "Cl")
pass_i = func("i", "pass_i", "i")
pass_d = func("d", "pass_d", "d")
pass_q = func("q", "pass_q", "q")
call_i = func("i", "call_i", "Ci")
call_d = func("d", "call_d", "Cd")
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
        for _ in range(100000):
            pass
    except Canary:
        return True
    return False


def is_well():
    return pass_i(3) == 3 and call_i(nested, 4) == 9 and call_d(doubled_d, 1.5) == 3.0


# Counts what goes wrong with `f` when it is interrupted after `first`, `first + step`, ... instructions.
def interrupted(name, f, last, step):
    wrong = interrupts = 0
    for n in range(0, last, step):
        try:
            try:
                interrupt_after(n)
                f()
                # Whatever has not come so far is waited for: a second and no more.
                for _ in range(10**6):
                    pass
                wrong += 1
            except KeyboardInterrupt:
                interrupts += 1
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


def collect():
    for _ in range(3):
        func("i", "pass_i", "i")
    gc.collect()


warm_up()
print(is_well(), is_out_of_calls(0))
interrupted("call", lambda: pass_i(7), 400, 1)
interrupted("float", lambda: pass_d(7.5), 400, 3)
interrupted("slots", lambda: pass_q(1 << 62), 1500, 3)
interrupted("stack", call_many, 1500, 5)
interrupted("callback", lambda: call_i(doubled, 7), 1500, 2)
interrupted("callback on slots", lambda: call_d(doubled_d, 7.5), 2500, 5)
interrupted("nested", lambda: call_i(nested, 7), 2500, 5)
interrupted("exception", call_failing, 3000, 7)
interrupted("function", make_function, 12000, 97)
interrupted("callback made", make_callback, 9000, 89)
interrupted("library", open_library, 30000, 499)
interrupted("collection", collect, 60000, 997)
print(is_well(), is_out_of_calls(0))
