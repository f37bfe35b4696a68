#!/bin/sh
# Restore a backup into an empty database and an empty data folder, while no program runs: deploy/restore.sh FOLDER
#
# Reads the settings of the programs. Then run `python -m worker migrate`: the backup may be from an older version.
set -eu
umask 077
. "$(dirname "$0")/settings.sh"

occupied=
case $url in
postgresql*) ;; # pg_restore refuses tables that exist
*)
    # A log or journal of another database would be applied to the restored one.
    for file in "$path" "$path-wal" "$path-shm" "$path-journal"; do
        if [ -e "$file" ]; then occupied="$occupied $file"; fi
    done ;;
esac
if [ -n "$blobs" ] && [ -n "$(ls -A "$blobs" 2>/dev/null)" ]; then occupied="$occupied $blobs"; fi
if [ -n "$occupied" ]; then echo "move these away first:$occupied" >&2; exit 1; fi

mkdir -p "$data"
case $url in
postgresql*)
    pg_restore --no-password --no-owner --exit-on-error --single-transaction --dbname="$url" "$1/database.dump" ;;
*)
    cp "$1/database.db" "$path" ;;
esac
if [ -n "$blobs" ] && [ -d "$1/blobs" ]; then
    mkdir -p "$blobs"
    cp -R "$1/blobs/." "$blobs"
fi
