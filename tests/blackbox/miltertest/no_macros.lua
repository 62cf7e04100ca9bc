-- A mail server that tells nothing: version 2, which has no lists of macros, and not one macro.
conn = connect()
must(mt.negotiate(conn, 2, 0x3f, 0x7f), "negotiation")
must(mt.conninfo(conn, "localhost", "127.0.0.1"), "connection")
must(mt.mailfrom(conn, "<me@example.com>"), "sender")
refused(conn, "<nobody@example.org>")
taken(conn, "<bob@example.org>")
mt.disconnect(conn)
