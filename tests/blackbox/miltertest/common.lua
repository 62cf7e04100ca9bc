-- What the scripts share. SOCKET is set by who runs them.

function fail(what)
    mt.echo(what)
    error(what)
end

function must(got, what)
    if got ~= nil then
        fail(what .. ": " .. tostring(got))
    end
end

function expect(conn, reply, what)
    local got = mt.getreply(conn)
    if got ~= reply then
        fail(string.format("%s: reply %s, expected %s", what, string.char(got), string.char(reply)))
    end
end

function connect()
    local conn = mt.connect(SOCKET, 40, 0.25)
    if conn == nil then
        fail("no connection to " .. SOCKET)
    end
    return conn
end

-- A connection from this host, up to the recipients.
function begin()
    local conn = connect()
    must(mt.conninfo(conn, "localhost", "127.0.0.1"), "connection")
    must(mt.mailfrom(conn, "<me@example.com>"), "sender")
    return conn
end

function refused(conn, address)
    must(mt.rcptto(conn, address), address)
    expect(conn, SMFIR_REPLYCODE, address)
end

function taken(conn, address)
    must(mt.rcptto(conn, address), address)
    expect(conn, SMFIR_CONTINUE, address)
end
