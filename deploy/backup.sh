#!/bin/sh
# Back up the database and the blobs into a new folder, while the service runs: deploy/backup.sh FOLDER
#
# Reads the settings of the programs. The database goes first: bytes are stored before their row and deleted after it, so
# that only datasets that are deleted meanwhile lack theirs. Blobs in S3 are left to the backup of the bucket. Until it is
# complete, the folder is called FOLDER.part.
set -eu
umask 077
. "$(dirname "$0")/settings.sh"
if [ -e "$1" ]; then echo "$1 exists: name a new folder" >&2; exit 1; fi
mkdir "$1.part"
case $url in
postgresql*)
    pg_dump --no-password --format=custom --file="$1.part/database.dump" "$url" ;;
*)
    python3 - "$path" "$1.part/database.db" <<'END' ;;
import pathlib, sqlite3, sys
source = pathlib.Path(sys.argv[1]).absolute().as_uri()
sqlite3.connect(f"{source}?mode=ro", uri=True).execute("VACUUM INTO ?", sys.argv[2:])
END
esac
if [ -n "$blobs" ]; then cp -R "$blobs" "$1.part/blobs"; fi
mv "$1.part" "$1"
