#!/usr/bin/env bash
# Root tests on pure cgroup v2, which a machine whose controllers are bound to v1 can't show, and on XFS
# with project quotas, which few kernels of build machines have: Debian's own kernel in QEMU, by software
# emulation, with a disk of Debian's programs and the compiled tests. Run as root, for the packages.
#
#   hack/root-test-v2.sh [work directory]
#
# Prints each test's line as it ends, then "root-test-v2: <passed> passed, <failed> failed, <skipped>
# skipped in <time>", and exits with 0 only if all the tests that are listed below passed. All of it is
# in <work directory>/results.txt, the machine's console in console.log.
# V2_LIMIT is how many seconds the machine may run (1500), V2_ACCEL QEMU's accelerator (tcg),
# V2_ONLY a regular expression of the names of packages.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(realpath -m "${1:-bin/v2}")
limit=${V2_LIMIT:-1500}
export CGO_ENABLED=0

# package, tests: what runs in the machine. Emulation is some twenty times slower, so what doesn't
# differ on v2 or XFS stays outside.
tests() {
  cat <<'LIST'
agentd/containerizer/cgroups .
agentd/containerizer/cgroups/devicefilter .
agentd/containerizer/isolator/cgroups/blkio .
agentd/containerizer/isolator/cgroups/cpu .
agentd/containerizer/isolator/cgroups/devices .
agentd/containerizer/isolator/cgroups/mem .
agentd/containerizer/isolator/cgroups/member .
agentd/containerizer/isolator/disk/xfs .
agentd/containerizer/mesos ^(TestRuns|TestDestroy|TestRecover|TestDestroyRecovered|TestRootV2|TestAllCgroups|TestOutOfMemory|TestOutOfMemoryMeanwhile|TestHierarchies|TestRootNestedLimits|TestNested|TestDebug|TestRootGPU|TestRootGPUGrows|TestRootLinuxDevices)$
LIST
}

# Debian's packages whose files are the machine's, beside the libraries that they need.
programs=(bash dash coreutils grep sed gawk findutils util-linux mount procps kmod runc xfsprogs passwd base-passwd diffutils util-linux-extra)

install() {
  local missing=()
  for package in qemu-system-x86 busybox-static cpio kmod xfsprogs runc gawk; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] || DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
}

