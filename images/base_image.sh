#!/usr/bin/env bash
# Make a base image like debian:bookworm-slim out of Debian's packages, where no registry can be pulled from.
#
#   images/base_image.sh [NAME]      default reelwarden-debian:bookworm; needs root, docker, debootstrap
#
# The root file system is kept as a tar in the cache folder and made once a month; REELWARDEN_BASE_TAR names another place.
set -euo pipefail

name=${1:-reelwarden-debian:bookworm}
tar=${REELWARDEN_BASE_TAR:-${XDG_CACHE_HOME:-$HOME/.cache}/reelwarden/images/bookworm-$(date +%Y-%m).tar}

if [ ! -f "$tar" ]; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase bookworm "$root"
  mirror=$(awk '/^deb /{print $2; exit}' "$root/etc/apt/sources.list")
  printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s-security bookworm-security main\n' \
    "$mirror" "$mirror" "$mirror" >"$root/etc/apt/sources.list"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  chroot "$root" sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -qq && apt-get clean'
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/var/log/* "$root"/tmp/* "$root"/etc/resolv.conf \
    "$root"/usr/share/{man,info,locale,lintian,groff,linda}
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  echo debian >"$root/etc/hostname"
  mkdir -p "$(dirname "$tar")"
  tar -C "$root" --sort=name --numeric-owner --mtime=@1735689600 --exclude=./dev/* -cf "$tar.part" .
  mv "$tar.part" "$tar"
fi
docker import --change 'CMD ["bash"]' "$tar" "$name"
