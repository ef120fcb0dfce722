# What the module's objects look like.

import ffi
from support.peer import func, path, peer


# With addresses as dots.
def show(thing, *addresses):
    text = repr(thing)
    for address in addresses:
        if "0x%x" % address not in text:
            print("no", hex(address), "in", text)
        text = text.replace("0x%x" % address, "0x..")
    print(text.replace(path, "PATH"))


def start(thing):
    text = repr(thing)
    return int(text.split(" at 0x")[1].split(">")[0].split(" ")[0], 16)


show(peer, start(peer))
program = ffi.open(None)
show(program, start(program))
add2 = func("i", "add2", "ii")
show(add2, peer.addr("add2"))
show(func("v", "nothing", ""), peer.addr("nothing"))
show(ffi.func("d", peer.addr("scale"), "df"), peer.addr("scale"))


def cmp(a, b):
    return 0


cb = ffi.callback("i", cmp, "pp")
show(cb, cb.cfun())


class Thing:
    def method(self):
        pass

    def __call__(self):
        pass


def outer():
    x = 1

    def inner():
        return x

    return inner


for f in (lambda: 0, Thing().method, outer(), Thing()):
    c = ffi.callback("v", f, "")
    show(c, c.cfun())

var = peer.var("i", "var_i")
show(var, peer.addr("var_i"))

# Closed ones, without a look at memory that is gone.
own = ffi.open(path)
f, v = own.func("i", "add2", "ii"), own.var("i", "var_i")
addresses = own.addr("add2"), own.addr("var_i")
own.close()
program.close()
cb.close()
show(own)
show(program)
show(cb)
show(f, addresses[0])
show(v, addresses[1])
print([type(x).__name__ for x in (own, f, cb, v)])
