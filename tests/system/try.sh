#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# pipelines/try and npc-try on clips, with Ctrl-C, with mistakes, and with a real broker.
# Usage: try.sh BUILD
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tap.sh
. "$root/tests/system/tap.sh"
unset GST_PLUGIN_PATH GST_PLUGIN_PATH_1_0 GST_REGISTRY GST_REGISTRY_1_0
NPC_BUILD=$(realpath "$1")
export NPC_BUILD NPC_SKIP_INSTALL=1 XDG_CACHE_HOME=$tmp/cache XDG_DATA_HOME=$tmp/data
own_clip=$XDG_CACHE_HOME/no-picture-camera/vtest.avi

# clip FRAMES FILE: a clip of ten frames a second.
clip() {
  gst-launch-1.0 -q videotestsrc num-buffers="$1" ! \
    video/x-raw,format=YUY2,width=160,height=120,framerate=10/1 ! avimux ! filesink location="$2"
}
clip 50 "$tmp/short clip.avi"
clip 600 "$tmp/long.avi"

try() {
  timeout 60 "$root/pipelines/try" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
}

# shellcheck disable=SC2317 # cases are called by ok
{
  helps() {
    NPC_BUILD=$tmp/none try --help
    has "$tmp/out" "Usage: pipelines/try"
    [[ ! -e $tmp/none ]]
  }
  refuses() {
    fails 2 try --no-such-option
    has "$tmp/err" "'--no-such-option' is not an option"
    fails 2 try --clip
    has "$tmp/err" "--clip needs a value"
    fails 1 try --clip "$tmp/none.avi"
    has "$tmp/err" "there is no file '$tmp/none.avi'"
    fails 1 try --model=/none.onnx
  }
  counts() {
    try --fast --clip "$tmp/short clip.avi"
    [[ $(grep -cE '^[0-9]{2}:[0-9]{2}:[0-9]{2}  people +0 +most +0  moving +0$' "$tmp/out") == 3 ]]
    has "$tmp/out" "        50 frames seen"
    has "$tmp/out" "        50 frames analysed"
    has "$tmp/out" "         0 frames left the element"
    has "$tmp/out" "         3 records"
    has "$tmp/err" "get-model"
    # Not a terminal: no colours.
    lacks "$tmp/out" $'\e'
  }
  shows_faces() {
    try --fast --faces --clip "$tmp/short clip.avi"
    [[ $(grep -cE 'moving +0  faces +0$' "$tmp/out") == 3 ]]
  }
  ends_on_interrupt() {
    : >"$tmp/out"
    "$root/pipelines/try" --clip "$tmp/long.avi" >"$tmp/out" 2>&1 &
    wait_for "$tmp/out" '  people '
    kill -s "$1" $!
    wait $!
    has "$tmp/out" "frames analysed"
    has "$tmp/out" " 0 frames left the element"
    # At its own speed, 600 frames are a minute; nobody waited for the end.
    lacks "$tmp/out" " 600 frames seen"
  }
  # start_camera PORT: what an RTSP camera delivers.
  start_camera() {
    /usr/bin/python3 "$root/tests/system/rtspcamera.py" "$1" >"$tmp/camera" &
    camera=$!
    wait_for "$tmp/camera" ready
  }
  restarts_camera() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    start_camera "$port"
    "$root/pipelines/try" --source "rtspsrc location=rtsp://127.0.0.1:$port/stream protocols=tcp
      latency=0 ! decodebin" >"$tmp/out" 2>&1 &
    try=$!
    trap 'kill $camera $try' EXIT
    wait_for "$tmp/out" '  people '
    kill -9 $camera
    wait_for "$tmp/out" "The camera failed: "
    start_camera "$port"
    wait_for "$tmp/out" "The camera is back."
    kill $try
    wait $try
    trap - EXIT
    kill $camera
    has "$tmp/out" " 0 frames left the element"
    # What was analysed before the failure is in the sum: never more than was seen, nor none.
    [[ $(sed -n 's/^ *\([0-9]*\) frames analysed.*/\1/p' "$tmp/out") -gt 10 ]]
  }
  ends_on_interrupt_while_away() {
    "$root/pipelines/try" --source \
      "videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! identity error-after=10" \
      >"$tmp/out" 2>&1 &
    wait_for "$tmp/out" "The camera failed: "
    kill $!
    wait $!
    has "$tmp/out" " 0 frames left the element"
  }
  fails_where_nothing_ever_came() {
    fails 1 try --source "rtspsrc location=rtsp://127.0.0.1:1/none protocols=tcp ! decodebin"
    has "$tmp/err" "Error: "
    has "$tmp/err" "Check that the camera is there"
    fails 2 try --source "videotestsrc" --clip "$tmp/short clip.avi"
    fails 1 try --source "videotestsrc '"
    has "$tmp/err" "--source is no line of elements"
  }
  prints_line() {
    try --gst --fast --clip "$tmp/short clip.avi"
    [[ $(wc -l <"$tmp/out") == 1 ]]
    GST_REGISTRY=$tmp/line.bin timeout 60 bash "$tmp/out" >"$tmp/launched"
    [[ $(grep -c 'npc-counts, ' "$tmp/launched") == 3 ]]
  }
  # A source that never delivers.
  ends_check_on_interrupt() {
    GST_DEBUG=basesrc:5 "$root/pipelines/try" --gst \
      --source "udpsrc address=127.0.0.1 port=0 ! application/x-rtp,media=video,encoding-name=JPEG,clock-rate=90000,payload=26 ! rtpjpegdepay ! jpegdec" \
      >"$tmp/out" 2>"$tmp/err" &
    wait_for "$tmp/err" 'basesrc'
    kill -s "$1" $!
    status=0
    wait $! || status=$?
    [[ $status == 1 && ! -s $tmp/out ]]
    lacks "$tmp/err" "No frame came"
  }
  prints_no_line_that_fails() {
    echo "no network" >"$tmp/text.onnx"
    for wrong in --mqtt=no-url "--model=$tmp/text.onnx"; do
      fails 1 try --gst --clip "$tmp/short clip.avi" "$wrong"
      has "$tmp/err" "Error: "
      [[ ! -s $tmp/out ]]
    done
    fails 1 try --gst --clip "$tmp/text.onnx"
    [[ ! -s $tmp/out ]]
  }
  takes_clip_without_camera() {
    mkdir -p "${own_clip%/*}"
    cp "$tmp/short clip.avi" "$own_clip"
    try --fast
    has "$tmp/out" "Counting people in vtest.avi with HOG"
    has "$tmp/out" "3 records"
  }
  takes_fetched_model() {
    mkdir -p "$XDG_DATA_HOME/no-picture-camera/models"
    cp "$models"/yolo-fastest-1.1_body.* "$XDG_DATA_HOME/no-picture-camera/models"
    try --fast --clip "$tmp/short clip.avi"
    has "$tmp/out" "with yolo-fastest-1.1_body.weights"
    lacks "$tmp/err" get-model
    has "$tmp/out" "3 records"
    # In the shape of the clip, which npcdetect knows.
    try --gst --fast --clip "$tmp/short clip.avi"
    lacks "$tmp/out" input-width
    try --gst --fast --clip "$tmp/short clip.avi" --input=320x320
    has "$tmp/out" "input-width=320 input-height=320"
    fails 2 try --gst --clip "$tmp/short clip.avi" --input=large
    has "$tmp/err" "such as 640x480"
  }
  explains_errors() {
    echo "no video" >"$tmp/text.avi"
    fails 1 try --clip "$tmp/text.avi"
    has "$tmp/err" "Error: "
    has "$tmp/err" "Check that --clip names a video"
    echo "no network" >"$tmp/text.onnx"
    fails 1 try --clip "$tmp/short clip.avi" --model "$tmp/text.onnx"
    has "$tmp/err" "Error: "
    fails 1 try --clip "$tmp/short clip.avi" --mqtt no-url
    has "$tmp/err" "Error: "
  }
  outlives_broker() {
    try --fast --clip "$tmp/short clip.avi" --mqtt mqtt://127.0.0.1:1
    has "$tmp/err" "mqtt://127.0.0.1:1 disconnected: "
    has "$tmp/out" "         3 records"
    has "$tmp/out" "         0 delivered to mqtt://127.0.0.1:1"
  }
  sends_to_broker() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    printf 'listener %s 127.0.0.1\nallow_anonymous true\nlog_type all\n' "$port" >"$tmp/broker.conf"
    PATH=$PATH:/usr/sbin mosquitto -c "$tmp/broker.conf" >"$tmp/broker.log" 2>&1 &
    broker=$!
    trap 'kill $broker' EXIT
    wait_for "$tmp/broker.log" running
    # A status, and a record in three forms.
    timeout 60 mosquitto_sub -h 127.0.0.1 -p "$port" -t 'npc/#' -v -C 4 >"$tmp/received" &
    subscriber=$!
    wait_for "$tmp/broker.log" SUBSCRIBE
    try --fast --clip "$tmp/short clip.avi" --mqtt "mqtt://127.0.0.1:$port"
    wait $subscriber
    has "$tmp/received" "/try/counts {"
    has "$tmp/err" "mqtt://127.0.0.1:$port connected"
    has "$tmp/out" "         3 delivered to mqtt://127.0.0.1:$port"
  }
}

