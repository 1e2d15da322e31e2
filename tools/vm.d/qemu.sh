# Which QEMU, and how it is started.  Needs the settings of tools/vm.
# shellcheck shell=bash disable=SC2154

qemu_major() { "$1" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p;q'; }

# Sets qemu (a command) and tcg_threads.  Before version 9, a CPU of a guest with
# several emulation threads can run the int3 of a kernel text patch that another
# CPU is just taking back: every hundredth boot, and many a kprobe, ends in an
# Oops.  So there the QEMU of backports is unpacked, and failing that all the
# CPUs share one thread.
get_qemu() {
  local host=${OSPREY_QEMU:-qemu-system-x86_64} dir=$cache/qemu newer suite
  need "$host" kernels
  qemu=("$host") tcg_threads=multi
  [ "$(qemu_major "$host")" -lt 9 ] || return 0
  newer=$dir/usr/bin/qemu-system-x86_64
  if [ -z "${OSPREY_QEMU:-}" ] && [ ! -e "$dir/tried" ]; then
    suite=$(host_codename)-backports
    say "fetching a newer QEMU from $suite"
    rm -rf "$dir"
    (update_suite "$suite" &&
      unpack "$suite" "$dir" qemu-system-x86 qemu-system-common qemu-system-data seabios) || true
    mkdir -p "$dir"
    touch "$dir/tried"
  fi
  if [ -z "${OSPREY_QEMU:-}" ] && [ -n "$(qemu_major "$newer")" ]; then
    qemu=("$newer" -L "$dir/usr/share/qemu" -L "$dir/usr/share/seabios")
  else
    tcg_threads=single
  fi
}

# A nested /dev/kvm without vmx or svm cannot run a distribution's kernel.
default_accel() {
  if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then echo kvm; else echo tcg; fi
}

accel_args() {
  case ${accel:-$(default_accel)} in
    tcg) echo "-accel tcg,thread=$tcg_threads -cpu max" ;;
    kvm) echo "-accel kvm -cpu host" ;;
    *)   die "--accel tcg or kvm" ;;
  esac
}

# A node gets every n-th part of the memory and of the CPUs.
node_args() {
  local node first last bytes
  [ "$nodes" -gt 1 ] || return 0
  [ "$cpus" -ge "$nodes" ] || die "--nodes $nodes needs as many --cpus"
  bytes=$(numfmt --from=iec "$mem") || die "--mem $mem: not a size"
  for ((node = 0; node < nodes; node++)); do
    first=$((node * cpus / nodes)) last=$(((node + 1) * cpus / nodes - 1))
    echo "-object memory-backend-ram,id=node$node,size=$((bytes / nodes))"
    echo "-numa node,nodeid=$node,cpus=$first-$last,memdev=node$node"
  done
}

# Fills the array qemu_args.
set_qemu_args() {
  local text port
  text=$(accel_args; node_args)
  # shellcheck disable=SC2206  # words on purpose
  qemu_args=($text $more_qemu)
  # The guest's output goes to the very files that ours goes to.
  qemu_args+=(
    -add-fd "fd=7,set=1" -chardev "file,id=out,path=/dev/fdset/1,append=on"
    -add-fd "fd=8,set=2" -chardev "file,id=err,path=/dev/fdset/2,append=on"
    -chardev "file,id=status,path=$job/status"
    -device virtio-serial-pci
  )
  for port in out err status; do qemu_args+=(-device "virtserialport,chardev=$port,name=$port"); done
  [ -z "$disk" ] || qemu_args+=(-drive "file=$job/disk,format=raw,if=virtio,cache=unsafe")
}

# Runs until the guest ends.  A QEMU does not outlive the shell that calls this.
run_qemu() {
  local bound=(setpriv --pdeathsig KILL)
  exec 7>&1 8>&2
  exec "${bound[@]}" timeout -k 5 "$limit" "${bound[@]}" "${qemu[@]}" \
    -nodefaults -no-reboot -display none -monitor none -M pc -smp "$cpus" -m "$mem" \
    -kernel "$kernel_dir/vmlinux" -initrd "$kernel_dir/initramfs" \
    -append "console=ttyS0 quiet loglevel=4 panic=-1 reboot=t nokaslr mitigations=off tsc=reliable no_timer_check osprey.job=$job $append" \
    -serial "file:$job/console" \
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=host,mount_tag=host \
    -device virtio-rng-pci \
    "${qemu_args[@]}" </dev/null >"$job/qemu.log" 2>&1
}
