#!/usr/bin/env python3
"""Includes go one way, and each third-party library stays behind its fence."""
import re
from fnmatch import fnmatch

from source import Findings, bare, c_files, read

# A room includes itself and the ranks below it; rooms of one rank do not know each other.
RANKS = (('base',), ('smtp', 'dns', 'store'), ('callout',), ('policy', 'cache'),
         ('frontend', 'learn', 'ctl'), ('conf',), ('',))
RANK = {room: n for n, rooms in enumerate(RANKS) for room in rooms}

FENCES = (
    (r'event2/|event\.h$|evhttp\.h$|evdns\.h$',
     ('src/base/loop.c', 'src/smtp/connection.c', 'src/smtp/dial.c',
      'src/dns/channel.c', 'src/frontend/*', 'src/daemon.c')),
    (r'lmdb\.h$', ('src/store/*',)),
    (r'ares', ('src/dns/channel.c',)),
    (r'openssl/', ('src/smtp/tls.c', 'src/smtp/tls_tickets.[ch]')),
    (r'confuse\.h$', ('src/conf/language.c',)),
    (r'libpsl', ('src/dns/registrable.c',)),
    (r'idn2\.h$', ('src/smtp/address.c',)),
    (r'pcre2', ('src/callout/pattern.c',)),
    (r'jansson', ('src/frontend/*', 'src/ctl/*', 'src/policy/verdict_json.[ch]', 'src/cache/*')),
    (r'curl/', ('src/ctl/*',)),
    (r'xxh', ('src/base/hash.c', 'src/store/*')),
    (r'systemd/', ('src/base/*', 'src/frontend/listener.c')),
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def check_own(found, path, line, target, known):
    room, other = path.split('/')[1:-1], target.split('/')[:-1]
    room, other = '/'.join(room), '/'.join(other)
    if f'src/{target}' not in known:
        found.add(path, line, f'"{target}" is no file below src/')
    elif room not in RANK or other not in RANK:
        unknown = room if room not in RANK else other
        found.add(path, line, f'the room "{unknown}" has no rank: give it one in this lint')
    elif room != other and RANK[other] >= RANK[room]:
        found.add(path, line, f'{room or "src"} may not include {other or "src"} ("{target}")')


def check_library(found, path, line, target):
    for pattern, places in FENCES:
        if re.match(pattern, target) and not any(fnmatch(path, p) for p in places):
            found.add(path, line, f'<{target}> is only for {", ".join(places)}')


def main():
    found = Findings()
    files = c_files('src')
    known = set(files)
    for path in files:
        found.looked_at += 1
        text = bare(read(path), strings=True)
        for m in INCLUDE.finditer(text):
            line = text.count('\n', 0, m.start(1)) + 1
            if m.group(1) == '"':
                check_own(found, path, line, m.group(2), known)
            check_library(found, path, line, m.group(2))
    found.end()


main()
