# Sourced by the other scripts; runs in bash 3.2 too, which is what macOS has.
# shellcheck shell=bash

# shellcheck disable=SC2034 # it is for them
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Every script knows where things are built, whatever the caller's own habits.
export CARGO_TARGET_DIR=$root/target
unset CARGO_BUILD_TARGET

# Debian keeps nginx, chroot and others out of an ordinary user's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { echo "» $*" >&2; }

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null; }

# Without it, `retry` would go on after Ctrl-C when a program takes that as a failure of its own.
trap 'exit 130' INT

# For downloads: a mirror that fails once mostly works the second time.
retry() {
  "$@" && return
  say "failed, once more: $1"
  sleep 3
  "$@"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    has sudo || fail "needs root, and there is no sudo: $*"
    sudo "$@"
  fi
}

# -qq leaves dpkg's chatter on standard output; what goes wrong comes on standard error.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# need_apt PACKAGE…: installs those which are missing.
need_apt() {
  local package missing=()
  has apt-get || fail "please install: $*"
  for package; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null |
      grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} != 0 ] || return 0

  say "installing ${missing[*]}"
  if [ -z "${apt_updated:-}" ]; then
    # A source of somebody else's may be down; whether ours work, the installation tells.
    retry apt update || say "apt-get update failed: going on with the lists of before"
    apt_updated=yes
  fi
  retry apt install --yes --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install: ${missing[*]}"
}

# need_command NAME PACKAGE…: installs the packages if there is no such command.
need_command() {
  local name=$1
  shift
  has "$name" && return
  has apt-get || fail "$name is missing, please install: $*"
  need_apt "$@"
  has "$name" || fail "$name is still missing after the installation of: $*"
}

# The folder of Android's NDK; fails where there is none.
ndk() {
  local folder newest
  for folder in "${ANDROID_NDK_HOME:-}" "${ANDROID_NDK_ROOT:-}"; do
    if [ -n "$folder" ]; then
      echo "$folder"
      return
    fi
  done
  [ -n "${ANDROID_HOME:-}" ] || return
  newest=$(printf '%s\n' "$ANDROID_HOME"/ndk/*/ | sort -V | tail -1)
  [ -d "$newest" ] && echo "${newest%/}"
}