models=${NPC_SHARED:-$root/../shared}/data/models
ok "--help explains and builds nothing" helps
ok "wrong options are refused" refuses
ok "a clip is counted, one line a window, with a summary" counts
ok "--faces adds faces" shows_faces
ok "Ctrl-C ends it with a summary" ends_on_interrupt INT
ok "so does SIGTERM" ends_on_interrupt TERM
ok "--gst prints a line that runs" prints_line
ok "--gst prints no line that fails" prints_no_line_that_fails
ok "Ctrl-C ends --gst while no frame comes" ends_check_on_interrupt INT
ok "so does SIGTERM there" ends_check_on_interrupt TERM
ok "Ctrl-C ends it while the camera is away" ends_on_interrupt_while_away
ok "a source that never delivered is an error" fails_where_nothing_ever_came
if /usr/bin/python3 "$root/tests/system/rtspcamera.py" --check 2>/dev/null; then
  ok "an RTSP camera that reboots is counted again" restarts_camera
else
  skip "an RTSP camera that reboots is counted again" "no gir1.2-gst-rtsp-server-1.0"
fi
if "$NPC_BUILD/pipelines/npc-try" --find-camera >/dev/null 2>&1; then
  skip "without a camera the clip is taken" "there is a camera"
else
  ok "without a camera the clip is taken" takes_clip_without_camera
fi
if [[ -d $models ]]; then
  ok "a fetched detector is used" takes_fetched_model
else
  skip "a fetched detector is used" "no $models"
fi
ok "errors are sentences that say what to do" explains_errors
ok "without the broker it counts all the same" outlives_broker
ok "--mqtt sends the records to a broker" sends_to_broker
finish
