#!/bin/sh
# Looks for the system libraries and programs that Python packages cannot bring; installs what is
# missing where that needs no question (root, or sudo without a password), else names the command.
set -eu

want() { # want NAME PROBE PACKAGES...
    name=$1 probe=$2
    shift 2
    if sh -c "$probe" >/dev/null 2>&1; then return 0; fi
    if command -v apt-get >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ]; then root=""; elif sudo -n true 2>/dev/null; then root="sudo -n"; else root=no; fi
        if [ "$root" != no ]; then
            echo "setup: installing $name ($*)"
            { $root apt-get install -y -qq "$@" || { $root apt-get update -qq && $root apt-get install -y -qq "$@"; }; } >/dev/null 2>&1 || true
            if sh -c "$probe" >/dev/null 2>&1; then return 0; fi
        fi
        echo "setup: $name is missing. Run: sudo apt-get install -y $*"
    elif command -v dnf >/dev/null 2>&1; then
        echo "setup: $name is missing. Run: sudo dnf install -y pango"
    elif command -v brew >/dev/null 2>&1; then
        echo "setup: $name is missing. Run: brew install pango"
    else
        echo "setup: $name is missing; install it with this system's package manager."
    fi
    return 1
}

case "${1:-pango}" in
pango)
    want "Pango (for the PDF)" ".venv/bin/python -c 'import weasyprint'" \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
    ;;
tests) # optional: tests that need one of these are skipped with a reason
    want "pdfsig, pdftotext" "command -v pdfsig" poppler-utils || true
    want "qpdf" "command -v qpdf" qpdf || true
    want "Chromium" "command -v chromium" chromium || true
    want "PostgreSQL" "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb" postgresql || true
    want "Node (the LiteLLM proxy's way to its database)" "command -v node && command -v npm" nodejs npm || true
    ;;
esac
