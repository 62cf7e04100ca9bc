#!/bin/sh
# The code is as clang-format lays it out. Another version's layout may differ: only 14 counts.
set -eu

tool=$(command -v clang-format-14 || command -v clang-format || true)
case $("${tool:-false}" --version 2>&1 || true) in
*"version 14."*) ;;
*)
    echo "clang-format 14 is missing"
    exit 77
    ;;
esac
cd "$srcdir"
find src tests -name '*.[ch]' | LC_ALL=C sort | grep . | xargs "$tool" --dry-run -Werror
