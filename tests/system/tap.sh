# SPDX-License-Identifier: LGPL-2.1-or-later
# Cases of a shell test, reported as TAP. Sourced. $tmp is a folder for the test, removed at its end.
# shellcheck shell=bash
set -uo pipefail
tmp=$(mktemp -d)
at_exit=()
cleanup() {
  local command
  for command in "${at_exit[@]}"; do
    $command
  done
  rm -rf "$tmp"
}
trap cleanup EXIT
count=0

# ok NAME COMMAND...: a command that fails anywhere fails the case; what it printed is shown then.
ok() {
  count=$((count + 1))
  # Not as a condition: bash would ignore set -e within.
  (
    set -ex
    "${@:2}"
  ) >"$tmp/tap.log" 2>&1
  local status=$?
  if ((status == 0)); then
    echo "ok $count - $1"
  else
    echo "not ok $count - $1 (exit $status)"
    sed 's/^/# /' "$tmp/tap.log"
  fi
}

skip() {
  count=$((count + 1))
  echo "ok $count - $1 # SKIP $2"
}

finish() {
  echo "1..$count"
}

# has FILE TEXT: the file contains the text, or is shown.
has() {
  grep -qF -- "$2" "$1" || {
    echo "no '$2' in:"
    cat "$1"
    return 1
  }
}

# lacks FILE TEXT: the file does not contain the text, or is shown.
lacks() {
  if grep -qF -- "$2" "$1"; then
    echo "'$2' in:"
    cat "$1"
    return 1
  fi
}

# wait_for FILE TEXT: until the file contains the text, for half a minute.
wait_for() {
  { set +x; } 2>/dev/null
  for _ in {1..300}; do
    if grep -qsF -- "$2" "$1"; then
      set -x
      return
    fi
    sleep 0.1
  done
  has "$@"
}

# fails STATUS COMMAND...: the command exits with that status.
fails() {
  local status=0
  "${@:2}" || status=$?
  ((status == $1)) || {
    echo "exit $status instead of $1: ${*:2}"
    return 1
  }
}
