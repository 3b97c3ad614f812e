#!/usr/bin/env bash
# Write requirements/*.lock anew from pyproject.toml: pinned, hashed, for every supported Python
# and for x86-64 and aarch64 Linux at once; no host is named in them.
#   tools/lock.sh              newest versions that fit
# Needs uv (`pip install uv`); users of the locks need only pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compile() { # compile NAME ARG...: one lock; a name already pinned in -c stays at that version
    local name=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --upgrade \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        pyproject.toml requirements/build.in "$@" --output-file "requirements/$name.lock.new"
    # This runs on Linux alone: what is pinned for other systems is left out by `environments`.
    {
        echo "# kvmnb's $name environment: written by tools/lock.sh, not by hand."
        cat "requirements/$name.lock.new"
    } >"requirements/$name.lock"
    rm "requirements/$name.lock.new"
}

compile test --extra lab --extra test --extra dev
compile lab --extra lab --constraint requirements/test.lock
