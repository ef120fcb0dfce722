import sqlite as s
import ffi

db = s.types.new("sqlite3 *[1]")
print(s.sqlite3_open(":memory:", db) == s.SQLITE_OK)
rows = []


def row(context, count, values, names):
    rows.append(count)
    return 0


each = s.types.callback("int (void *, int, char **, char **)", row)
print(s.sqlite3_exec(db[0], "create table t(n); insert into t values (1), (2); select n, n * n from t", each, None, None))
print(rows, s.sqlite3_errcode(db[0]) == s.SQLITE_OK)
statement = s.types.new("sqlite3_stmt *[1]")
print(s.sqlite3_prepare_v2(db[0], "select sum(n) from t", -1, statement, None))
print(s.sqlite3_step(statement[0]) == s.SQLITE_ROW, s.sqlite3_column_int(statement[0], 0))
print(s.sqlite3_finalize(statement[0]), s.sqlite3_close(db[0]))
