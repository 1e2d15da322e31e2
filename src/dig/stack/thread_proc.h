/* Where a sleeping thread stands, by /proc/PID/task/TID/{syscall,stat,comm,stack}: for kernels and users without BPF.
 *
 * `syscall` (2.6.27, CONFIG_HAVE_ARCH_TRACEHOOK) tells stack pointer and pc; other registers are not known. Stack bytes
 * come by process_vm_readv. Nothing stops. Privilege: the same user or CAP_SYS_PTRACE (and Yama's leave); `stack` needs
 * CAP_SYS_ADMIN. Cost: ~40 us a thread. Format: proc_pid_syscall(5). */
#ifndef OSPREY_DIG_STACK_THREAD_PROC_H
#define OSPREY_DIG_STACK_THREAD_PROC_H

#include "base/vec.h"
#include "dig/stack/stack.h"

typedef VEC(int) tid_list;
/* Threads there are now, by tid. -ESRCH, -ENOMEM. */
int thread_proc_list(struct host *h, int pid, tid_list *ret) __attribute__((warn_unused_result));

/* Fills pid, tid, comm, state, syscall, registers, bytes, kernel_text; way is STACK_PROC, or STACK_NONE for a
 * thread that runs (then on_cpu). -ESRCH: it has ended; -EACCES, -EPERM: closed to us. -ENOMEM. *ret is
 * zeroed first. */
int thread_proc_take(struct host *h, int pid, int tid, struct thread_stack *ret) __attribute__((warn_unused_result));

/* "0 0x3 0x7ff… sp pc", "-1 sp pc", "running". Pure. -EBADMSG. Fills on_cpu, syscall, argument, registers. */
int thread_proc_parse_syscall(struct span text, struct thread_stack *ret) __attribute__((warn_unused_result));
/* "12 (a name) S …". Pure. -EBADMSG. Fills comm and state. */
int thread_proc_parse_stat(struct span text, struct thread_stack *ret) __attribute__((warn_unused_result));
/* "[<0>] function+0x12/0x40" a line; what comes out has the functions alone, a line each. Pure. */
int thread_proc_parse_stack(struct span text, struct buf *ret) __attribute__((warn_unused_result));

/* Copies the stack from the registers' stack pointer on: up to `most` bytes, fewer where memory ends. 0, also
 * when there are none; -ENOMEM. */
int thread_copy_stack(struct thread_stack *t, size_t most) __attribute__((warn_unused_result));

#endif
