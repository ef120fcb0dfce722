# The N-th request for memory and all later ones are refused, for every N, in a process of its own each: what was asked for works, or raises
# MemoryError (the loader's is an OSError), and works once there is memory again.

import ffi
import sys
from support.peer import peer

program = ffi.open(None)
try:
    refuse, refusals = program.func("v", "refuse", "il"), program.func("l", "refusals", "")
except OSError:
    print("SKIP")
    raise SystemExit

fork, waitpid, leave = program.func("i", "fork", ""), program.func("i", "waitpid", "ipi"), program.func("v", "_exit", "i")
MALLOC, MMAP, MREMAP, MPROTECT = 1, 2, 4, 8
KINDS = (MALLOC, MMAP, MREMAP, MPROTECT, MALLOC | MMAP | MREMAP | MPROTECT)


def open_library():
    ffi.open("libm.so.6").close()


def open_what_is_missing():
    try:
        ffi.open("libno-such-library.so")
    except OSError:
        pass


def new_function():
    assert peer.func("i", "add2", "iidddddddddddddlqf") is not None


def new_function_that_is_called():
    function = peer.func("I", "add2", "IIdsp")
    for i in range(40):
        assert function(i, 1, 0.5, "text", None) == i + 1


def new_function_with_objects():
    function = peer.func("i", "add2", "iiiii")
    for i in range(40):
        assert function(i, 1, 2, 3, 4) == i + 1


def variadic_function():
    buffer = bytearray(40)
    function = program.func("i", "snprintf", "pLs.id")
    for i in range(40):
        assert function(buffer, 40, "%d %g", i, 0.5) == len(str(i)) + 4


def callback_that_is_called():
    callback = ffi.callback("i", lambda a, b, c: a + b + c, "iii")
    function = ffi.func("i", callback.cfun(), "iii")
    for i in range(40):
        assert function(i, 1, 1) == i + 2
    callback.close()


def callback_with_slots():
    callback = ffi.callback("d", lambda a, b, c: a + b + c, "dqf")
    function = ffi.func("d", callback.cfun(), "dqf")
    for i in range(40):
        assert function(i, 1, 0.5) == i + 1.5
    callback.close()


def many_callbacks():
    callbacks = []
    for i in range(300):
        callbacks.append(ffi.callback("i", abs, "i"))
    for callback in callbacks:
        callback.close()


def variable():
    number = program.var("i", "optind")
    number.set(number.get())


# What a child tells by its status.
WORKS, RAISES, WRONG = 0, 1, 2


def outcome(what, kinds, after):
    refuse(kinds, after)
    try:
        what()
        raised = False
    except (MemoryError, OSError) as e:
        raised = e
    count = refusals()
    if raised and not count:
        print(what.__name__, kinds, after, "raised without need", repr(raised))
        return WRONG
    try:
        what()
    except Exception as e:
        print(what.__name__, kinds, after, "does not work later on", repr(e))
        return WRONG
    return RAISES if count else WORKS


def turn(what, kinds):
    status = bytearray(4)
    for after in range(4000):
        child = fork()
        if child == 0:
            code = WRONG
            try:
                code = outcome(what, kinds, after)
            except BaseException as e:
                refusals()
                sys.print_exception(e)
            leave(code)
        assert waitpid(child, status, 0) == child
        code = int.from_bytes(status, "little")
        if code == WORKS << 8:
            return "all right"
        if code != RAISES << 8:
            return "request %d: status %#x" % (after, code)
    return "never enough"


for what in (
    open_library,
    open_what_is_missing,
    new_function,
    new_function_that_is_called,
    new_function_with_objects,
    variadic_function,
    callback_that_is_called,
    callback_with_slots,
    many_callbacks,
    variable,
):
    outcomes = [turn(what, kinds) for kinds in KINDS]
    print(what.__name__ + ":", "all right" if set(outcomes) == {"all right"} else outcomes)
