/* Names of a few kernel addresses, asked of the kernel itself: a BPF iterator prints them by its own %pS.
 *
 * /proc/kallsyms has 200 000 lines, which take the kernel 100 ms to write; a stack has twenty addresses. So those few
 * are asked for here, and kallsyms is read where there is no BPF. Needs 5.8, BTF, root or CAP_BPF and CAP_PERFMON; the
 * names do not depend on kptr_restrict. Cost: 2 ms to load, ~30 us for up to 64 addresses. */
#ifndef OSPREY_DIG_SYMBOL_KERNEL_NAMES_H
#define OSPREY_DIG_SYMBOL_KERNEL_NAMES_H

#include "base/buf.h"
#include "base/note.h"

struct kernel_names;
int kernel_names_new(struct kernel_names **ret, struct note *note) __attribute__((warn_unused_result));
void kernel_names_free(struct kernel_names *k);
/* A line for each address, in their order: "function+0x12/0x40 [module]", or "0xffffffff…" where none covers it. */
int kernel_names_look(struct kernel_names *k, const uint64_t *addresses, size_t n, struct buf *ret)
	__attribute__((warn_unused_result));

struct kernel_name {
	struct span function, module; /* "[kernel]" of the kernel proper */
	uint64_t offset;
};
/* False: the line names no function. Pure. */
bool kernel_name_parse(struct span line, struct kernel_name *ret);

#endif
