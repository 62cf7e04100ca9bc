-- Whole messages, one after the other, on one connection. Nothing in them may be changed.
conn = begin()
for _, change in ipairs({SMFIF_ADDHDRS, SMFIF_CHGBODY, SMFIF_ADDRCPT, SMFIF_DELRCPT, SMFIF_CHGHDRS}) do
    if mt.test_action(conn, change) then
        fail("the filter wants to change messages: " .. change)
    end
end
for n = 1, 25 do
    if n > 1 then
        must(mt.mailfrom(conn, "<me@example.com>", "SIZE=1000"), "sender")
    end
    refused(conn, "<nobody@example.org>")
    taken(conn, "<bob@example.org>")
    must(mt.eom(conn), "end of message")
    expect(conn, SMFIR_CONTINUE, "end of message")
end
mt.disconnect(conn)
