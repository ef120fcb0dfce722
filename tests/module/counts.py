# Wrong numbers of arguments and keywords are errors that state both numbers.

import ffi
from support.peer import func, peer, raises

add2 = func("i", "add2", "ii")
print(add2(1, 2))
raises("none", TypeError, ("add2", "2", "ii", "0"), add2)
raises("too few", TypeError, ("add2", "2", "ii", "1"), add2, 7)
raises("too many", TypeError, ("add2", "2", "ii", "4"), add2, 6, 7, 8, 9)
raises("many too many", TypeError, ("add2", "2", "ii", "300"), add2, *range(300))
raises("a keyword", TypeError, ("add2", "2", "0", "1"), add2, b=3)
raises("keywords that make up the number", TypeError, ("add2", "2", "1"), add2, 5, b=3)
raises("a keyword too many", TypeError, ("add2", "2", "1"), add2, 5, 6, c=3)
answer = func("i", "answer", "")
raises("one for none", TypeError, ("answer", "0", "1"), answer, None)
raises("one is singular", TypeError, ("1 argument (i)", "got 0"), func("i", "pass_i", "i"))
by_address = ffi.func("i", peer.addr("add2"), "ii")
print(by_address(1, 2))
raises("by address", TypeError, ("%x" % peer.addr("add2"), "2", "1"), by_address, 5)

# The module's own functions.
raises("open", TypeError, (), ffi.open)
raises("open of three", TypeError, (), ffi.open, None, 0, 0)
raises("func", TypeError, (), ffi.func, "i", 1)
raises("callback", TypeError, (), ffi.callback, "i", print)
raises("callback with a keyword that is none", TypeError, (), ffi.callback, "i", print, "", luck=True)
raises("callback with lock by position", TypeError, (), ffi.callback, "i", print, "", True)
raises("func of a module", TypeError, (), peer.func, "i", "answer")
raises("var", TypeError, (), peer.var, "i")
raises("addr", TypeError, (), peer.addr)
