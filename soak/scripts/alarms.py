# A callback is the handler of a timer's signal while functions and callbacks are made and called, and libraries opened and closed.
import ffi, gc, sys
from support.turn import goes_on

libc = ffi.open(None)
signal = libc.func("p", "signal", "iC")
ualarm = libc.func("I", "ualarm", "II")
labs = libc.func("l", "labs", "l")
ticks = 0


def tick(number):
    global ticks
    ticks += 1


handler = ffi.callback("v", tick, "i")
signal(14, handler)
ualarm(700, 700)
rounds = 0
while goes_on(rounds):
    callback = ffi.callback("i", lambda a: a + rounds, "i")
    function = ffi.func("i", callback.cfun(), "i")
    if function(3) != rounds + 3 or labs(-rounds) != rounds:
        print("wrong")
        sys.exit(1)
    callback.close()
    if rounds % 16 == 0:
        library = ffi.open("libm.so.6")
        if library.func("d", "fabs", "d")(-2.0) != 2.0:
            print("wrong")
            sys.exit(1)
        library.close()
    rounds += 1
ualarm(0, 0)
print("ticks", ticks)
print("rounds", rounds)
