# A dot among the codes stands where a variadic function's own arguments end.

import ffi
from support.peer import func, peer, raises

printed = func("s", "printed", "s.idsd")
print(printed("%d %g %s %g", -3, 2.5, "text", 1e100))
print(printed("%d %g %s %g", 1 << 30, 2, b"bytes", -0.0))
print(func("s", "printed", "s.")("nothing"))
print(func("s", "printed", "s.dddddddddd")("%g %g %g %g %g %g %g %g %g %g", *range(10)))
print(func("s", "printed", "s.iiiiiiii")("%d %d %d %d %d %d %d %d", *range(-4, 4)))
print(func("s", "printed", ("s", ".", "i"))("%d", 7))
print(ffi.func("s", peer.addr("printed"), "s.uid".replace("u", "I"))("%u %d %g", 1 << 31, -1, 0.5))
show = repr(printed)
print(show[: show.find(" at ")], show[show.rfind(" ") + 1 :])

# Arguments are counted without the dot, and none is given silently.
raises("too few", TypeError, ("printed", "5", "s.idsd", "2"), printed, "", 1)
raises("wrong second", TypeError, ("argument 2 of printed", "'i'"), printed, "", "x", 0, "", 0)
raises("wrong third", TypeError, ("argument 3 of printed", "'d'"), printed, "", 0, "x", "", 0)

# What C promotes never arrives behind the dots.
for code in "bBhHf":
    raises(code, ValueError, ("argument 2", "promotes"), func, "s", "printed", "s." + code)
raises("two dots", TypeError, ("argument 2", "'.'"), func, "s", "printed", "s..i")
raises("a result", TypeError, ("result", "'.'"), func, ".", "printed", "s")
raises("a callback", ValueError, ("argument 2", "callback"), ffi.callback, "i", print, "p.i")
