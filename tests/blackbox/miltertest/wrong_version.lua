-- Version 1 is refused; the next connection is served.
conn = connect()
if mt.negotiate(conn, 1, 0x0f, 0x3f) == nil then
    fail("version 1 was taken")
end
mt.disconnect(conn, false)
conn = begin()
refused(conn, "<nobody@example.org>")
mt.disconnect(conn)
