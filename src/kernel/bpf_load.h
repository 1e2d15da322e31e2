/* Loading BPF programs: in which way, what must be there, and what a failure means in words.
 *
 * Programs are compiled into skeletons (bpftool gen skeleton), each into two:
 * - a light one, for 5.17 and newer: a small BPF program that loads the program proper in
 *   the kernel, where CO-RE is resolved against the BTF that the kernel has in memory anyway;
 * - a full one, for kernels before, which do not resolve CO-RE themselves: libbpf does.
 * Measured on the task iterator, Linux 6.18: light 16 ms of CPU and no memory; full 45 ms and
 * 12 MiB, because libbpf reads and indexes 5 MB of BTF. On kernels that have neither, sources
 * fall back to /proc.
 *
 * A source includes the skeletons as its Makefile rule makes them, holds a BPF_PROGRAMS(x) and
 * reaches it by the macros below alone. */
#ifndef OSPREY_KERNEL_BPF_LOAD_H
#define OSPREY_KERNEL_BPF_LOAD_H

#include <stdbool.h>

#include "base/note.h"
#include "kernel/host.h"

/* Whether loading is worth a try: the host is live and is this machine, BTF is there, bpf()
 * is permitted, and descriptors are left for it (40). 0 or -errno, with the reason in `note`. No
 * program is loaded. ~5 us. */
int bpf_usable(struct host *h, struct note *note) __attribute__((warn_unused_result));

/* Words for a failed load of `what`; returns `negative_errno`. */
int bpf_load_failed(struct note *note, int negative_errno, const char *what);

/* The programs of x.bpf.c, loaded in one of two ways; zeroed: not loaded. */
#define BPF_PROGRAMS(x)           \
	struct {                  \
		struct x##_light *light; \
		struct x##_full *full;   \
	}

#define BPF_LOAD_BY(x, skeleton, set_up) BPF_LOAD_WITH(x, skeleton, __auto_type rodata = s_->rodata; set_up)
#define BPF_LOAD_WITH(x, skeleton, set_up)                             \
	({                                                             \
		int r_ = -ENOMEM;                                      \
		struct x *s_ = x##__open();                            \
		if (s_) {                                              \
			set_up;                                        \
			r_ = x##__load(s_);                            \
			r_ = r_ < 0 ? r_ : x##__attach(s_);            \
		}                                                      \
		if (r_ < 0 && s_) {                                    \
			x##__destroy(s_);                              \
			s_ = NULL;                                     \
		}                                                      \
		(skeleton) = s_;                                       \
		r_;                                                    \
	})

/* Opens, sets up, loads and attaches: BPF_LOAD(x, &programs, rodata->limit = 5). 0 or -errno, and
 * then nothing is held. */
#define BPF_LOAD(x, programs, set_up)                                             \
	({                                                                        \
		int r__ = BPF_LOAD_BY(x##_light, (programs)->light, set_up);      \
		if (r__ < 0 && bpf_load_again(r__))                               \
			r__ = BPF_LOAD_BY(x##_full, (programs)->full, set_up);    \
		r__;                                                              \
	})
/* The same of programs without constants that are set up. */
#define BPF_LOAD_PLAIN(x, programs)                                               \
	({                                                                        \
		int r__ = BPF_LOAD_WITH(x##_light, (programs)->light, );          \
		if (r__ < 0 && bpf_load_again(r__))                               \
			r__ = BPF_LOAD_WITH(x##_full, (programs)->full, );        \
		r__;                                                              \
	})
#define BPF_UNLOAD(x, programs)                                  \
	do {                                                     \
		if ((programs)->light)                           \
			x##_light__destroy((programs)->light);   \
		if ((programs)->full)                            \
			x##_full__destroy((programs)->full);     \
	} while (0)
#define BPF_LOADED(programs) ((programs)->light || (programs)->full)

/* Of loaded programs. */
#define BPF_LINK_FD(programs, program) \
	((programs)->light ? (programs)->light->links.program##_fd : bpf_link__fd((programs)->full->links.program))
#define BPF_MAP_FD(programs, map) \
	((programs)->light ? (programs)->light->maps.map.map_fd : bpf_map__fd((programs)->full->maps.map))
#define BPF_PROGRAM_FD(programs, program) \
	((programs)->light ? (programs)->light->progs.program.prog_fd : bpf_program__fd((programs)->full->progs.program))
/* A global variable of the programs. */
#define BPF_GLOBAL(programs, variable) \
	(*((programs)->light ? &(programs)->light->bss->variable : &(programs)->full->bss->variable))

/* Whether the full skeleton is worth a try after the light one failed so. -EPERM is: before 5.11
 * memory of BPF counts against RLIMIT_MEMLOCK, which libbpf raises. */
bool bpf_load_again(int negative_errno);

#endif
