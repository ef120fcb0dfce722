# The part of unittest that MicroPython's own tests use. The real one is in micropython-lib, which the pinned source
# does not include. The closing lines are what tests/run-tests.py looks for.

import sys


class SkipTest(Exception):
    pass


class _Raises:
    def __init__(self, expected):
        self.expected = expected

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        assert kind is not None, "%r not raised" % (self.expected,)
        self.exception = value
        return issubclass(kind, self.expected)


class TestCase:
    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        pass

    def tearDown(self):
        pass

    def fail(self, msg=""):
        raise AssertionError(msg)

    def skipTest(self, reason):
        raise SkipTest(reason)

    def assertEqual(self, x, y, msg=""):
        assert x == y, msg or "%r != %r" % (x, y)

    def assertNotEqual(self, x, y, msg=""):
        assert x != y, msg or "%r == %r" % (x, y)

    def assertTrue(self, x, msg=""):
        assert x, msg or "%r is not true" % (x,)

    def assertFalse(self, x, msg=""):
        assert not x, msg or "%r is not false" % (x,)

    def assertIs(self, x, y, msg=""):
        assert x is y, msg or "%r is not %r" % (x, y)

    def assertIn(self, x, y, msg=""):
        assert x in y, msg or "%r not in %r" % (x, y)

    def assertIsInstance(self, x, y, msg=""):
        assert isinstance(x, y), msg or "%r is no %r" % (x, y)

    def assertRaises(self, expected, func=None, *args, **kwargs):
        context = _Raises(expected)
        if func is None:
            return context
        with context:
            func(*args, **kwargs)


def skip(reason):
    def decorate(func):
        def skipped(self):
            raise SkipTest(reason)

        return skipped

    return decorate


def skipIf(condition, reason):
    return skip(reason) if condition else lambda func: func


def skipUnless(condition, reason):
    return skipIf(not condition, reason)


def _run_one(case, name):
    case.setUp()
    try:
        getattr(case, name)()
    finally:
        case.tearDown()


def main(module="__main__"):
    counts = {"ran": 0, "skipped": 0, "failures": 0, "errors": 0}
    for kind in _classes(module):
        kind.setUpClass()
        for name in sorted(n for n in dir(kind) if n.startswith("test")):
            counts["ran"] += 1
            print(name, "(%s)" % kind.__name__)
            try:
                _run_one(kind(), name)
            except SkipTest:
                counts["skipped"] += 1
            except Exception as error:
                counts["failures" if isinstance(error, AssertionError) else "errors"] += 1
                sys.print_exception(error)
    print("-" * 70)
    print("Ran %d tests" % counts["ran"])
    print()
    if counts["failures"] or counts["errors"]:
        print("FAILED (failures=%d, errors=%d)" % (counts["failures"], counts["errors"]))
    elif counts["skipped"]:
        print("OK (skipped=%d)" % counts["skipped"])
    else:
        print("OK")


def _classes(module):
    things = __import__(module).__dict__.values()
    return [t for t in things if isinstance(t, type) and issubclass(t, TestCase) and t is not TestCase]
