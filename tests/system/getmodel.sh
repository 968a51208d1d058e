#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# pipelines/get-model against a real HTTP server.
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tap.sh
. "$root/tests/system/tap.sh"
models=${NPC_SHARED:-$root/../shared}/data/models
export XDG_DATA_HOME=$tmp/data
folder=$XDG_DATA_HOME/no-picture-camera/models
body=yolo-fastest-1.1_body
mkdir "$tmp/www"
: >"$tmp/requests"

exec {hold}> >(exec python3 "$root/tests/system/serve.py" "$tmp/www" "$tmp/requests" >"$tmp/port")
for _ in {1..300}; do
  [[ -s $tmp/port ]] && break
  sleep 0.1
done
NPC_MODELS_URL=http://127.0.0.1:$(cat "$tmp/port")
export NPC_MODELS_URL
# shellcheck disable=SC2317 # called by tap.sh
stop_server() { exec {hold}>&-; }
at_exit+=(stop_server)

get_model() {
  "$root/pipelines/get-model" "$@" >"$tmp/out" 2>&1
}

# shellcheck disable=SC2317 # cases are called by ok
{
  lists_all() {
    get_model --list
    [[ $(grep -c github.com "$tmp/out") == 4 ]]
    has "$tmp/out" Apache-2.0
  }
  helps() {
    get_model --help
    has "$tmp/out" "Usage: pipelines/get-model"
    [[ ! -e $folder ]]
  }
  refuses_unknown() {
    fails 1 get_model no-such-model
    has "$tmp/out" "there is no detector 'no-such-model'"
    fails 2 get_model -x
    has "$tmp/out" "'-x' is not an option"
    fails 2 get_model yolox_nano_coco yunet_n_320_320
    has "$tmp/out" "'yunet_n_320_320' is one too many"
  }
  is_offline() {
    # Nothing listens on port 1 of the loopback.
    NPC_MODELS_URL=http://127.0.0.1:1 fails 1 get_model
    has "$tmp/out" "could not be fetched"
    has "$tmp/out" "counts with HOG"
  }
  misses() {
    fails 1 get_model yolo-fastest-1.1-xl
    has "$tmp/out" 404
    [[ -z $(ls "$folder") ]]
  }
  refuses_wrong() {
    printf 'not a network' >"$tmp/www/$body.cfg"
    fails 1 get_model
    has "$tmp/out" "SHA-256 differs"
    [[ -z $(ls "$folder") ]]
  }
  fetches() {
    cp "$models/$body".* "$tmp/www"
    get_model
    has "$tmp/out" "YOLO LICENSE v2"
    cmp "$models/$body.weights" "$folder/$body.weights"
    cmp "$models/$body.cfg" "$folder/$body.cfg"
    [[ -z $(find "$folder" -name '*.part') ]]
  }
  asks_once() {
    : >"$tmp/requests"
    get_model
    has "$tmp/out" "Already there"
    [[ ! -s $tmp/requests ]]
  }
  repairs() {
    truncate -s 100 "$folder/$body.weights"
    get_model
    cmp "$models/$body.weights" "$folder/$body.weights"
  }
  resumes() {
    rm "$folder/$body.weights"
    head -c 500000 "$models/$body.weights" >"$folder/$body.weights.part"
    : >"$tmp/requests"
    get_model
    has "$tmp/requests" "$body.weights bytes=500000-"
    cmp "$models/$body.weights" "$folder/$body.weights"
  }
  starts_over() {
    rm "$folder/$body.weights"
    head -c 2000000 /dev/zero >"$folder/$body.weights.part"
    get_model
    cmp "$models/$body.weights" "$folder/$body.weights"
  }
  takes_whole_part() {
    mv "$folder/$body.weights" "$folder/$body.weights.part"
    : >"$tmp/requests"
    get_model
    [[ ! -s $tmp/requests ]]
    cmp "$models/$body.weights" "$folder/$body.weights"
  }
  keeps_other_names() {
    cp "$models/yolox_nano_coco.onnx" "$tmp/www/yolox_nano.onnx"
    cp "$models"/{coco.names,yolo-fastest-1.1-xl.*,yunet_n_320_320.onnx} "$tmp/www"
    for name in yolox_nano_coco yolo-fastest-1.1-xl yunet_n_320_320; do
      get_model "$name"
    done
    cmp "$models/yolox_nano_coco.onnx" "$folder/yolox_nano_coco.onnx"
    cmp "$models/coco.names" "$folder/coco.names"
    cmp "$models/yunet_n_320_320.onnx" "$folder/yunet_n_320_320.onnx"
  }
}

ok "--list names them all" lists_all
ok "--help explains and writes nothing" helps
ok "an unknown name is refused" refuses_unknown
ok "offline, it says what happens without" is_offline
ok "an address that has gone is said to have gone" misses
ok "a wrong hash is refused and removed" refuses_wrong
if [[ -d $models ]]; then
  ok "a detector is fetched" fetches
  ok "a second run asks nothing" asks_once
  ok "a damaged file is fetched again" repairs
  ok "a part is continued" resumes
  ok "a wrong part is thrown away" starts_over
  ok "a complete part is taken" takes_whole_part
  ok "the others come under their own names" keeps_other_names
else
  skip "detectors are fetched, resumed, repaired" "no $models"
fi
finish
