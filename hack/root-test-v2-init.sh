#!/bin/bash
# The first process of the machine that hack/root-test-v2.sh starts: mounts what a Debian has, with cgroup
# v2 alone, runs the tests and turns the machine off. Its output is the machine's console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp LC_ALL=C
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts d /dev/pts
mount -t tmpfs t /dev/shm
mount -t tmpfs t /run
mount -t cgroup2 c /sys/fs/cgroup
mount -t debugfs d /sys/kernel/debug 2>/dev/null
mount --make-rshared /
hostname v2
ln -sfn /proc/self/fd /dev/fd
dmesg -n 1
for module in loop xfs overlay tun fuse; do modprobe "$module"; done
mkdir -p /dev/net
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && [ "$(grep -c '^[^0]' /proc/self/cgroup)" = 0 ] && echo "machine: cgroup v2 alone"
echo "machine: Linux $(uname -r), controllers $(cat /sys/fs/cgroup/cgroup.controllers), up $(cut -d' ' -f1 /proc/uptime)s"
# A test's own deadlines are generous enough for emulation; this one is for what hangs.
for dir in $(ls -d /tests/* | sort -V); do
  { read -r package; read -r run; } < "$dir/what"
  cd "$dir" || exit 1
  if ./test -test.v -test.run "$run" -test.timeout 20m 2>&1; then echo "package: $package ok"; else echo "package: $package FAILED"; fi
done
# What a test left behind is told by the tests; this is for what none of them looks at.
left=$(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d -name 'mesos*'; grep xfs /proc/mounts)
[ -z "$left" ] && echo "machine: nothing is left" || echo "package: leak check FAILED: $left"
echo "machine: done"
sync
echo o > /proc/sysrq-trigger
sleep 60
