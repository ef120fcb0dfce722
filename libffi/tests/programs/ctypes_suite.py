# CPython's own tests of ctypes: what does not pass, and how many ran. Which libffi they ran on goes to stderr.

import os
import sys
import sysconfig
import unittest

import ctypes

try:
    import ctypes.test as suite
except ImportError:
    import test.test_ctypes as suite

standard_library = sysconfig.get_path("stdlib")
tests = unittest.defaultTestLoader.discover(os.path.dirname(suite.__file__), top_level_dir=standard_library)
with open(os.devnull, "w") as nowhere:
    result = unittest.TextTestRunner(stream=nowhere).run(tests)
for word, entries in (("failed", result.failures), ("failed", result.errors), ("skipped", result.skipped)):
    for test, why in entries:
        print(word, test.id() if hasattr(test, "id") else test, file=sys.stdout)
        if word == "failed":
            print(why, file=sys.stderr)
print("ran", result.testsRun)

with open("/proc/self/maps") as maps:
    libraries = {line.split()[-1] for line in maps if "libffi" in line}
print("libffi:", *libraries, file=sys.stderr)
