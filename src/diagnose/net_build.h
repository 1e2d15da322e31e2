/* Network namespaces in a window made by hand, for tests of rules (see window_build.h). */
#ifndef OSPREY_DIAGNOSE_NET_BUILD_H
#define OSPREY_DIAGNOSE_NET_BUILD_H

#include <stdio.h>
#include <stdlib.h>

#include "diagnose/window_build.h"

/* A namespace in both samples, all counters 0 at both ends; pid 0: our own. Returns the one in
 * b->last; the first has the same position in b->first.net_ns. */
static inline struct net_ns *net_build(struct window_build *b, uint64_t inode, int32_t pid)
{
	struct sample *both[] = { &b->first, &b->last };

	for (int i = 0; i < 2; i++) {
		struct net_ns *ns = &both[i]->net_ns[both[i]->nnet_ns++];

		ns->inode = inode;
		ns->pid = pid;
		ns->counters.presence = ns->interfaces_presence = ns->sockets_presence = PRESENT;
		fields_missing(net_counter_fields, net_counter_nfields, 0, &ns->counters);
	}
	return &b->last.net_ns[b->last.nnet_ns - 1];
}

static inline struct socket *net_build_socket(struct net_ns *ns, enum socket_kind kind, uint64_t cookie,
					      const char *local, const char *remote)
{
	struct socket *s = vec_push(&ns->sockets);

	if (!s)
		abort();
	*s = (struct socket){ .kind = kind, .cookie = cookie, .net_ns = ns->inode, .inode = (uint32_t)cookie };
	snprintf(s->local, sizeof s->local, "%s", local);
	snprintf(s->remote, sizeof s->remote, "%s", remote);
	return s;
}

static inline void net_build_owner(struct socket *s, int32_t pid, const char *comm)
{
	s->owner_pid = pid;
	snprintf(s->owner_comm, sizeof s->owner_comm, "%s", comm);
}

#endif
