#!/bin/sh
# Installs the suite on this machine as a service, or upgrades it. As root:
#
#   ./deploy.sh [--prefix DIR] [--python PROGRAM]   install, or upgrade to this checkout; a second call changes nothing
#   ./deploy.sh --uninstall                         remove the service; configuration, data and logs stay
#   ./deploy.sh --uninstall --purge                 remove these, too
#
# The program is in PREFIX (/opt/analytics), the configuration in /etc/analytics, secrets in /etc/default/analytics,
# data in /var/lib/analytics, logs in /var/log/analytics. The service runs as the user analytics.
set -eu
umask 022
root=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
user=analytics
conf=/etc/analytics/analytics.toml
default=/etc/default/analytics
data=/var/lib/analytics
logs=/var/log/analytics
init=/etc/init.d/analytics
unit=/etc/systemd/system/analytics.service
rotation=/etc/logrotate.d/analytics
command=/usr/local/bin/analytics
shipped="analytics conf init.d setup.py pyproject.toml requirements.lock README.md LICENSE"
prefix= python= uninstall= purge= changed=

fail() {
    echo "deploy.sh: $1" >&2
    exit "${2:-1}"
}

say() {
    echo "$1"
    changed=yes
}

while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --python)
            [ $# -gt 1 ] || fail "$1: expected a value after it, got none" 2
            [ "$1" = --prefix ] && prefix=$2 || python=$2
            shift
            ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        -h | --help)
            sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"
            exit 0
            ;;
        *) fail "expected --prefix DIR, --python PROGRAM, --uninstall or --purge, got \"$1\"" 2 ;;
    esac
    shift
