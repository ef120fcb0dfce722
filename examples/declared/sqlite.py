"""SQLite in memory: a callback for each row, a function for SQL that is written in Python, and a message for what goes wrong.

It prints:

    ['Earth', '1']
    ['Mars', '2']
    ['Venus', None]
    ['6']
    error 1: no such table: stars
"""

import ffi
import uctypes

c = ffi.cdef("""
    typedef struct sqlite3 sqlite3;
    typedef struct sqlite3_context sqlite3_context;
    typedef struct sqlite3_value sqlite3_value;
    enum { SQLITE_OK, SQLITE_UTF8 };
    int sqlite3_open(const char *name, sqlite3 **db);
    int sqlite3_close(sqlite3 *db);
    int sqlite3_exec(sqlite3 *db, const char *sql, int (*on_row)(void *, int, char **, char **), void *, char **error);
    const char *sqlite3_errmsg(sqlite3 *db);
    int sqlite3_create_function(sqlite3 *db, const char *name, int arguments, int encoding, void *data,
        void (*run)(sqlite3_context *, int, sqlite3_value **), void *step, void *end);
    int sqlite3_value_int(sqlite3_value *value);
    void sqlite3_result_int(sqlite3_context *context, int result);
    size_t strlen(const char *text);
""")
sqlite = ffi.open("libsqlite3.so.0", c)
strlen = ffi.open(None, c).strlen


def pointers(address, count):
    return uctypes.struct(address, (0 | uctypes.ARRAY, count | uctypes.UINT64))


def on_row(_, count, values, names):
    row = [pointers(values, count)[i] for i in range(count)]
    print([uctypes.bytes_at(p, strlen(p)).decode() if p else None for p in row])
    return 0


def run(sql):
    error = sqlite.sqlite3_exec(db, sql, on_row, None, None)
    if error != c.SQLITE_OK:
        print("error %d: %s" % (error, sqlite.sqlite3_errmsg(db)))

place = c.new("sqlite3 *")
sqlite.sqlite3_open(":memory:", place)
db = place[0]
run("create table planets (name text, moons int); insert into planets values ('Mars', 2), ('Earth', 1), ('Venus', null)")
run("select name, moons from planets order by name")
# SQLite keeps this one, so it is a callback that stays.
double = c.callback("void (sqlite3_context *, int, sqlite3_value **)",
    lambda context, n, values: sqlite.sqlite3_result_int(context, 2 * sqlite.sqlite3_value_int(pointers(values, n)[0])))
sqlite.sqlite3_create_function(db, "double", 1, c.SQLITE_UTF8, None, double, None, None)
run("select double(3)")
run("select * from stars")
sqlite.sqlite3_close(db)
