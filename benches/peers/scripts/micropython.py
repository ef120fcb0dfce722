# Times MicroPython's ffi module, this repository's or its own: prints a line for each row, as the harness does.
#
# Every figure is net of the loop around it. A call is a call in a loop less an empty loop; a callback is what C takes
# for each, less what the Python function costs when one of the interpreter's own C functions calls it: max with
# the function as its key, less max without.

import ffi
import sys
import time

# The processor's time of the interpreter, not the clock on the wall: other programs' time is not counted.
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
    # The names are parameters, so that the loop finds them as local variables.
    source = "def make(%s):\n def loop(n, %s):\n  for i in range(n):\n   %s\n return lambda n: loop(n, %s)\n"
    listed = ", ".join(names)
    scope = {}
    exec(source % (listed or "_=0", listed or "_", body, listed or "0"), scope)
    return scope["make"](**names)


# The median of the rounds whose empty loop was not slowed down by something else; behind an @, that loop's time.
def report(row, peer, samples):
    empties = sorted([empty for _, empty in samples])
    limit = empties[len(empties) // 10] * 1.15
    kept = sorted([sample for sample in samples if sample[1] <= limit])
    print("sample\t%s\t%s\t%.2f@%.2f" % (row, peer, kept[len(kept) // 2][0], empties[len(empties) // 2]))


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

# New signatures of five letters each, the same number in each turn.
FRESH = 50
LETTERS = "iqdfBh"
none = library.addr("none_ends")


def make(signatures, func=ffi.func):
    for args in signatures:
        func("v", none, args)


def make_and_call(signatures, func=ffi.func):
    for args in signatures:
        func("v", none, args)(1, 1, 1, 1, 1)


def pass_over(signatures):
    for args in signatures:
        pass


def first():
    numbers = iter(range(len(LETTERS) ** 5))
    samples = [[], []]
    for _ in range(ROUNDS):
        for mine, work in zip(samples, (make, make_and_call)):
            fresh = ["".join([LETTERS[n // 6**place % 6] for place in range(5)]) for n, _ in zip(numbers, range(FRESH))]
            taken, empty = timed(work, fresh), timed(pass_over, fresh * 20) / 20
            mine.append(((taken - empty) * 1000 / FRESH, empty * 1000 / FRESH))
    report("script first, made", PEER, samples[0])
    report("script first, made and called once", PEER, samples[1])


first()


def add(a, b):
    return a + b


def increment(a):
    return a + 1


call_back = library.func("i", "call_back", "Cq")
call_back_one = library.func("i", "call_back_one", "Cq")
two, one = ffi.callback("i", add, "ii"), ffi.callback("i", increment, "i")
if call_back(two, 3) != 3 or call_back_one(one, 3) != 3:
    raise ValueError("a callback does not add")


def callbacks():
    loops = [
        lambda n: call_back(two, n),
        lambda n: call_back_one(one, n),
        lambda n: max(range(n), key=increment),
        lambda n: max(range(n)),
    ]
    counts = [calibrated(loop) for loop in loops]
    samples = [[], [], [], []]
    for _ in range(ROUNDS):
        whole_two, whole, with_key, empty = [timed(loop, count) * 1000 / count for loop, count in zip(loops, counts)]
        python = with_key - empty
        for mine, figure in zip(samples, (whole_two, whole, python, whole - python)):
            mine.append((figure, empty))
    report("script callback, int(int, int), whole", PEER, samples[0])
    report("script callback, int(int), whole", PEER, samples[1])
    report("script callback, the Python function", PEER, samples[2])
    report("script callback, the rest", PEER, samples[3])


callbacks()


# Structs by value, which the port's own module does not have.
def structs():
    declared = ffi.cdef("""
        struct pair { int64_t first, second; };
        int64_t add_pair(struct pair pair);
        int64_t add_two(int64_t first, int64_t second);
        struct pair pair_of(int64_t first, int64_t second);
    """)
    lib = ffi.open(LIBRARY, declared)
    pair = declared.new("struct pair", first=1, second=2)
    if lib.add_pair(pair) != 3 or lib.pair_of(4, 5).second != 5:
        raise ValueError("a struct does not arrive")
    net(
        "script/struct",
        [
            (PEER, loop_of("f(p)", f=lib.add_pair, p=pair), empty),
            (PEER + " numbers", loop_of("f(1, 2)", f=lib.add_two), empty),
        ],
    )
    net("script/struct result", [(PEER, loop_of("f(1, 2)", f=lib.pair_of), empty)])


if hasattr(ffi, "cdef"):
    structs()
