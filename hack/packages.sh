#!/usr/bin/env bash
# Installs the Debian packages that tests run for real: the OCI runtime, and the tools of the fetcher's
# archives, perf, mkfs.xfs, and ZooKeeper. The local Kubernetes installs its own.
set -euo pipefail
wanted=(runc linux-perf xfsprogs iproute2 procps tar xz-utils bzip2 unzip libzookeeper-java default-jre-headless)
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "all installed: ${wanted[*]}"
  exit 0
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
