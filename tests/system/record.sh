#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: record.sh BUILD
# npc-record: what it prints, what it sends, and what it refuses.
set -uo pipefail
build=$(realpath "$1")
# shellcheck source=tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"
record=$build/pipelines/npc-record

cat >"$tmp/counts.jsonl" <<'END'
{"version":1,"site":"home","camera":"door","boot":"5f0c","seq":7,"time":1767225600250,"interval":2000,"people":3,"people_max":4,"moving":1,"faces":2,"objects":{"car":2},"lines":{"exit":{"in":5,"out":4,"in_total":9,"out_total":8}},"zones":{"queue":{"people":2,"people_max":3,"entered":4,"dwell":31000}},"flags":["degraded"]}
{"version":1,"site":"home","camera":"hall","boot":"5f0c","seq":8,"time":1767225602250,"interval":2000,"people":0,"people_max":0,"moving":0,"faces":0}
no record
END

prints_a_file() {
  "$record" "file:$tmp/counts.jsonl" >"$tmp/out" 2>"$tmp/err"
  diff - "$tmp/out" <<'END'
2026-01-01T00:00:00.250Z  home/door #7  people 3 (at most 4), moving 1, faces 2, car 2; line exit in 5 out 4; zone queue people 2  [degraded]
2026-01-01T00:00:02.250Z  home/hall #8  people 0
END
  grep -q 'A record was refused' "$tmp/err"
}
exports_csv() {
  "$record" --csv "file:$tmp/counts.jsonl" >"$tmp/out"
  diff - "$tmp/out" <<'END'
time,site,camera,boot,seq,interval,people,people_max,moving,faces,objects,lines,zones,flags
2026-01-01T00:00:00.250Z,home,door,5f0c,7,2000,3,4,1,2,car=2,exit=5/4,queue=2,degraded
2026-01-01T00:00:02.250Z,home,hall,5f0c,8,2000,0,0,0,0,,,,
END
}
filters_by_camera() {
  "$record" --camera home/hall --camera home/cellar "file:$tmp/counts.jsonl" >"$tmp/out"
  [[ $(wc -l <"$tmp/out") == 1 ]]
  grep -q 'home/hall #8' "$tmp/out"
}
sends_to_another() {
  # Bounded, also where the sender fails.
  timeout 120 "$record" "unix:$tmp/socket" >"$tmp/out" &
  local reader=$!
  "$record" --send --camera shop/till --count 5 --interval 1 "unix:$tmp/socket"
  # Not by --count: it would be gone before it has told the sender of the last one.
  kill "$reader"
  wait "$reader" || true
  [[ $(cut -d' ' -f3-4 "$tmp/out" | tr '\n' ' ') == 'shop/till #0 shop/till #1 shop/till #2 shop/till #3 shop/till #4 ' ]]
}
sends_to_a_file() {
  "$record" --send --count 3 --interval 1 "file:$tmp/sent.jsonl"
  [[ $(wc -l <"$tmp/sent.jsonl") == 3 ]]
}
# refuses STATUS SENTENCE ARGUMENT...
refuses() {
  local status=0
  "$record" "${@:3}" >"$tmp/out" 2>&1 || status=$?
  [[ $status == "$1" ]]
  grep -qF -- "$2" "$tmp/out"
}

ok 'prints a file, and why a line is refused' prints_a_file
ok 'exports CSV' exports_csv
ok 'filters by camera' filters_by_camera
ok 'sends to another one' sends_to_another
ok 'sends to a file' sends_to_a_file
ok 'needs a URI' refuses 2 'There is no URI. See --help.'
ok 'refuses a camera that is none' refuses 2 '--camera is a site and a camera' --camera door file:/a
ok 'refuses a negative number' refuses 2 '--count is not negative' --count -1 file:/a
ok 'says what it cannot read' refuses 1 'Cannot open' "file:$tmp/none"
ok 'says which receivers there are' refuses 1 'there is no receiver ftp:' ftp://host
ok 'says which updaters there are' refuses 1 'The updater "ftp://host" is refused' --send ftp://host
finish
