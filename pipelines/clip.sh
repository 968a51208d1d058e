# SPDX-License-Identifier: LGPL-2.1-or-later
# The clip of pedestrians, 80 s, in the user's cache, and beside it a picture of people that the
# tests look for faces in. Sourced by scripts, after packages.sh.
# shellcheck shell=bash

clip_package=opencv-doc
clip_path=./usr/share/doc/opencv-doc/examples/data/vtest.avi
faces_path=./usr/share/doc/opencv-doc/examples/data/basketball1.png
own_clip=${XDG_CACHE_HOME:-${HOME:?}/.cache}/no-picture-camera/vtest.avi

# The clip is one file of a large package: only that and the picture are kept.
fetch_clip() {
  [[ ! -s $own_clip ]] || return 0
  local folder
  echo "Fetching the clip of pedestrians in Debian's $clip_package (95 MB, of which 8 MB" \
    "are kept in $own_clip)." >&2
  mkdir -p "${own_clip%/*}"
  folder=$(mktemp -d "${TMPDIR:-/var/tmp}/no-picture-camera.XXXXXX")
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$folder'" EXIT
  # As root, apt downloads as a user of its own.
  ((EUID != 0)) || chown _apt "$folder"
  (cd "$folder" && { apt-get download -qq "$clip_package" 2>/dev/null ||
    { as_root apt-get update -qq && apt-get download -qq "$clip_package"; }; }) ||
    die "the clip could not be fetched. Check the network, or name a video of your own: --clip FILE"
  dpkg-deb --fsys-tarfile "$folder/$clip_package"_*.deb | tar -xO "$clip_path" >"$folder/clip" ||
    die "$clip_package holds no $clip_path. Name a video of your own: --clip FILE"
  [[ -s $folder/clip ]] || die "the clip in $clip_package is empty. Use a video of your own: --clip FILE"
  # A later package may lack it: the tests that want it say so.
  dpkg-deb --fsys-tarfile "$folder/$clip_package"_*.deb | tar -xO "$faces_path" >"$folder/faces" 2>/dev/null &&
    cp "$folder/faces" "${own_clip%/*}/${faces_path##*/}"
  # Moved in one step: an interrupted run must not leave half a clip behind.
  cp "$folder/clip" "$own_clip.part"
  mv "$own_clip.part" "$own_clip"
  rm -rf "$folder"
  trap - EXIT
}
