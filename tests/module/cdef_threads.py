# Several threads that read, ask and add to one namespace, and make their own.

import ffi
from support.threads import _thread, done, report, wait

COUNT = 40
text = "".join("struct s%d { int a; char c[%d]; }; enum { K%d = %d };" % (n, n + 1, n, n) for n in range(COUNT))
t = ffi.cdef(text)


def work(k):
    wrong = []
    for r in range(100):
        n = (r * 7 + k) % COUNT
        name = "struct s%d" % n
        s = t.new(name, a=r)
        if s.a != r or len(bytes(s)) != t.sizeof(name) or t.sizeof(name) != (n + 8) // 4 * 4:
            wrong.append(name)
        if getattr(t, "K%d" % n) != n:
            wrong.append(n)
        if r % 25 == k:
            t.cdef("struct t%d_%d { %s x; };" % (k, r, name))
            if t.sizeof("struct t%d_%d" % (k, r)) != t.sizeof(name):
                wrong.append(r)
        # Here it is not known.
        own = ffi.cdef("typedef short own%d_t;" % k)
        if own.sizeof("own%d_t" % k) != 2 or ffi.sizeof(name) != t.sizeof(name):
            wrong.append(k)
    report(k, wrong)


for k in range(4):
    _thread.start_new_thread(work, (k,))
wait(4)
print(sorted(done))
