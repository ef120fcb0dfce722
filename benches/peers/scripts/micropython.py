# Times MicroPython's ffi module, this repository's or its own: prints a line for each row, as the harness does.
#
# Every figure is net of the loop around it. A call is a call in a loop less an empty loop; a callback is what C needs
# to call it, less what the Python function costs when one of the interpreter's own C functions, map, calls it.

import ffi
import sys
import time

# What the interpreter has a processor for, not what a clock on the wall says: other programs' time is not counted.
clock = ffi.open(None).func("l", "clock", "")

PEER, LIBRARY, TABLE = sys.argv[1:4]
ROUNDS, TURN = int(sys.argv[4]), int(sys.argv[5])

library = ffi.open(LIBRARY)


def timed(loop, count):
    start = clock()
    loop(count)
    return clock() - start


def calibrated(loop):
    count = 64
    while timed(loop, count) < TURN / 2:
        count *= 2
    best = min(timed(loop, count), timed(loop, count), timed(loop, count))
    return max(1, int(count * TURN / max(1, best)))


def loop_of(body, **names):
    # The names are parameters, so that the loop finds them where a function's own variables are.
    source = "def make(%s):\n def loop(n, %s):\n  for i in range(n):\n   %s\n return lambda n: loop(n, %s)\n"
    listed = ", ".join(names)
    scope = {}
    exec(source % (listed or "_=0", listed or "_", body, listed or "0"), scope)
    return scope["make"](**names)


# A round's figure and, behind an @, what the empty loop took in it: that tells whether the round was disturbed.
def report(row, peer, samples):
    print("net\t%s\t%s\t%s" % (row, peer, " ".join(["%.2f@%.2f" % sample for sample in samples])))


def net(row, peers):
    # Rounds of turns, as in the harness: every peer's loops once in each. What is subtracted runs as often.
    counts = [calibrated(loop) for _, loop, _ in peers]
    samples = [[] for _ in peers]
    for _ in range(ROUNDS):
        for (_, loop, base), count, mine in zip(peers, counts, samples):
            taken, subtracted = timed(loop, count), timed(base, count)
            mine.append(((taken - subtracted) * 1000 / count, subtracted * 1000 / count))
    for (peer, _, _), mine in zip(peers, samples):
        report(row, peer, mine)


def signatures():
    for line in open(TABLE):
        if not line.startswith("#"):
            name, ret, args, values, ends, weighed = line.split()
            yield name, ret, args.replace("-", ""), values.replace("-", "") if args == "-" else values, ends, weighed


def check(function, values, wanted):
    got = eval("f(%s)" % values, {"f": function})
    expected = None if wanted == "-" else eval(wanted)
    if got != expected:
        raise ValueError("%s gave %r, not %r" % (function, got, expected))


empty = loop_of("pass")
builtin = time.ticks_diff

for name, ret, args, values, ends, weighed in signatures():
    check(library.func(ret, name + "_weighed", args), values, weighed)
    function = library.func(ret, name + "_ends", args)
    check(function, values, ends)
    net("script/" + name, [(PEER, loop_of("f(%s)" % values, f=function), empty)])

add2 = library.func("i", "add2_ends", "ii")
net(
    "script add2(i, 1)",
    [(PEER, loop_of("f(i, 1)", f=add2), empty), (PEER + " builtin", loop_of("f(i, 1)", f=builtin), empty)],
)
address = library.addr("add2_ends")
made = loop_of('func("i", address, "ii")', func=ffi.func, address=address)
net("script func", [(PEER, made, empty)])


def add(a, b):
    return a + b


call_back = library.func("i", "call_back", "Cq")
callback = ffi.callback("i", add, "ii")
if call_back(callback, 3) != 3:
    raise ValueError("the callback does not add")


def mapped(function):
    def loop(n):
        for _ in map(function, range(n), range(n)):
            pass

    return loop


def callbacks():
    loops = [lambda n: call_back(callback, n), mapped(add), mapped(builtin)]
    counts = [calibrated(loop) for loop in loops]
    samples = [[], [], []]
    for _ in range(ROUNDS):
        whole, python, empty = [timed(loop, count) * 1000 / count for loop, count in zip(loops, counts)]
        for mine, figure in zip(samples, (whole, python - empty, whole - (python - empty))):
            mine.append((figure, empty))
    whole, python, rest = samples
    report("script callback, whole", PEER, whole)
    report("script callback, the Python function", PEER, python)
    report("script callback", PEER, rest)


callbacks()
