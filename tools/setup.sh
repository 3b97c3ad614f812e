#!/usr/bin/env bash
# Bring this checkout to where a make target can run: system packages, .venv, kvmnb itself.
#   tools/setup.sh lab         what `make lab` and `make demo` need
#   tools/setup.sh test        that, and what the tests and checks need
#   tools/setup.sh test bench  that, and the peers of the benchmarks
# A second run installs nothing and takes a fraction of a second.
#   PYTHON=…               the Python (3.11 or later) that .venv is made with
#   SYSTEM_PACKAGES=skip   leave the system's packages to whoever runs this
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# mke2fs, ip and their like are in sbin, which an ordinary user's PATH may lack.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

environment=$1 # lab or test
lists=(tools/packages/lab.txt)
[[ $environment == lab ]] || lists+=(tools/packages/test.txt)
for extra in "${@:2}"; do lists+=("tools/packages/$extra.txt"); done

say() { printf 'kvmnb: %s\n' "$*" >&2; }

usable_python() { # print the first Python that can make a .venv
    local python
    for python in "${PYTHON:-python3}" python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

installed() { # is the package NAME installed?
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

offered() { # does the distribution offer the package NAME?
    [[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[!\(]* ]]
}

missing() { # print the packages that are wanted and not here
    local package command
    while read -r package command; do
        [[ -z $package || $package == \#* ]] && continue
        [[ -n $command ]] && command -v "$command" >/dev/null && continue
        installed "${package#\?}" || echo "$package"
    done < <(cat "${lists[@]}")
    if [[ ! -x .venv/bin/python ]] && ! usable_python >/dev/null; then
        if /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo python3-venv
        else
            printf '%s\n' python3.11 python3.11-venv
        fi
    fi
}

as_root() { # run a command as root, if this user may; status 99 if not
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    elif command -v sudo >/dev/null && [[ -t 0 && -t 2 ]]; then
        sudo "$@"
    else
        return 99
    fi
}

apt() { # run apt-get as root; it is wordy, so it is shown only when it fails
    as_root env DEBIAN_FRONTEND=noninteractive apt-get --quiet \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >.make/apt.log 2>&1 || {
        cat .make/apt.log >&2
        return 1
    }
}

system_packages() {
    local wanted required optional status=0
    mapfile -t wanted < <(missing)
    ((${#wanted[@]})) || return 0
    mapfile -t required < <(printf '%s\n' "${wanted[@]}" | grep -v '^?' || true)
    mapfile -t optional < <(printf '%s\n' "${wanted[@]}" | sed -n 's/^?//p')

    if ! command -v apt-get >/dev/null; then
        say "this is neither Debian nor Ubuntu; install what they call: ${wanted[*]#\?}"
        say "then run make again with SYSTEM_PACKAGES=skip"
        return 1
    fi
    # Optional packages that the distribution is known not to offer are no reason to ask for root.
    if ((${#required[@]} == 0)); then
        local some=()
        for package in "${optional[@]}"; do offered "$package" && some+=("$package"); done
        ((${#some[@]})) || return 0
    fi

    as_root true || status=$?
    if ((status == 99)); then
        if ((${#required[@]} == 0)); then
            say "going on without ${optional[*]}: what needs them is skipped by name"
            return 0
        fi
        for package in "${optional[@]}"; do offered "$package" && required+=("$package"); done
        local sudo="sudo " as=""
        command -v sudo >/dev/null || sudo="" as=" as root"
        say "some system packages are missing, and only root can install them. Run this${as}, then make again:"
        printf '%s\n' "${sudo}apt-get update && ${sudo}apt-get install --yes \
--no-install-recommends ${required[*]}"
        return 1
    elif ((status)); then
        return 1
    fi

    say "installing system packages: ${wanted[*]#\?}"
    apt update || say "going on with the package lists that are there"
    for package in "${optional[@]}"; do
        if offered "$package"; then
            required+=("$package")
        else
            say "$package is not offered here: what needs it is skipped by name"
        fi
    done
    ((${#required[@]})) || return 0
    apt install --yes --no-install-recommends "${required[@]}"
}

digest() { # a digest of the file named
    sha256sum <"$1" | cut -c1-16
}

stamp() { # stamp KIND DIGEST: note that this is done, and forget earlier ones of its kind
    rm -f ".make/$1-"*
    : >".make/$1-$2"
}

environment() {
    local python lock=requirements/$environment.lock
    # A .venv names its own place: one that was moved or copied here is made anew.
    if [[ ! -x .venv/bin/python ]] || ! grep -qF "$PWD/.venv" .venv/pyvenv.cfg; then
        rm -rf .venv .make/venv-* .make/kvmnb-*
        python=$(usable_python) || {
            say "no Python of 3.11 or later that can make a .venv was found; name one with PYTHON=…"
            return 1
        }
        say "making .venv with $python"
        "$python" -m venv .venv
    fi
    if [[ ! -e .make/venv-$environment-$(digest "$lock") ]]; then
        say "installing what $lock pins into .venv"
        .venv/bin/python -m pip --disable-pip-version-check install -qq \
            --require-hashes --only-binary :all: -r "$lock"
        stamp "venv-$environment" "$(digest "$lock")"
        # The test environment holds all of lab's, in the same versions.
        [[ $environment == lab ]] || stamp venv-lab "$(digest requirements/lab.lock)"
    fi
    if [[ ! -e .make/kvmnb-$(digest pyproject.toml) ]]; then
        # The build tools are in the lock: nothing is fetched here.
        .venv/bin/python -m pip --disable-pip-version-check install -qq \
            --no-deps --no-build-isolation --no-index -e .
        stamp kvmnb "$(digest pyproject.toml)"
    fi
}

# The widgets' build tools; only who changes or tests the widgets needs them: what they build is
# committed. Their node and npm are .venv's.
javascript() {
    [[ $environment != lab ]] || return 0
    [[ ! -d js/node_modules || ! -e .make/js-$(digest js/package-lock.json) ]] || return 0
    say "installing what js/package-lock.json pins into js/node_modules"
    (cd js && PATH="$PWD/../.venv/bin:$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    stamp js "$(digest js/package-lock.json)"
}

mkdir -p .make
exec 9>.make/lock
flock 9 # two makes in one checkout take turns here
[[ ${SYSTEM_PACKAGES:-} == skip ]] || system_packages
environment
javascript
