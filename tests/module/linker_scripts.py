# Texts for the linker that stand where a library is expected are opened as what they name.

import ffi
import os
from support.peer import is_windows, path, raises

if is_windows:
    print("SKIP")
    raise SystemExit

folder = "linker_scripts." + str(ffi.open(None).func("i", "getpid", "")())
os.mkdir(folder)
made = []


def write(name, text):
    made.append(folder + "/" + name)
    with open(made[-1], "w") as f:
        f.write(text)
    return made[-1]


def answer(name):
    lib = ffi.open(name)
    return lib.func("i", "answer", "")()


def scripts():
    # By path, as libc.so has it: with an archive, and what may be missing.
    print(answer(write("liba.so", "/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( %s /no/archive.a AS_NEEDED ( /no/such.so ) )\n" % path)))
    # By name, in the folder of the script, short names too, and by scripts that name scripts. A text shorter than a library's header.
    print(answer(write("libb.so", "INPUT(liba.so)")))
    print(answer(write("libc.so", "INPUT(-lb)")))
    print(answer(write("libd.so", "GROUP(-l:libc.so , \"libb.so\")")))
    # Where the script says.
    print(answer(write("libe.so", "SEARCH_DIR(\"%s\") INPUT(%s)" % tuple(path.rsplit("/", 1)))))
    # All that are named are searched for a symbol, in order, and all are closed.
    c = next(name for name in ("libc.so.6", "libc.musl-x86_64.so.1", "libc.so") if opens(name))
    several = ffi.open(write("libf.so", "INPUT(%s %s)" % (c, path)))
    print(several.func("i", "answer", "")(), several.func("i", "abs", "i")(-3), several.close())

    # What is wrong is said.
    for name, text, parts in (
        ("missing.so", "INPUT(libnone.so.7)", ("missing.so", "linker script", "libnone.so.7")),
        ("archives.so", "INPUT(a.a b.o)", ("archives.so", "no shared library")),
        ("itself.so", "INPUT(itself.so)", ("itself.so", "scripts that name each other")),
        ("open.so", "GROUP(a.so", ("open.so", "no end")),
        ("brackets.so", "INPUT a.so", ("brackets.so", "byte 5")),
        ("many.so", "INPUT(" + 65 * "a.so " + ")", ("many.so", "more than 64")),
        ("include.so", "INCLUDE a.so", ("include.so", "INCLUDE")),
        ("text.so", "no script at all", ("text.so",)),
        ("empty.so", "", ("empty.so",)),
        ("long.so", "/*" + 70000 * " " + "*/ INPUT(" + path + ")", ("long.so",)),
    ):
        raises(name, OSError, parts, ffi.open, write(name, text))


def opens(name):
    try:
        ffi.open(name)
        return True
    except OSError:
        return False


try:
    scripts()
finally:
    for name in made:
        os.unlink(name)
    os.rmdir(folder)
