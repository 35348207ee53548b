# Shared by the scripts in this folder: messages, steps with progress, and which server to use.
# shellcheck shell=bash
# The sourcing scripts run with `set -euo pipefail`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
STATE=$ROOT/.memos                      # everything that set-up writes, .venv apart
SETUP_LOG=$STATE/setup.log
OLDEST_PG=15
NEWEST_PG=18
OLDEST_PGVECTOR=0.8.0

say() { printf '%s\n' "$*"; }

# die MESSAGE [LINE...]: says what is wrong and what to do about it, and fails.
die() {
    printf '\nmemOS set-up stopped: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

# step TEXT COMMAND...: runs a command with its output in the set-up log. Shows that it runs, a sign of
# life every ten seconds, and how long it took; when it fails, the end of what it said.
step() {
    local text=$1 start=$SECONDS shown=0 status=0 lines pid
    shift
    mkdir -p "$STATE"
    touch "$SETUP_LOG"
    lines=$(wc -l < "$SETUP_LOG")
    printf '\n=== %s: %s\n' "$(date '+%F %T')" "$*" >> "$SETUP_LOG"
    printf '  %-60s' "$text"
    # In a process group of its own, so that an interrupted set-up takes the whole command with it.
    set -m
    "$@" >> "$SETUP_LOG" 2>&1 < /dev/null &
    pid=$!
    set +m
    trap 'kill -- "-$pid" 2> /dev/null; printf " interrupted\n"; exit 130' INT TERM HUP
    while kill -0 "$pid" 2> /dev/null; do
        sleep 0.1
        if [ $((SECONDS - start)) -ge $((shown + 10)) ]; then
            shown=$((SECONDS - start))
            printf ' %s s ..' "$shown"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM HUP
    if [ "$status" -ne 0 ]; then
        printf ' failed\n\n'
        tail -n "+$((lines + 2))" "$SETUP_LOG" | tail -n 40 | sed 's/^/    /' >&2
        die "\"$text\" failed with status $status." "The whole output is in $SETUP_LOG."
    fi
    printf ' done, %s s\n' $((SECONDS - start))
}

# version_at_least VERSION MINIMUM
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

pg_major() { "$1/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

supported() { [ "$1" -ge $OLDEST_PG ] && [ "$1" -le $NEWEST_PG ]; }

# Where the private server's data and socket are: .memos, or the folder noted in .memos/place.
server_place() {
    if [ -f "$STATE/place" ]; then cat "$STATE/place"; else printf '%s\n' "$STATE"; fi
}

# The major version to use: that of existing data if its server is still here, else the newest
# installed one, else the distribution's own.
choose_major() {
    local major data candidate
    if [ -n "${MEMOS_PG_BIN:-}" ]; then
        [ -x "$MEMOS_PG_BIN/postgres" ] || die "MEMOS_PG_BIN=$MEMOS_PG_BIN has no program \"postgres\"." \
            "Name the folder with postgres, initdb and pg_ctl, such as /usr/lib/postgresql/17/bin."
        major=$(pg_major "$MEMOS_PG_BIN")
        supported "$major" || die "MEMOS_PG_BIN=$MEMOS_PG_BIN is PostgreSQL $major." \
            "memOS needs PostgreSQL $OLDEST_PG to $NEWEST_PG."
        printf '%s\n' "$major"
        return
    fi
    data=$(cat "$(server_place)/data/PG_VERSION" 2> /dev/null || true)
    if [ -n "$data" ] && [ -x "/usr/lib/postgresql/$data/bin/postgres" ]; then
        printf '%s\n' "$data"
        return
    fi
    for candidate in $(seq $NEWEST_PG -1 $OLDEST_PG); do
        if [ -x "/usr/lib/postgresql/$candidate/bin/postgres" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

# pg_bin MAJOR: the folder of that server's programs.
pg_bin() { printf '%s\n' "${MEMOS_PG_BIN:-/usr/lib/postgresql/$1/bin}"; }

# sharedir BIN: pg_config comes with the server packages only for development, so the Debian layout
# is the fallback.
sharedir() {
    local config=$1/pg_config
    if [ -x "$config" ]; then
        "$config" --sharedir
    else
        printf '/usr/share/postgresql/%s\n' "$(pg_major "$1")"
    fi
}

# extension_version BIN NAME: the version that `create extension` would install; nothing when it is not there.
extension_version() {
    local control
    control=$(sharedir "$1")/extension/$2.control
    [ ! -f "$control" ] || sed -nE "s/^default_version *= *'([^']*)'.*/\1/p" "$control"
}

# pgvector_is_good BIN: memOS needs halfvec, binary quantization and iterative scans.
pgvector_is_good() {
    local version
    [ -x "$1/postgres" ] || return 1
    version=$(extension_version "$1" vector)
    [ -n "$version" ] && version_at_least "$version" $OLDEST_PGVECTOR
}

# as_root COMMAND...: only after need_root has passed.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Whether this account is root or may become it; asks for sudo's password where there is someone to type it.
may_be_root() {
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo > /dev/null || return 1
    if [ -t 0 ] && [ -t 2 ]; then sudo -v; else sudo -n true 2> /dev/null; fi
}
