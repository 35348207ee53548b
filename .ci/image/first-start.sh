#!/bin/bash
# Runs once, when the image's entry point has made an empty data folder: installs memOS into the database.
# The server has no network yet; a failure here ends the container.
set -euo pipefail
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

# pg_cron lives in one database, fixed at the server's start.
scheduler=$(psql -XAt -U "$user" -d "$database" -c 'show cron.database_name')
if [ "$scheduler" != "$database" ]; then
    echo "memOS: POSTGRES_DB is \"$database\" but pg_cron runs in \"$scheduler\":" \
        "start with the arguments: postgres -c cron.database_name=$database" >&2
    exit 1
fi

# Only here because the server preloads them: a scheduler, and what each statement costs.
psql -Xq -v ON_ERROR_STOP=1 -U "$user" -d "$database" \
    -c 'create extension if not exists pg_cron' -c 'create extension if not exists pg_stat_statements'

# Quoted as libpq wants it: any name is allowed.
quote() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }
memos migrate --dsn "host=/var/run/postgresql dbname=$(quote "$database") user=$(quote "$user")"
