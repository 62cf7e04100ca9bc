-- Connections that end in the middle of a message, without a word.
for _ = 1, 10 do
    conn = begin()
    refused(conn, "<nobody@example.org>")
    mt.disconnect(conn, false)
end
conn = begin()
refused(conn, "<nobody@example.org>")
mt.disconnect(conn)
