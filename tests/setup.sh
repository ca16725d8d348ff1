#!/usr/bin/env bash
# Installs what the build needs and is missing (Debian and Ubuntu packages), and the packages that are named.
set -euo pipefail
packages=(g++ cmake ninja-build pkg-config libeigen3-dev rapidjson-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev zlib1g-dev
          libzstd-dev libsqlite3-dev libxxhash-dev libcli11-dev libfmt-dev libgtest-dev libbenchmark-dev)
packages+=("$@") # what a check needs beside the build
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  become=""
  [ "$(id -u)" = 0 ] || become="sudo"
  export DEBIAN_FRONTEND=noninteractive
  $become apt-get update -q >/dev/null || true
  $become apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
fi
