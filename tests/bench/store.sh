#!/bin/sh
# Measures the store: store.sh -b BUILDDIR DIRECTORY [COUNT]
#
# Makes a small store (10k) and a big one (COUNT, 10m) below DIRECTORY, where they are not there
# yet: 10m take some 6 GB and some minutes. No tmpfs: what is committed goes to a disk.
# Lookups in both; then one domain of 100k is forgotten, and 1m are swept, in the big one.
set -eu

usage() {
    echo "usage: $0 -b BUILDDIR DIRECTORY [COUNT]" >&2
    exit 1
}

build=
while getopts b: option; do
    case $option in
    b) build=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$build" ] || [ $# -lt 1 ]; then
    usage
fi
dir=$1
count=${2:-10m}
fill_seconds=${FILL_SECONDS:-240} # more than filling in 1m takes

make -C "$build" tests/bench/store tests/bench/store_fill >/dev/null
fill=$build/tests/bench/store_fill
store=$build/tests/bench/store

for n in 10k "$count"; do
    [ -e "$dir/$n/store.mdb" ] && continue
    mkdir -p "$dir/$n"
    "$fill" -d "$dir/$n" -n "$n"
done
uptime
"$store" compare "$dir/10k" 10k "$dir/$count" "$count"

"$fill" -d "$dir/$count" --domain many.example:100k
uptime
"$store" forget "$dir/$count" "$count" many.example

at=$(($(date +%s) + fill_seconds))
"$fill" -d "$dir/$count" --expired "1m:$fill_seconds"
uptime
"$store" sweep "$dir/$count" "$count" 1m "$at"
uptime
