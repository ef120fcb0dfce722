# Ctrl-C again and again, in calls, in callbacks, and while functions are made.
import ffi, os, sys, time

end = time.time() + int(sys.argv[1])
libc = ffi.open(None)
getpid = libc.func("i", "getpid", "")
usleep = libc.func("i", "usleep", "I")
labs = libc.func("l", "labs", "l")
codes = "bBhHiIlLqQfdp"
os.system("( sleep 0.3; i=0; while [ $i -lt %d ]; do kill -INT %d 2>/dev/null || exit; sleep 0.004; i=$((i+1)); done ) >/dev/null 2>&1 &" % (int(sys.argv[1]) * 100, getpid()))
rounds = interrupts = 0
while time.time() < end:
    try:
        letters = ""
        n = rounds
        while n:
            letters += codes[n % 13]
            n //= 13
        libc.func("i", "getpid", letters)
        callback = ffi.callback("i", lambda a: a + 1, "i")
        if ffi.func("i", callback.cfun(), "i")(rounds) != rounds + 1:
            print("wrong")
            sys.exit(1)
        callback.close()
        usleep(500)
        rounds += 1
    except KeyboardInterrupt:
        interrupts += 1
while True:
    try:
        time.sleep(1)
        break
    except KeyboardInterrupt:
        pass
print("interrupts", interrupts)
print("rounds", rounds)
