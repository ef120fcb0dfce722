# errno as C left it, and as a script has set it; whatever the interpreter does in between.

import ffi
import gc
import os
from support.peer import func, is_windows, libc, posix, raises, stderr_of

ENOENT, EBADF, ERANGE = 2, 9, 34

# The C library's own, which whatever the interpreter does may change.
address = libc().func("p", "_errno" if is_windows else "__errno_location", "")
own = ffi.as_bytearray(address(), 4)


# A callback for signal handlers must not allocate memory.
is_locked = False


def interpreter_works():
    own[0] = 77
    if is_locked:
        return 0
    for path in ("/nonexistent/path", ""):
        try:
            os.stat(path)
            print("there is such a path")
        except OSError:
            pass
    for _ in range(100):
        bytearray(50000)
    gc.collect()
    own[0] = 77
    return 0


open_ = posix("i", "open", "s.i")
close = posix("i", "close", "i")
strtol = libc().func("l", "strtol", "sPi")
get_errno = func("i", "get_errno", "")
set_errno = func("i", "set_errno", "i")
as_double = func("d", "get_errno_as_double", "dpi")
around = func("i", "errno_around", "iC")
around_floats = func("i", "errno_around_floats", "iC")
on_thread = func("i", "errno_around_on_thread", "iC")

# A script that never asks may do as it likes with errno. Each function is called so often that it has code by then, where there is any.
for _ in range(300):
    own[0] = 50
    if get_errno() != 50 or as_double(0.5, None, 2) != 52.5 or set_errno(51) != 50 or own[0] != 51:
        print("errno was changed")


def work_and_call(number):
    interpreter_works()
    set_errno(90)
    return 0


# C finds its own again behind a callback.
work = ffi.callback("i", work_and_call, "i")
print("not asked:", [around(number, work) for number in (21, 22)])
quick = ffi.callback("i", lambda number: set_errno(90), "i")
print("not asked:", {around(number, quick) for number in range(300)} == set(range(300)))

# What the last call left is known to who asks for the first time.
descriptor = open_("/nonexistent/file", 0)
interpreter_works()
print("the first time:", descriptor, ffi.errno(), ffi.errno())


def calls(what):
    print(what, "open:", open_("/nonexistent/file", 0), interpreter_works(), ffi.errno() == ENOENT)
    print(what, "close:", close(-1), interpreter_works(), ffi.errno() == EBADF)
    # A call that leaves errno alone leaves it as it was before the interpreter worked.
    print(what, "unchanged:", strtol("12", None, 10), interpreter_works(), ffi.errno() == EBADF)
    print(what, "set:", ffi.errno(0) == EBADF, interpreter_works(), ffi.errno())
    print(what, "right number:", strtol("12", None, 10), interpreter_works(), ffi.errno())
    strtol("9" * 30, None, 10)
    print(what, "large number:", interpreter_works(), ffi.errno() == ERANGE)
    print(what, "set:", ffi.errno(5) == ERANGE, interpreter_works(), get_errno(), get_errno(), ffi.errno())
    print(what, "set by C:", set_errno(6), interpreter_works(), get_errno(), ffi.errno())
    print(what, "floats:", as_double(0.5, None, 2), as_double(0, "", 1), ffi.errno(-7), as_double(0.5, None, 2))
    print(what, "memory:", strtol(memoryview(b"12\0"), None, 10), ffi.errno())
    # What C does not see leaves it alone.
    raises(what + " wrong value", TypeError, ["argument 1"], close, [])
    print(what, "after that:", ffi.errno(1), get_errno())


def fail(number):
    interpreter_works()
    raise KeyError(number)


def fail_at_end(number):
    ffi.errno(14)
    raise KeyError(number)


def seen(number):
    numbers[0] += ffi.errno() + interpreter_works() + ffi.errno()


def change(number):
    numbers[0] += ffi.errno(number + 100)
    interpreter_works()
    return 0


def change_by_call(number):
    interpreter_works()
    numbers[0] += get_errno() + set_errno(number + 200)
    interpreter_works()


def inner(number):
    numbers[0] += around(13, change_cb) + interpreter_works() + ffi.errno()


