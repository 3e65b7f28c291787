#!/usr/bin/env bash
# Make `docker compose` version 2 out of Debian 13's package, on a Debian that has version 1 alone; needs apt.
set -euo pipefail

docker compose version >/dev/null 2>&1 && exit
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/{lists,cache/archives}/partial
mirror=$(apt-get indextargets --format '$(SITE)' | awk '/\/debian\/?$/ {site = $1} END {print site}')
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$folder/sources.list"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root "$@"
}
cd "$folder"
apt update
apt download docker-compose
dpkg-deb --extract docker-compose_*.deb .
install -D usr/libexec/docker/cli-plugins/docker-compose "${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins/docker-compose"
docker compose version
