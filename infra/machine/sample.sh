#!/usr/bin/env bash
# The sample tenant `demo` with an album of real photographs (Debian's mate-backgrounds, see its copyright file) and a
# video made from them. Called by run.sh; running it again changes nothing.
set -euo pipefail

photos=/usr/share/backgrounds/mate/nature
sample=$VITRINE_DATA_DIR/sample
login=$VITRINE_DATA_DIR/demo-login
flask() { "$VITRINE_BIN/flask" --app wsgi "$@"; }
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

if [ ! -e "$VITRINE_DATA_DIR/sample-done" ]; then
    say "First run: creating the tenant demo"
    flask tenants create demo --name "Northlight Studio" --tagline "Landscapes and quiet places" \
        --accent "#2f6f62" --if-missing >/dev/null
    if [ ! -e "$login" ]; then
        (umask 077 && "$VITRINE_BIN/python" -c 'import secrets; print(secrets.token_urlsafe(9))' >"$login")
    fi
    VITRINE_MEMBER_PASSWORD=$(cat "$login") flask members add demo owner@demo.example --name "Demo owner" --if-missing >/dev/null
    mkdir -p "$sample"
    cp --update "$photos"/*.jpg "$sample/"
    album=(--album "A year outdoors" --visibility public --originals)
    say "Importing photographs"
    flask import demo "$sample" "${album[@]}"
    if [ ! -e "$sample/A walk outside.mp4" ]; then
        say "Making a short video from them, while they are processed"
        flask sample-video "$photos" "$sample/A walk outside.mp4" 2>"$VITRINE_DATA_DIR/log/sample-video.log" ||
            { cat "$VITRINE_DATA_DIR/log/sample-video.log" >&2; exit 1; }
    fi
    say "Importing the video"
    flask import demo "$sample" "${album[@]}" --wait
    touch "$VITRINE_DATA_DIR/sample-done"
fi

origin=http://demo.localhost:$VITRINE_WEB_PORT
printf '\n    Album       %s/a/a-year-outdoors\n    Dashboard   %s/dashboard/\n    Sign in     owner@demo.example  /  %s\n\n' \
    "$origin" "$origin" "$(cat "$login")"
