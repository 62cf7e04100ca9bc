# What contrib/quickstart, contrib/check and contrib/peers share. Sourced, with $top set to the
# root of the source tree.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# The packages of the given kinds.
deps() {
    for kind; do
        sed -n "s/^$kind[[:space:]]*//p" "$top/contrib/deps"
    done | tr ' ' '\n' | sort -u
}

apt_quietly() {
    log=$(mktemp) || exit 1
    if DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

# At most once a run: the package lists may be missing or too old to fetch by.
apt_update() {
    if [ -z "${apt_updated:-}" ]; then
        apt_quietly update || die "apt-get update failed"
        apt_updated=1
        export apt_updated
    fi
}

# Installs what is missing of the packages of the given kinds.
need() {
    command -v dpkg-query >/dev/null || {
        say "Not Debian: make sure that the equivalents of these are there: $(deps "$@" | xargs)"
        return 0
    }
    missing=
    for package in $(deps "$@"); do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    is_root || die "missing packages; as root: apt-get install$missing"
    say "Installing$missing"
    apt_update
    # shellcheck disable=SC2086
    apt_quietly install --no-install-recommends $missing || die "cannot install$missing"
}

# build NAME LOG [configure arguments]: configures and makes in build/NAME.
build() {
    name=$1 log=$2
    shift 2
    : >"$log" || return 1
    if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ] ||
        [ -n "$(find "$top" -name Makefile.inc -newer "$top/Makefile.in" 2>/dev/null)" ] ||
        [ "$top/Makefile.am" -nt "$top/Makefile.in" ]; then
        (cd "$top" && autoreconf -fi) >>"$log" 2>&1 || return 1
    fi
    mkdir -p "$top/build/$name" || return 1
    (
        cd "$top/build/$name" || exit 1
        if [ ! -f Makefile ] || [ "$top/configure" -nt Makefile ]; then
            "$top/configure" "$@" || exit 1
        fi
        make -j"$(nproc)"
    ) >>"$log" 2>&1
}
