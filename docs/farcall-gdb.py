"""Has gdb show the names of generated code in backtraces: `source farcall-gdb.py` in gdb.

The program has to run with FARCALL_PERF=1 in its environment, as the names are those of /tmp/perf-PID.map.
"""

import gdb
from gdb.FrameDecorator import FrameDecorator


def entries(pid):
    """Address from, address to and name of each piece of code; code that came later in the place of other code wins."""
    try:
        with open(f"/tmp/perf-{pid}.map") as lines:
            rows = [line.rstrip("\n").split(" ", 2) for line in lines]
    except OSError:
        return []
    return [(int(start, 16), int(start, 16) + int(size, 16), name) for start, size, name in reversed(rows)]


class Named(FrameDecorator):
    def __init__(self, frame, name):
        super().__init__(frame)
        self.name = name

    def function(self):
        return f"[{self.name}]"


class Filter:
    def __init__(self):
        self.name = "farcall"
        self.priority = 100
        self.enabled = True
        gdb.current_progspace().frame_filters[self.name] = self

    def filter(self, frames):
        known = entries(gdb.selected_inferior().pid)
        for frame in frames:
            address = frame.inferior_frame().pc()
            names = [name for start, end, name in known if start <= address < end]
            yield Named(frame, names[0]) if names else frame


Filter()
