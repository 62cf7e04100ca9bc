-- Messages that are given up at every step; what follows them is a message like any other.
conn = begin()
mt.abort(conn)
for _, steps in ipairs({0, 1, 2}) do
    must(mt.mailfrom(conn, "<me@example.com>"), "sender")
    for _ = 1, steps do
        refused(conn, "<nobody@example.org>")
    end
    mt.abort(conn)
end
must(mt.mailfrom(conn, "<me@example.com>"), "sender")
refused(conn, "<nobody@example.org>")
taken(conn, "<bob@example.org>")
mt.disconnect(conn)
