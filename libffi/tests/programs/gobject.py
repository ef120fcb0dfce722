# PyGObject: functions, methods, callbacks and signals, all of which go through libffi. Which one goes to stderr.

import sys

from gi.repository import GLib, GObject

print(GLib.ascii_strtod("2.5 rest"))
print(GLib.ascii_strup("text", -1), GLib.strdup("again"))
print(GLib.utf8_strlen("h\u00e9h\u00e9", -1), GLib.unichar_toupper("\u00e9"))
print(GLib.compute_checksum_for_data(GLib.ChecksumType.SHA256, b"farcall"))
print(GLib.Variant("(iusd)", (-1, 4000000000, "x", 0.5)).unpack())
print(GLib.random_double_range(1.5, 1.5 + 1e-12) < 1.6)
print(GLib.date_valid_dmy(29, GLib.DateMonth.FEBRUARY, 2023), GLib.date_get_days_in_month(2, 2024))

# Signals go to handlers, with values of every kind.
class Emitter(GObject.Object):
    __gsignals__ = {
        "mixed": (
            GObject.SignalFlags.RUN_LAST,
            bool,
            (int, float, str, bool, GObject.TYPE_CHAR, GObject.TYPE_UINT64, GObject.TYPE_FLOAT, object),
        )
    }
    number = GObject.Property(type=int, default=3)


emitter = Emitter()
emitter.connect("mixed", lambda *values: print(values[1:]) or True)
print(emitter.emit("mixed", -5, 1.25, "text", True, 100, 2**63 + 1, 0.5, [1, 2]))
emitter.connect("notify::number", lambda it, spec: print(spec.name, it.number))
emitter.number = 17

# Callbacks: sources of a main loop, and a function that is called for each of something.
loop = GLib.MainLoop()
calls = []


def tick(word):
    calls.append(word)
    if len(calls) == 3:
        loop.quit()
        return GLib.SOURCE_REMOVE
    return GLib.SOURCE_CONTINUE


GLib.timeout_add(1, tick, "tick")
loop.run()
print(calls)
for _ in range(1000):
    GLib.idle_add(calls.append, "idle")
context = GLib.MainContext.default()
while context.pending():
    context.iteration(False)
print(len(calls))

with open("/proc/self/maps") as maps:
    libraries = {line.split()[-1] for line in maps if "libffi" in line}
print("libffi:", *libraries, file=sys.stderr)
