#!/bin/sh
# Healthy: the server takes connections over the network (the first start's does not), and memOS is
# installed in its database.
set -eu
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
pg_isready -q -h 127.0.0.1 -U "$user" -d "$database"
installed=$(PGCONNECT_TIMEOUT=3 psql -XAt -U "$user" -d "$database" -v ON_ERROR_STOP=1 \
    -c "select exists (select from memos_private.repeatable) and to_regnamespace('memos') is not null")
[ "$installed" = t ] || { echo "memOS is not installed in database \"$database\": run memos migrate" >&2; exit 1; }
