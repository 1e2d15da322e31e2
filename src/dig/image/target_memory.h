/* Bytes of a live process, by process_vm_readv (3.2), or /proc/PID/mem where the kernel lacks it. Does not stop the
 * target: what is read may be torn. Privilege: the same user or CAP_SYS_PTRACE. Cost: ~1 us and 0.1 us a KB. */
#ifndef OSPREY_DIG_IMAGE_TARGET_MEMORY_H
#define OSPREY_DIG_IMAGE_TARGET_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All n bytes; -EFAULT: some are not there (and what is in `to` is of no use); -ESRCH, -EPERM. */
int target_memory_read(int pid, uint64_t address, void *to, size_t n) __attribute__((warn_unused_result));
/* As many as can be had from the front: their number, 0 when not even one; -ESRCH, -EPERM. Passes the kernel's bound
 * of 0x7ffff000 bytes a call. */
ssize_t target_memory_read_front(int pid, uint64_t address, void *to, size_t n) __attribute__((warn_unused_result));

#endif