done
[ -z "$purge" ] || [ -n "$uninstall" ] || fail "--purge: expected together with --uninstall" 2
[ "$(id -u)" -eq 0 ] || fail "expected to be run by root, got $(id -un): it makes a user, and files under /etc"
case $prefix in '' | /*) ;; *) fail "--prefix: expected an absolute path, got \"$prefix\"" 2 ;; esac

installed=$([ -r "$init" ] && sed -n 's/^PREFIX=//p' "$init" | head -n 1 || true)
if [ -n "$prefix" ] && [ -n "$installed" ] && [ "$prefix" != "$installed" ]; then
    fail "--prefix: installed in $installed, got $prefix; run ./deploy.sh --uninstall first"
fi
prefix=${prefix:-${installed:-/opt/analytics}}
current=$prefix/current

on_systemd() { [ -d /run/systemd/system ]; }

# Whether it runs, or systemd is about to restart it.
running() {
    if on_systemd && [ "$(systemctl is-active analytics || true)" = activating ]; then return 0; fi
    [ -x "$current/bin/analytics" ] && [ -r "$conf" ] || return 1
    status=0
    (cd / && runuser -u "$user" -- "$current/bin/analytics" --config "$conf" status --lsb) >/dev/null 2>&1 || status=$?
    [ "$status" -eq 0 ] || [ "$status" -eq 150 ]
}

# Stop the service, and a suite that was started without it.
stop() { # WHAT_WAS_NOT_DONE
    service analytics stop || fail "the service does not stop, see above; $1"
    if running; then
        (cd / && runuser -u "$user" -- "$current/bin/analytics" --config "$conf" stop) || fail "the suite does not stop, see above; $1"
    fi
}

exec 9>/run/analytics-deploy.lock
flock -n 9 || fail "another deploy.sh is under way; call again when it has ended"
trap 'rm -f /run/analytics-deploy.lock' EXIT

# --- removing ---

remove() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    rm -rf -- "$1"
    say "removed $1"
}

uninstall() {
    if running; then
        echo "stopping the service …"
        stop "nothing was removed"
    fi
    if [ -e "$init" ]; then
        if on_systemd && [ -e "$unit" ]; then systemctl --quiet disable analytics; fi
        rm -f -- "$init"
        update-rc.d analytics remove
        say "removed $init"
    fi
    remove "$unit"
    if on_systemd; then
        systemctl daemon-reload
        systemctl --quiet reset-failed analytics 2>/dev/null || true
    fi
    remove "$rotation"
    if [ "$(readlink "$command" || true)" = "$current/bin/analytics" ]; then remove "$command"; fi
    remove "$current"
    remove "$prefix/releases"
    if [ -d "$prefix" ]; then rmdir --ignore-fail-on-non-empty "$prefix"; fi
    if [ -n "$purge" ]; then
        for one in /etc/analytics "$default" "$data" "$logs"; do remove "$one"; done
        if getent passwd "$user" >/dev/null; then
            userdel "$user"
            say "removed the user $user"
        fi
    else
        for one in /etc/analytics "$default" "$data" "$logs"; do
            if [ -e "$one" ]; then echo "kept $one"; fi
        done
        echo "--uninstall --purge removes what was kept, and the user $user"
    fi
    [ -n "$changed" ] || echo "nothing to do: it is not installed"
}

if [ -n "$uninstall" ]; then
    uninstall
    exit 0
fi

# --- installing ---

make_user() {
    getent passwd "$user" >/dev/null && return 0
    useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin "$user"
    say "made the user $user"
}

# Write stdin to a file, unless it has that content already. put FILE MODE GROUP
put() {
    new=$(mktemp)
    cat >"$new"
    if ! cmp -s "$new" "$1"; then
        install -D -m "$2" -o root -g "$3" "$new" "$1"
        say "wrote $1"
    fi
    rm -f -- "$new"
}

folder() { # PATH OWNER MODE
    [ -d "$1" ] && return 0
    install -d -o "$2" -g "$user" -m "$3" "$1"
    say "made $1"
}

usable() { # new enough, and the service's user may run it: not one in a home folder
    (cd / && runuser -u "$user" -- "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))') 2>/dev/null
}

find_python() {
    for one in ${python:-$(command -v python3 || true) /usr/bin/python3}; do
        if usable "$one"; then
            python=$one
            break
        fi
        [ -z "$python" ] || fail "--python: expected Python 3.11 or newer that the user $user may run, got $python"
    done
    if [ -z "$python" ] || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        command -v apt-get >/dev/null || fail "no usable Python 3.11 with venv here: install one, or name it: --python PROGRAM"
        echo "installing python3 and python3-venv of Debian …"
        apt-get -qq -o DPkg::Lock::Timeout=300 update
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y python3 python3-venv >/dev/null
        python=${python:-/usr/bin/python3}
        usable "$python" && "$python" -c 'import ensurepip, venv' ||
            fail "expected Python 3.11 or newer with venv, got $("$python" --version 2>&1); name one: --python PROGRAM"
    fi
}

# The contents of this checkout as one word: equal words mean equal releases.
fingerprint() {
    (
        cd "$root"
        "$python" --version
        find $shipped -type f ! -name '*.pyc' ! -name '*.so' ! -name '*.c' |
            LC_ALL=C sort |
            xargs sha256sum
    ) | sha256sum | cut -c 1-12
}

make_release() {
    release=$prefix/releases/$(fingerprint)
    [ -e "$release/complete" ] && return 0
    echo "installing into $release (about a minute) …"
    rm -rf -- "$release"
    source=$(mktemp -d)
    trap 'rm -rf -- "$source" /run/analytics-deploy.lock' EXIT
    (cd "$root" && cp -R $shipped "$source") # pip writes beside it
    mkdir -p "$prefix/releases"
    "$python" -m venv "$release"
    pip="$release/bin/python -m pip install --quiet --disable-pip-version-check"
    $pip --require-hashes --requirement "$source/requirements.lock" && $pip --no-deps --no-build-isolation "$source" ||
        fail "pip could not install (see above). Check the network and call again; nothing was changed"
    mkdir -p "$release/share/analytics"
    cp "$source/conf/analytics.toml" "$release/share/analytics/"
    touch "$release/complete"
    say "made $release"
}

# A configuration that the new release would refuse stops the upgrade while the old one still runs.
try_configuration() {
    [ -e "$conf" ] || return 0
    status=0
    output=$(cd / && runuser -u "$user" -- "$release/bin/analytics" --config "$conf" status --json 2>&1) || status=$?
    [ "$status" -lt 2 ] || fail "the new release can't use the configuration; nothing was switched: $output"
}

switch() {
    [ "$(readlink "$current" || true)" = "$release" ] && return 0
    if running; then
        restart=yes
        echo "stopping the old release …"
        stop "$current is as it was"
    fi
    previous=$(readlink "$current" || true)
    ln -s "$release" "$current.new"
    mv -T "$current.new" "$current"
    say "switched $current to $release"
    for one in "$prefix/releases"/*; do # the previous one stays, to go back to
        if [ "$one" != "$release" ] && [ "$one" != "$previous" ]; then rm -rf -- "$one"; fi
    done
}

enable() {
    if on_systemd; then
        systemctl daemon-reload
        systemctl --quiet is-enabled analytics 2>/dev/null && return 0
        systemctl --quiet enable analytics
    else
        ls /etc/rc?.d/S??analytics >/dev/null 2>&1 && return 0
        update-rc.d analytics defaults
    fi
    say "enabled the service"
}

restart=
make_user
find_python
make_release
try_configuration
folder /etc/analytics root 0750
folder "$data" "$user" 0750
folder "$data/run" "$user" 0750
folder "$logs" "$user" 0750
if [ ! -e "$data/log" ]; then ln -s "$logs" "$data/log"; fi
if [ ! -e "$conf" ]; then
    sed "s|^data = .*|data = \"$data\"|" "$root/conf/analytics.toml" | put "$conf" 0640 "$user"
fi
if [ ! -e "$default" ]; then
    put "$default" 0600 root <<'END'
# Variables of the service: the secrets that the configuration names with keys ending in _env. NAME=value, a line each.
END
fi
switch
sed "s|^PREFIX=.*|PREFIX=$prefix|" "$root/init.d/analytics" | put "$init" 0755 root
if [ -d /etc/systemd/system ]; then
    sed "s|/opt/analytics/|$prefix/|g" "$root/init.d/analytics.service" | put "$unit" 0644 root
fi
remove "$rotation" # of earlier versions: the suite rotates its own logs
if [ "$(readlink "$command" || true)" != "$current/bin/analytics" ]; then
    [ ! -e "$command" ] || fail "$command: expected none, or ours, found another program; remove it, then call again"
    ln -sfn "$current/bin/analytics" "$command"
    say "linked $command"
fi
enable
if [ -n "$restart" ]; then
    echo "starting the new release …"
    service analytics start
fi
if [ -z "$changed" ]; then
    echo "nothing to do: $release is installed"
elif [ -z "$restart" ]; then
    echo "done: describe your games in $conf, then: service analytics start"
fi