numbers = [0]
change_cb = ffi.callback("i", change, "i")


def callbacks(what):
    global is_locked
    for f in (seen, change, change_by_call, inner):
        numbers[0] = 0
        for lock in (False, True) if f is not inner else (False,):
            is_locked = lock
            with ffi.callback("v", f, "i", lock=lock) as cb:
                print(what, f.__name__, lock, around(11, cb), numbers, ffi.errno())
        is_locked = False
        numbers[0] = 0
        # Arguments that take memory, and one that is no small integer.
        with ffi.callback("d", lambda x, text: f(int(x)) or 0.5, "ds") as cb:
            print(what, f.__name__, "floats", around_floats(12, cb), numbers, ffi.errno())
    for f in (fail, fail_at_end):
        with ffi.callback("i", f, "i") as cb:
            raises(what + " " + f.__name__, KeyError, [15], around, 15, cb)
            print(what, "after that:", ffi.errno(), get_errno())


calls("cold")
callbacks("cold")
for _ in range(300):
    close(-1), open_("/nonexistent/file", 0), strtol("1", None, 10), get_errno(), set_errno(1), as_double(1, None, 1)
    around(1, quick)
calls("warm")
callbacks("warm")

# Many callbacks of one kind: their signature gets code, and nothing changes at that.
found = []
with ffi.callback("i", lambda number: found.append(ffi.errno(number + 1)) or 0, "i") as cb:
    print([around(number, cb) == number + 1 for number in range(600)] == 600 * [True], found == list(range(600)))
found.clear()
with ffi.callback("d", lambda x, text: found.append(ffi.errno(int(x) + 1)) or 0, "dP") as cb:
    print([around_floats(number, cb) == number + 1 for number in range(600)] == 600 * [True], found == list(range(600)))
with ffi.callback("i", fail_at_end, "i") as cb:
    for number in range(600):
        try:
            around(number, cb)
            print("nothing raised")
        except KeyError:
            pass
        if ffi.errno() != 14:
            print("wrong", ffi.errno())

# A callback on a thread of C's own leaves that thread's alone, whether Python runs there or not.
result = []
with ffi.callback("i", lambda number: interpreter_works(), "i") as cb:
    stderr_of(lambda: result.append(on_thread(31, cb)))
print("thread of C's:", result)

# A call of another closed callback is reported; that writes to stderr.
closed = ffi.callback("i", seen, "i")
code = closed.cfun()
closed.close()
stderr_of(lambda: result.append(func("i", "errno_around", "ip")(32, code)))
print("closed:", result)

# A signal that comes between a call and the question.
SIGALRM = 14
ticks = []


def tick(number):
    own[0] = 78
    set_errno(79)
    ticks.append(ffi.errno(80))


def wait_for_signal():
    libc().func("p", "signal", "iC")(SIGALRM, ffi.callback("v", tick, "i"))
    libc().func("i", "setitimer", "ipp")(0, b"".join(n.to_bytes(8, "little") for n in (0, 0, 0, 20000)), None)
    set_errno(33)
    while not ticks:
        pass


if is_windows:
    ffi.errno(33)
else:
    wait_for_signal()
print("signal:", ffi.errno(), get_errno(), ffi.errno(32))

# A function of the interpreter's own, which raises through the call.
length = ffi.func("O", int.from_bytes(bytes(ffi.as_bytearray(id(len) + 8, 8)), "little"), "O")
ffi.errno(44)
try:
    length(5)
except TypeError:
    print("left:", interpreter_works(), ffi.errno(), length("abc"), ffi.errno(32))

# What it takes.
print(ffi.errno(0x7FFFFFFF), ffi.errno(-0x80000000) == 0x7FFFFFFF, ffi.errno(0) == -0x80000000, ffi.errno(True), ffi.errno())
raises("text", TypeError, [], ffi.errno, "1")
raises("float", TypeError, [], ffi.errno, 1.5)
raises("large", OverflowError, ["32 bits"], ffi.errno, 1 << 31)
raises("larger", OverflowError, [], ffi.errno, 1 << 70)
raises("two", TypeError, [], ffi.errno, 1, 2)
print(ffi.errno())