# kernel unpacks Debian's kernel, which stays for the next time.
kernel() {
  [ -f "$work/kernel/ok" ] && return
  rm -rf "$work/kernel" && mkdir -p "$work/kernel"
  local name
  name=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2 }')
  (cd "$work/kernel" && apt-get -qq download "$name" && dpkg -x ./*.deb . && rm ./*.deb)
  version=$(ls "$work/kernel/lib/modules")
  depmod -b "$work/kernel" "$version"
  touch "$work/kernel/ok"
}

# disk makes the file system of the machine.
disk() {
  local root=$work/root
  rm -rf "$root" && mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},etc,proc,sys,dev,run,tmp,root,var/tmp,tests,opt}
  for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
  dpkg -L "${programs[@]}" 2>/dev/null | grep -E '^(/usr)?/(s?bin|lib)/|^/usr/share/awk/' | sort -u | while read -r f; do
    [ -d "$f" ] && [ ! -L "$f" ] || echo "${f#/}"
  done > "$work/files"
  (cd / && xargs -d '\n' readlink -f < "$work/files" | sort -u | xargs -d '\n' ldd 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' | sort -u | sed 's|^/||' || true) >> "$work/files"
  tar -C / -ch --files-from="$work/files" --ignore-failed-read 2>/dev/null | tar -C "$root" -x --keep-directory-symlink
  cp /etc/{passwd,group,ld.so.cache,alternatives} "$root/etc/" 2>/dev/null || true
  ln -sf gawk "$root/usr/bin/awk"; ln -sf dash "$root/usr/bin/sh"
  mkdir -p "$root/usr/lib/modules" && cp -a "$work/kernel/lib/modules/$version" "$root/usr/lib/modules/"
  compile "$root/tests"
  cp hack/root-test-v2-init.sh "$root/init.sh" && chmod +x "$root/init.sh"
  rm -f "$work/disk.img" && truncate -s 3G "$work/disk.img"
  mke2fs -q -t ext4 -O ^has_journal -d "$root" "$work/disk.img"
  rm -rf "$root"
}

compile() {
  local at=$1 n=0 package run
  while read -r package run; do
    [[ $package =~ ${V2_ONLY:-.} ]] || continue
    n=$((n + 1))
    mkdir -p "$at/$n" && go test -c -o "$at/$n/test" "./$package"
    [ ! -d "$package/testdata" ] || cp -r "$package/testdata" "$at/$n/"
    printf '%s\n%s\n' "$package" "$run" > "$at/$n/what"
  done < <(tests)
}

# initrd has what it takes to mount the disk.
initrd() {
  local dir=$work/initrd modules=() file
  rm -rf "$dir" && mkdir -p "$dir/bin" && cp /usr/bin/busybox "$dir/bin/"
  for module in virtio_pci virtio_blk ext4 crc32c_generic; do
    for file in $(modprobe -d "$work/kernel" -S "$version" --show-depends "$module" | awk '/^insmod/ { print $2 }'); do
      [ -f "$dir/$(basename "$file")" ] || { cp "$file" "$dir/" && modules+=("$(basename "$file")"); }
    done
  done
  cat > "$dir/init" <<X
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev /root
/bin/busybox mount -t proc p /proc; /bin/busybox mount -t devtmpfs d /dev
for m in ${modules[*]}; do /bin/busybox insmod /\$m; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox umount /proc; /bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /init.sh
X
  chmod +x "$dir/init"
  (cd "$dir" && find . | cpio -o -H newc 2>/dev/null | gzip -1 > "$work/initrd.gz")
  rm -rf "$dir"
}

machine() {
  rm -f "$work/console.log"
  timeout "$limit" qemu-system-x86_64 -accel "${V2_ACCEL:-tcg,thread=multi}" -cpu "${V2_CPU:-max}" -smp 2 -m 2048 \
    -kernel "$work/kernel/boot/vmlinuz-$version" -initrd "$work/initrd.gz" -append "console=ttyS0 panic=1 quiet" \
    -drive "file=$work/disk.img,if=virtio,format=raw,cache=unsafe" -device virtio-rng-pci \
    -display none -monitor none -no-reboot -nic none -serial "file:$work/console.log" < /dev/null &
  qemu=$!
  trap 'kill "$qemu" 2>/dev/null || true; rm -f "$work/disk.img" "$work/initrd.gz" "$work/files"' EXIT
  # tail ends with the machine.
  tail -q -F --pid="$qemu" -n +1 "$work/console.log" 2>/dev/null | tr -d '\r' | grep --line-buffered -E '^(=== |--- |    --- |machine: |package: )' | grep --line-buffered -v '^=== RUN' || true
  wait "$qemu" || true
}

# verdict counts, and tells what failed with all that was said.
verdict() {
  local took=$1 passed failed skipped want got
  tr -d '\r' < "$work/console.log" > "$work/results.txt"
  passed=$(grep -cE '^ *--- PASS' "$work/results.txt" || true)
  failed=$(grep -cE '^ *--- FAIL' "$work/results.txt" || true)
  skipped=$(grep -cE '^ *--- SKIP' "$work/results.txt" || true)
  want=$(tests | awk -v only="${V2_ONLY:-.}" '$1 ~ only' | wc -l)
  got=$(grep -cE '^package: .* ok$' "$work/results.txt" || true)
  [ "$failed" -eq 0 ] || grep -E -B 30 '^ *--- FAIL' "$work/results.txt" || true
  grep -E -A 1 '^ *--- SKIP' "$work/results.txt" || true
  echo "root-test-v2: $passed passed, $failed failed, $skipped skipped in ${took}s; $got of $want packages ok"
  [ "$got" -eq "$want" ] && grep -q '^machine: cgroup v2 alone$' "$work/results.txt" && grep -q '^machine: done$' "$work/results.txt"
}

[ "$(id -u)" -eq 0 ] || { echo "root-test-v2: needs root: makes a disk with devices of root" >&2; exit 1; }
mkdir -p "$work"
start=$SECONDS
install
kernel
version=$(ls "$work/kernel/lib/modules")
disk
initrd
machine
verdict $((SECONDS - start))
