# Runs a script of the module's tests again and again, and interrupts it at a random time. It ends by KeyboardInterrupt, or as it does
# by itself; after each time the module works as before. `SCRIPT SEED TIMES`; says "well" at the end.
import ffi, gc, os, random, sys

script, seed, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
peer = ffi.open(os.getenv("FARCALL_SOAK_PEER"))
interrupt_in = peer.func("v", "interrupt_in", "l")
stop_alarm = ffi.open(None).func("i", "setitimer", "ipp")
with open(script) as file:
    source = file.read()


class Wrong(Exception):
    pass


def double(x):
    return x + x


def canary():
    libc = ffi.open(None)
    if libc.func("l", "labs", "l")(-3) != 3:
        raise Wrong("a call")
    callback = ffi.callback("i", double, "i")
    if ffi.func("i", callback.cfun(), "i")(4) != 8:
        raise Wrong("a callback")
    callback.close()
    gc.collect()
    with open("/proc/self/maps") as maps:
        before = maps.read().count("libBrokenLocale")
    with ffi.open("libBrokenLocale.so.1"):
        pass
    with open("/proc/self/maps") as maps:
        # Another thread that was left inside a call keeps all libraries loaded.
        if "_thread" not in source and maps.read().count("libBrokenLocale") != before:
            raise Wrong("a library stays")


interrupts = ends = 0
for _ in range(times):
    try:
        try:
            interrupt_in(random.getrandbits(random.randrange(4, 19)))
            exec(source, {"__name__": "__main__"})
        finally:
            # An interrupt that has just come is raised here.
            interrupt_in(-1)
            for _ in range(100):
                pass
        ends += 1
    except KeyboardInterrupt:
        interrupts += 1
    except (Exception, SystemExit) as e:
        # An interrupted script may not have undone its changes.
        sys.print_exception(e)
        ends += 1
    try:
        # The script's own handlers may raise now.
        stop_alarm(0, bytes(32), None)
        for _ in range(100):
            pass
    except Exception as e:
        sys.print_exception(e)
    canary()
print("\nwell", interrupts, ends)
