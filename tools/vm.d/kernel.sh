# A kernel that QEMU boots at once and that finds the host's files: unpacked from
# its Debian package, uncompressed, with an initramfs of a few modules.
# Needs $cache, $refresh and packages.sh.
# shellcheck shell=bash disable=SC2154

boot_modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

# busybox and kmod: for the initramfs, and for a guest whose host lacks modprobe.
get_tools() {
  local dir=$cache/tools suite
  [ ! -e "$dir/ready" ] || return 0
  suite=$(host_codename)
  update_suite "$suite"
  rm -rf "$dir"
  unpack "$suite" "$dir" busybox-static kmod libkmod2
  touch "$dir/ready"
}

# kmod_as NAME ARG...: kmod in one of its roles, from the private copy.
kmod_as() (
  library=$(find "$cache/tools" -name libkmod.so.2 | sed -n 1p)
  name=$1
  shift
  LD_LIBRARY_PATH=${library%/*} exec -a "$name" "$cache/tools/bin/kmod" "$@"
)

# get_kernel NAME: sets kernel_dir, which then holds release, vmlinux, config,
# System.map, modules and initramfs.
get_kernel() {
  local suite=${1%%:*} version='' package release new
  case $1 in *:*) version=${1#*:} ;; esac
  [ "$suite" != backports ] || suite=bookworm-backports
  kernel_dir=$cache/kernels/$suite${version:+-$version}
  [ -n "${refresh:-}" ] || [ ! -e "$kernel_dir/ready" ] || return 0

  update_suite "$suite"
  if [ -n "$version" ]; then
    package=linux-image-$version-amd64
  else
    package=$(depends_of "$suite" linux-image-amd64 | grep '^linux-image-[0-9]' | tail -n 1) || true
  fi
  [ -n "$package" ] || die "no linux-image-amd64 in $suite"
  release=${package#linux-image-}
  [ ! -e "$kernel_dir/ready" ] || [ "$(cat "$kernel_dir/release")" != "$release" ] || return 0

  say "fetching $package from $suite"
  new=$kernel_dir.new
  rm -rf "$new"
  unpack_kernel "$suite" "$package" "$new"
  extract_vmlinux "$new/vmlinuz" "$new/vmlinux"
  make_initramfs "$new"
  touch "$new/ready"
  rm -rf "$kernel_dir"
  mv "$new" "$kernel_dir"
}

# unpack_kernel SUITE PACKAGE DIR.  The newest packages spread their files over
# linux-base-, linux-binary- and linux-modules-RELEASE.
unpack_kernel() {
  local suite=$1 package=$2 dir=$3 release=${2#linux-image-} parts modules name
  mapfile -t parts < <(depends_of "$suite" "$package" | grep "^linux-[a-z]*-$release\$")
  unpack "$suite" "$dir/root" "$package" "${parts[@]}"
  echo "$release" >"$dir/release"
  [ -e "$dir/root/lib" ] || ln -s usr/lib "$dir/root/lib"
  modules=$dir/root/lib/modules/$release
  [ -d "$modules" ] || die "no modules in $package"
  kmod_as depmod -b "$dir/root" "$release"
  ln -s "root/lib/modules/$release" "$dir/modules"
  for name in vmlinuz config System.map; do
    if [ -e "$modules/$name" ]; then
      ln -s "modules/$name" "$dir/$name"
    else
      ln -s "root/boot/$name-$release" "$dir/$name"
    fi
  done
}

# extract_vmlinux BZIMAGE ELF.  QEMU starts the ELF directly (PVH); a kernel that
# unpacks itself under emulation would take seconds of every boot.
extract_vmlinux() {
  python3 - "$1" "$2" <<'PYTHON'
import lzma, struct, subprocess, sys

image = open(sys.argv[1], "rb").read()
# Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length.
protected_mode = ((image[0x1f1] or 4) + 1) * 512
offset, length = struct.unpack_from("<II", image, 0x248)
payload = image[protected_mode + offset:protected_mode + offset + length]
if payload.startswith(b"\x28\xb5\x2f\xfd"):
    # The last four bytes are the size, which zstd would take for garbage.
    elf = subprocess.run(["zstd", "-dcq"], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
elif payload.startswith(b"\xfd7zXZ\0"):
    elf = lzma.LZMADecompressor().decompress(payload)
else:
    sys.exit("vm: the kernel's compression is neither zstd nor xz")
if not elf.startswith(b"\x7fELF"):
    sys.exit("vm: no ELF in the kernel image")
open(sys.argv[2], "wb").write(elf)
PYTHON
}

# make_initramfs DIR
make_initramfs() {
  local dir=$1 release tree=$1/initramfs.d file name
  release=$(cat "$dir/release")
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,dev,proc,sys,host,upper,root,modules}
  cp "$cache/tools/bin/busybox" "$tree/bin/busybox"
  cp "$here/vm.d/init" "$tree/init"
  chmod +x "$tree/init"
  # What modprobe would load, in its order; nothing is printed for a built-in.
  for name in "${boot_modules[@]}"; do
    kmod_as modprobe --dirname "$dir/root" --set-version "$release" --show-depends "$name"
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
    while read -r file; do
      name=${file##*/}
      name=${name%%.ko*}.ko
      case $file in
        *.xz)  xz -dc "$file" ;;
        *.zst) zstd -dcq "$file" ;;
        *)     cat "$file" ;;
      esac >"$tree/modules/$name"
      echo "$name" >>"$tree/modules/order"
    done
  (cd "$tree" && find . | bin/busybox cpio -o -H newc 2>/dev/null) >"$dir/initramfs"
  rm -rf "$tree"
}
