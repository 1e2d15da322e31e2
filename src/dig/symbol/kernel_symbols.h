/* Functions of the kernel, its modules and its BPF programs: /proc/kallsyms.
 *
 * Privilege: addresses need CAP_SYSLOG, or kernel.kptr_restrict = 0 and kernel.perf_event_paranoid <= 1; else
 * they are all zero, which kernel_symbols_why tells. Of several names at one address the first counts, as in
 * the kernel's own %pS. A function reaches to the next one, at most KERNEL_FUNCTION_MAX. Cost: 30-60 ms once
 * (the kernel writes some MB); then ~50 ns. */
#ifndef OSPREY_DIG_SYMBOL_KERNEL_SYMBOLS_H
#define OSPREY_DIG_SYMBOL_KERNEL_SYMBOLS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/vec.h"

#define KERNEL_FUNCTION_MAX (1u << 20)

struct kernel_symbols {
	VEC(struct kernel_symbol {
		uint64_t address;
		uint32_t name;
		uint32_t module; /* both: offsets in names; module "[kernel]", "[nf_tables]", "[bpf]" */
	}) entry; /* by address */
	struct buf names;
	size_t hidden; /* functions whose address was zero */
};

void kernel_symbols_deinit(struct kernel_symbols *k);
/* Pure. Lines that are none are passed over. -ENOMEM, -EFBIG (4 GiB of names). */
int kernel_symbols_parse(struct span text, struct kernel_symbols *ret) __attribute__((warn_unused_result));
/* -errno of the file, -ENOMEM. */
int kernel_symbols_read(struct kernel_symbols *ret) __attribute__((warn_unused_result));
/* Why there are no names, for a reader; NULL: there are. `read`: what kernel_symbols_read returned. */
const char *kernel_symbols_why(const struct kernel_symbols *k, int read);
/* False: no function covers it. */
bool kernel_symbols_find(const struct kernel_symbols *k, uint64_t address, const char **ret_name,
			 const char **ret_module, uint64_t *ret_offset);

#endif
