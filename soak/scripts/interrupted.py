# Ctrl-C at random times in the scripts of the module's own tests. Each has a process, which must neither hang nor crash.
import os, random, sys
from support.turn import goes_on

seed = int(sys.argv[2])
random.seed(seed)
here = sys.argv[0].rsplit("/", 1)[0]
tests = here + "/../../tests/module"
scripts = sorted(entry[0] for entry in os.ilistdir(tests) if entry[0].endswith(".py"))
# It has its own interrupts.
scripts.remove("interrupts.py")
os.putenv("MICROPYPATH", ".frozen:" + tests)
TIMES = 5
processes = interrupts = 0
while goes_on(processes):
    script = random.choice(scripts)
    number = random.getrandbits(20)
    command = "timeout 40 '%s' '%s/support/interrupted_script.py' '%s/%s' %d %d" % (
        sys.executable, here, tests, script, number, TIMES)
    # One file for each process, as a child that an interrupted script has forked may still write to its own.
    out_name, err_name = "out%d.txt" % processes, "err%d.txt" % processes
    status = os.system("%s >%s 2>%s" % (command, out_name, err_name))
    with open(out_name) as out:
        last = out.read().strip().split("\n")[-1]
    if status != 0 or not last.startswith("well"):
        print("wrong:", script, "status", status, "again:", command)
        with open(err_name) as err:
            print(err.read()[-2000:])
        sys.exit(1)
    os.remove(out_name)
    os.remove(err_name)
    processes += 1
    interrupts += int(last.split()[1])
print("processes", processes)
print("interrupts", interrupts)
