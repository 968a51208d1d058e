# SPDX-License-Identifier: LGPL-2.1-or-later
# The Debian packages of the project, and how to install those that are missing. Sourced by scripts.
# shellcheck shell=bash disable=SC2034

build_packages=(
  build-essential meson pkgconf libglib2.0-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  libopencv-dev libpaho-mqttpp-dev libpaho-mqtt-dev libssl-dev nlohmann-json3-dev libsqlite3-dev
  libcurl4-openssl-dev zlib1g-dev libgpiod-dev libsodium-dev)
run_packages=(
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav
  gstreamer1.0-libcamera opencv-data)
fetch_packages=(curl ca-certificates)
test_packages=(
  libgtest-dev librapidcheck-dev clang llvm libclang-rt-dev python3-gi gir1.2-gstreamer-1.0
  gir1.2-gst-rtsp-server-1.0 gobject-introspection libgirepository1.0-dev mosquitto mosquitto-clients
  influxdb logrotate openssl iproute2)
lint_packages=(clang-format-14 clang-tidy-14 shellcheck)

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Runs a command as root, or says which command that would be.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "root is needed and sudo is not here. Run as root: $*"
  fi
}

# missing_packages PACKAGE...: prints those that are not installed.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  local package
  for package; do
    grep -qx "installed $package" <<<"$installed" || echo "$package"
  done
}

# install_packages PACKAGE...: asks nobody, and needs neither network nor root if all are there.
install_packages() {
  [[ -z ${NPC_SKIP_INSTALL:-} ]] || return 0
  local system
  # shellcheck source=/dev/null
  system=$(. /etc/os-release 2>/dev/null; echo "${ID:-} ${VERSION_ID:-}")
  case $system in
    'debian 12' | 'debian 13' | 'raspbian 12' | 'raspbian 13') ;;
    *) die "packages are installed on Debian 12, Debian 13 and Raspberry Pi OS only. Install what" \
      "corresponds to these yourself, then run again with NPC_SKIP_INSTALL=1: $*" ;;
  esac

  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  echo "Installing (this can take some minutes): ${missing[*]}" >&2
  as_root apt-get update -qq ||
    echo "Not all package lists could be refreshed; going on with those that are here." >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null ||
    die "the packages could not be installed. Check the network and the lines above, then run again."
}
