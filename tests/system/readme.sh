#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the README shows is compiled and run as it stands there.
# Usage: readme.sh BUILD
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tap.sh
. "$root/tests/system/tap.sh"
build=$(realpath "$1")
export GST_REGISTRY=$tmp/registry.bin GST_PLUGIN_PATH=$build/elements
pipeline='videotestsrc num-buffers=30 ! video/x-raw,width=160,height=120,framerate=10/1
  ! npcdetect ! npccount camera=door interval=1000000000 ! npcsink'

# block LANGUAGE: the README's first block of code in that language.
block() {
  awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } on && $0 == "```" { exit } on' \
    "$root/README.md"
}

# shellcheck disable=SC2317 # cases are called by ok
{
  runs_c() {
    block c >"$tmp/counts.c"
    [[ $(grep -c . "$tmp/counts.c") -gt 15 ]]
    flags=$(PKG_CONFIG_PATH=$build/meson-uninstalled pkg-config --cflags --libs gstreamer-npc-1.0)
    # shellcheck disable=SC2086 # flags are words
    cc -Wall -Wextra -Werror "$tmp/counts.c" -o "$tmp/counts" $flags
    LD_LIBRARY_PATH=$build/gst/npc timeout 60 "$tmp/counts" "$pipeline" >"$tmp/out"
    has "$tmp/out" "door: 0 people, 0 moving"
    [[ $(wc -l <"$tmp/out") == 3 ]]
    says_what_is_wrong env LD_LIBRARY_PATH="$build/gst/npc" "$tmp/counts"
  }
  # says_what_is_wrong PROGRAM...: without a pipeline, with one that is none, with a file that is not there.
  says_what_is_wrong() {
    for wrong in "" "no-such-element" "filesrc location=$tmp/none.avi ! decodebin ! npcdetect ! npccount ! npcsink"; do
      fails 1 timeout 60 "$@" ${wrong:+"$wrong"} >"$tmp/none" 2>"$tmp/err"
      [[ -s $tmp/err && ! -s $tmp/none ]]
    done
  }
  runs_python() {
    block python >"$tmp/counts.py"
    [[ $(grep -c . "$tmp/counts.py") -gt 10 ]]
    timeout 60 /usr/bin/python3 "$tmp/counts.py" "$pipeline" >"$tmp/out"
    has "$tmp/out" "door: 0 people"
    [[ $(wc -l <"$tmp/out") == 3 ]]
    says_what_is_wrong /usr/bin/python3 "$tmp/counts.py"
  }
  names_files() {
    # Links and the two commands lead somewhere.
    grep -oE '\]\([A-Za-z/.]+\)|\./[a-z]+/[a-z-]+' "$root/README.md" | tr -d ']()' >"$tmp/names"
    [[ -s $tmp/names ]]
    while read -r name; do
      [[ -e $root/$name ]]
    done <"$tmp/names"
  }
}

ok "the C application compiles and prints the records" runs_c
ok "the Python application prints the records" runs_python
ok "the files it names are there" names_files
finish
