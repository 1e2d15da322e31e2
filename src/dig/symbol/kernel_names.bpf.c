/* Names of kernel addresses, as the kernel's own %pS prints them.
 * Needs: 5.8 (bpf_seq_printf), BTF.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/symbol/kernel_names.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Written by the reader before each look. */
__u64 addresses[KERNEL_NAMES_BATCH];
unsigned count;

/* Linked to one task, so that it runs once; the second time tells the end. */
SEC("iter/task")
int name_addresses(struct bpf_iter__task *ctx)
{
	static const char line[] = "%pS\n";

	if (!ctx->task)
		return 0;
	/* Once: the verifier searches all of the kernel's types for each of these steps, in each turn of the loop. */
	struct seq_file *seq = ctx->meta->seq;
	for (unsigned i = 0; i < KERNEL_NAMES_BATCH; i++) {
		if (i >= count)
			break;
		__u64 address = addresses[i];
		bpf_seq_printf(seq, line, sizeof line, &address, sizeof address);
	}
	return 0;
}
