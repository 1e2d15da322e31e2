/* Attaching one loaded program to its places. */
#ifndef OSPREY_DIG_PROBE_ATTACH_H
#define OSPREY_DIG_PROBE_ATTACH_H

#include "dig/probe/scope.h"

typedef VEC(int) fd_vec;

/* Whether user probes go by one link for many places (6.6). Asked once of the kernel by making a link that cannot be. */
bool attach_multi_there(void);
/* Whether a link carries a number to its program (5.15). */
bool attach_cookies_there(void);
/* Whether a program gets at the registers that user space had (5.15). False too without the right to load any. */
bool attach_registers_there(void);
/* One place. The site's number goes along as a cookie when `cookie`. Adds what must stay open to *ret. */
int attach_site(int program, enum probe_kind kind, const struct probe_site *site, int pid, bool cookie, fd_vec *ret,
		struct note *note) __attribute__((warn_unused_result));
/* All places of a variant, of one file each, by uprobe_multi. The program was loaded for it. */
int attach_multi(int program, const struct probe_variant *v, int pid, fd_vec *ret, struct note *note)
	__attribute__((warn_unused_result));

#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI */

#endif
