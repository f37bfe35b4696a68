# Settings of the programs for the scripts beside this file: data, blobs (a folder; empty if they are at another URL), path
# (of SQLite), or url and PGPASSWORD for the tools of PostgreSQL.

# setting NAME: its value in the environment, or in the file backpropd_name of the folder BACKPROPD_SECRETS_DIR
setting() {
    eval "value=\${BACKPROPD_$1:-}"
    file=${BACKPROPD_SECRETS_DIR:-}/backpropd_$(echo "$1" | tr '[:upper:]' '[:lower:]')
    if [ -z "$value" ] && [ -n "${BACKPROPD_SECRETS_DIR:-}" ] && [ -e "$file" ]; then value=$(cat "$file"); fi
    printf '%s\n' "$value"
}

# use_password: of the passwords of the settings, one a line, the first that the server accepts, or else the last
use_password() {
    while IFS= read -r password; do
        if [ -z "$password" ]; then continue; fi
        export PGPASSWORD="$password"
        if psql --no-password --command='' "$url" > /dev/null 2>&1 < /dev/null; then break; fi
    done <<END
$(setting DATABASE_PASSWORD)
END
}

data=$(setting DATA_DIR)
data=${data:-var}
blobs=$(setting BLOBS_URL)
blobs=${blobs:-$data/blobs}
case $blobs in
file://*) blobs=${blobs#file://} ;;
*://*) blobs= ;;
esac
url=$(setting DATABASE_URL)
case $url in
postgresql*)
    url=postgresql://${url#*://}
    use_password ;;
*)
    path=${url#sqlite:///}
    path=${path:-$data/backpropd.db} ;;
esac
