/* Loading BPF programs: what must be there, and what a failure means in words.
 *
 * Programs are compiled into skeletons (bpftool gen skeleton). The build makes light ones
 * (BPF_SKELETON=-L): a small BPF program that loads the program proper in the kernel,
 * where CO-RE is resolved against the BTF that the kernel has in memory anyway. Measured on
 * the task iterator, Linux 6.18: 20 ms of CPU and no memory, against 45 ms and 12 MiB for
 * libbpf, which reads and indexes 5 MB of BTF. The price: 5.17+ (kernels before do not
 * resolve CO-RE themselves), and the verifier's log is only had by building with
 * BPF_SKELETON= (empty). On kernels that cannot, sources fall back to /proc. */
#ifndef OSPREY_KERNEL_BPF_LOAD_H
#define OSPREY_KERNEL_BPF_LOAD_H

#include "base/note.h"
#include "kernel/host.h"

/* Whether loading is worth a try: the host is live and is this machine, BTF is there, bpf()
 * is permitted. 0 or -errno, with the reason in `note`. No program is loaded. ~3 us. */
int bpf_usable(struct host *h, struct note *note) __attribute__((warn_unused_result));

/* Words for a failed load of `what`; returns `negative_errno`. */
int bpf_load_failed(struct note *note, int negative_errno, const char *what);

/* The fds of a loaded skeleton, light or not. */
#ifdef OSPREY_BPF_LIGHT
#define BPF_LINK_FD(skeleton, program) ((skeleton)->links.program##_fd)
#define BPF_MAP_FD(skeleton, map) ((skeleton)->maps.map.map_fd)
#else
#define BPF_LINK_FD(skeleton, program) bpf_link__fd((skeleton)->links.program)
#define BPF_MAP_FD(skeleton, map) bpf_map__fd((skeleton)->maps.map)
#endif

#endif
