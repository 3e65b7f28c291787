#!/usr/bin/env bash
# The README's commands on a bare machine: the last commit without its history, in a fresh container with Python 3.11
# and make and nothing else. The second `make demo` has no network.
#
#   tests/integration/clean_machine.sh [BASE_IMAGE]        default debian:bookworm-slim; needs docker
#
# Where downloads need a certificate bundle of your own, name it in SSL_CERT_FILE.
set -euo pipefail
cd "$(dirname "$0")/../.."

base=${1:-debian:bookworm-slim}
bundle=/etc/ssl/certs/ca-certificates.crt
options=()
if [ -n "${SSL_CERT_FILE:-}" ]; then
  options+=(-v "$SSL_CERT_FILE:$bundle:ro" -e "SSL_CERT_FILE=$bundle" -e "PIP_CERT=$bundle")
fi
[ -n "${REELWARDEN_TEST_MEDIA:-}" ] && options+=(-v "$REELWARDEN_TEST_MEDIA:/media:ro" -e REELWARDEN_TEST_MEDIA=/media)

machine=$(docker run --detach "${options[@]}" --workdir /reelwarden "$base" sleep 10000)
trap 'docker rm --force "$machine" >/dev/null' EXIT

step() { printf '\n== %s\n' "$1"; shift; time docker exec "$machine" "$@"; }

git archive HEAD | docker cp - "$machine:/reelwarden"
step 'Python 3.11 and make' sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 make >/dev/null 2>&1 && python3 --version && ! command -v gcc git pip'
step 'make demo' make demo
docker network disconnect bridge "$machine"
step 'make demo again, without a network' make demo
docker network connect bridge "$machine"
step 'make test' make test
