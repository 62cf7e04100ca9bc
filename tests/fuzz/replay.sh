#!/bin/sh
# Runs every fuzz target over its seeds. A target without seeds is a failure.
set -eu

for target in $FUZZ_TARGETS; do
    seeds=${srcdir:-.}/tests/fuzz/seeds/${target##*/fuzz_}
    echo "$target $seeds"
    # Files, not directories: libFuzzer replays the former and would fuzz from the latter.
    find "$seeds" -type f | LC_ALL=C sort | grep . | xargs "./$target"
done
