# C calls Python for each row: a database in memory with SQLite.

import ffi
import uctypes
from array import array


def open_first(*names):
    for name in names:
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


sqlite = open_first("libsqlite3.so.0", "libsqlite3.so", "libsqlite3.dylib", "sqlite3.dll")
sqlite_open = sqlite.func("i", "sqlite3_open", "sp")
sqlite_close = sqlite.func("i", "sqlite3_close", "p")
sqlite_exec = sqlite.func("i", "sqlite3_exec", "psCpp")
sqlite_errmsg = sqlite.func("s", "sqlite3_errmsg", "p")
errstr = sqlite.func("s", "sqlite3_errstr", "i")
strlen = ffi.open(None).func("Q", "strlen", "p")

# The handle comes back through a pointer to a pointer.
handle = array("Q", [0])
print("open:", errstr(sqlite_open(":memory:", handle)))
db = handle[0]

rows = []


def text_at(address):
    return None if address == 0 else uctypes.bytes_at(address, strlen(address)).decode()


# int callback(void *, int columns, char **values, char **names)
def on_row(_, columns, values, names):
    rows.append([text_at(p) for p in array("Q", uctypes.bytearray_at(values, 8 * columns))])
    return 0


on_row = ffi.callback("i", on_row, "pipp")


def run(statement):
    if sqlite_exec(db, statement, on_row, None, None) != 0:
        raise ValueError(sqlite_errmsg(db))


run("create table planets (name text, moons integer)")
run("insert into planets values ('Mars', 2), ('Earth', 1), ('Venus', null)")
run("select name, moons from planets order by name")
for row in rows:
    print(row)

try:
    run("select * from stars")
except ValueError as e:
    print("error:", e)


# An exception in a callback ends the query, and is raised by the call that ran it.
def fail(*_):
    raise KeyError("no more rows, please")


try:
    with ffi.callback("i", fail, "pipp") as c_fail:
        sqlite_exec(db, "select * from planets", c_fail, None, None)
except KeyError as e:
    print("raised:", e)

print("close:", errstr(sqlite_close(db)))
