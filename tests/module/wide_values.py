# Values wider than a slot: long double, complex numbers, integers of 128 bits; as arguments, results, in callbacks and variables.

from support.peer import peer


def tried(f, *args):
    try:
        return f(*args)
    except (OverflowError, TypeError, ValueError) as error:
        return error


f = peer.func("long double echo_ldouble(long double x)")
for _ in range(12):
    got = [f(1.5), f(-3), f(1e300), f(float("inf")), f(float("nan")) != 0]
print(got, tried(f, "x"))
print(peer.func("long double through_ldouble(long double (*f)(long double), long double)")(lambda x: x * 2, 0.75))
variable = peer.var("long double wide_ldouble")
variable.set(2.5)
print(variable.get())

for name, text in (("fcomplex", "float _Complex"), ("dcomplex", "double _Complex"), ("lcomplex", "long double _Complex")):
    f = peer.func("%s echo_%s(%s)" % (text, name, text))
    through = peer.func("%s through_%s(%s (*f)(%s), %s)" % (text, name, text, text, text))
    for _ in range(12):
        got = [f(1 + 2j), f(3), f(0.5), through(lambda z: z * 1j, 2 + 4j)]
    print(name, got, tried(f, "1j"))
    variable = peer.var("%s wide_%s" % (text, name))
    variable.set(-1j)
    print(variable.get() == -1j)

for name, text, least, most in (
    ("i128", "__int128", -(1 << 127), (1 << 127) - 1),
    ("u128", "unsigned __int128", 0, (1 << 128) - 1),
):
    f = peer.func("%s echo_%s(%s)" % (text, name, text))
    through = peer.func("%s through_%s(%s (*f)(%s), %s)" % (text, name, text, text, text))
    variable = peer.var("%s wide_%s" % (text, name))
    for value in (least, most, 0, 1, 1 << 63, 1 << 64, 1 << 100, least // 3):
        for _ in range(12):
            got = f(value)
        variable.set(value)
        if not got == value == through(lambda x: x, value) == variable.get():
            print("wrong", name, value, got)
    print(tried(f, least - 1), "|", tried(f, most + 1), "|", tried(f, 1.0))
    print(tried(through, lambda x: most + 1, 0))
