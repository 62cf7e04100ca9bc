#!/bin/sh
# The man pages are well-formed.
set -eu

bad=0
for page in "$srcdir"/doc/*.[1-9]; do
    if command -v mandoc >/dev/null; then
        said=$(mandoc -T lint -W warning "$page" 2>&1 || true)
    elif command -v man >/dev/null && command -v groff >/dev/null; then
        said=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null || true)
    else
        echo "neither mandoc nor man is there"
        exit 77
    fi
    if [ -n "$said" ]; then
        printf '%s:\n%s\n' "$page" "$said"
        bad=1
    fi
done
exit $bad
