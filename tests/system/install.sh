#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The uninstalled plugin in meson's devenv, and what meson install leaves behind.
# Usage: install.sh BUILD
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tap.sh
. "$root/tests/system/tap.sh"
build=$1
# What the caller set must not help.
unset GST_PLUGIN_PATH GST_PLUGIN_PATH_1_0 GST_REGISTRY GST_REGISTRY_1_0 PKG_CONFIG_PATH
export XDG_CACHE_HOME=$tmp/cache
stage=$tmp/stage

# shellcheck disable=SC2317 # cases are called by ok
{
  # OpenCV is in a plugin of its own.
  file_of() {
    case $1 in
      npcdetect) echo libgstnpcdetect.so ;;
      *) echo libgstnpc.so ;;
    esac
  }
  runs_in_devenv() {
    for element in npcdetect npccount npcsrc npcsink; do
      meson devenv -C "$build" gst-inspect-1.0 "$element" >"$tmp/out"
      has "$tmp/out" "Filename                 $(realpath "$build")/elements/$(file_of "$element")"
    done
  }
  names_one_author() {
    for element in npcdetect npccount npcsrc npcsink; do
      meson devenv -C "$build" gst-inspect-1.0 "$element" | grep 'Author  '
    done | sort -u >"$tmp/out"
    [[ $(wc -l <"$tmp/out") == 1 ]]
  }
  leaves_registry_alone() {
    [[ -s $build/registry.bin ]]
    [[ ! -e $XDG_CACHE_HOME/gstreamer-1.0 ]]
    for element in npcdetect npccount npcsrc npcsink; do
      fails 1 gst-inspect-1.0 --exists "$element"
      # The same question where the answer is yes.
      meson devenv -C "$build" gst-inspect-1.0 --exists "$element"
    done
  }
  installs() {
    DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
    plugins=$stage$(pkg-config --variable=pluginsdir gstreamer-1.0)
    [[ -f $plugins/libgstnpc.so && -f $plugins/libgstnpcdetect.so ]]
  }
  is_found() {
    plugins=$(dirname "$(find "$stage" -name libgstnpc.so)")
    lib=$(find "$stage" -name 'libgstnpc-1.0.so')
    for element in npcdetect npccount npcsrc npcsink; do
      LD_LIBRARY_PATH=${lib%/*} GST_PLUGIN_PATH=$plugins GST_REGISTRY=$tmp/installed.bin \
        gst-inspect-1.0 "$element" >"$tmp/out"
      has "$tmp/out" "Filename                 $plugins/$(file_of "$element")"
    done
  }
  # A gateway, which sees no pictures, counts and delivers without it.
  needs_no_opencv() {
    plugins=$(dirname "$(find "$stage" -name libgstnpc.so)")
    lib=$(find "$stage" -name 'libgstnpc-1.0.so')
    LD_LIBRARY_PATH=${lib%/*} ldd "$plugins/libgstnpc.so" >"$tmp/out"
    lacks "$tmp/out" opencv
    has "$tmp/out" libgstnpc-1.0
    LD_LIBRARY_PATH=${lib%/*} ldd "$plugins/libgstnpcdetect.so" >"$tmp/out"
    has "$tmp/out" opencv
    lacks "$tmp/out" paho
  }
  compiles_against() {
    pc=$(find "$stage" -name gstreamer-npc-1.0.pc)
    cat >"$tmp/app.c" <<'END'
#include <gst/npc/npc.h>
int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  GstNpcCounts *counts = gst_npc_counts_new("home", "door", "5f0c");
  g_print("%s people %u\n", GST_NPC_COUNTS_CAPS, counts->people);
  gst_npc_counts_free(counts);
  return 0;
}
END
    # A .pc file knows its prefix, not the stage.
    mkdir "$tmp/pc"
    sed "s#^prefix=#prefix=$stage#" "$pc" >"$tmp/pc/gstreamer-npc-1.0.pc"
    # Applications are not built with what only our own sources include.
    lacks "$tmp/pc/gstreamer-npc-1.0.pc" nlohmann
    flags=$(PKG_CONFIG_PATH=$tmp/pc pkg-config --cflags --libs gstreamer-npc-1.0)
    # shellcheck disable=SC2086 # flags are words
    cc -Wall -Werror "$tmp/app.c" -o "$tmp/app" $flags
    lib=$(find "$stage" -name 'libgstnpc-1.0.so')
    LD_LIBRARY_PATH=${lib%/*} "$tmp/app" >"$tmp/out"
    has "$tmp/out" 'people 0'
  }
  installs_nothing_else() {
    find "$stage" -type f -o -type l | sed "s#^$stage##" | sort >"$tmp/out"
    ! grep -vE '/libgstnpc(detect|-1\.0)?\.so|/gst/npc/npc[a-z]*\.h$|gstreamer-npc-1\.0\.pc$|/GstNpc-1\.0\.(gir|typelib)$|^/usr/bin/npc-record$' "$tmp/out"
  }
}

ok "meson devenv finds the plugin of the build" runs_in_devenv
ok "the elements name one author" names_one_author
ok "the user's registry does not hear of it" leaves_registry_alone
ok "meson install puts the plugin among GStreamer's" installs
ok "gst-inspect-1.0 finds the installed elements" is_found
ok "what counts and delivers does without OpenCV" needs_no_opencv
ok "a C program is compiled with the installed pkg-config file" compiles_against
ok "nothing else is installed" installs_nothing_else
finish
