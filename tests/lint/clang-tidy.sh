#!/bin/sh
# clang-tidy, with the checks of .clang-tidy, finds nothing. One file a run: of several at once
# clang-tidy 14 takes va_start() for unknown in all but the first. What another version finds is
# shown, but fails nothing: it has other checks.
set -eu

tool=$(command -v clang-tidy-14 || command -v clang-tidy || true)
if [ -z "$tool" ]; then
    echo "clang-tidy is missing"
    exit 77
fi
case $("$tool" --version) in
*"version 14."*) found=1 ;;
*) found=77 ;;
esac
export tool
cd "$srcdir"
find src -name '*.c' | LC_ALL=C sort | grep . | xargs -P2 -I{} sh -c '
    file=$1
    eval "set -- $LINT_DEFS $LINT_CFLAGS"
    said=$("$tool" --quiet "$file" -- -std=c11 -D_GNU_SOURCE -DCONFDIR=\"/etc\" -DPKGDATADIR=\"/usr\" -Isrc "$@" 2>&1) ||
        { printf "%s\n" "$said"; exit 1; }' tidy {} || exit $found
