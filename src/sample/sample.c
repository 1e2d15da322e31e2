#include "sample/sample.h"

#include <string.h>

void sample_deinit(struct sample *s)
{
	vec_free(&s->cpus);
	vec_free(&s->interrupts);
	vec_free(&s->softirqs);
	vec_free(&s->softnet);
	vec_free(&s->disks);
	vec_free(&s->filesystems);
	vec_free(&s->cgroups);
	for (size_t i = 0; i < SAMPLE_MAX_NET_NS; i++) {
		vec_free(&s->net_ns[i].interfaces);
		vec_free(&s->net_ns[i].sockets);
	}
}

/* Cgroups and sockets are many, and sought one after another in the order of a later sample, which
 * is nearly that of this one: each search begins behind the last find. */
static size_t around(size_t from, size_t i, size_t n)
{
	return from < n - i ? from + i : from + i - n;
}

/* Inode numbers are unique within one hierarchy only. */
const struct cgroup *sample_cgroup(const struct sample *s, const struct cgroup *like)
{
	static _Thread_local size_t next;
	size_t n = s->cgroups.n, from = next < n ? next : 0;

	for (size_t i = 0; i < n; i++) {
		const struct cgroup *c = &s->cgroups.v[around(from, i, n)];

		if (c->id != like->id || strcmp(c->mount, like->mount) != 0)
			continue;
		next = around(from, i, n) + 1;
		return c;
	}
	return NULL;
}

const struct disk *sample_disk(const struct sample *s, uint32_t major, uint32_t minor)
{
	vec_each(d, &s->disks)
		if (d->major == major && d->minor == minor)
			return d;
	return NULL;
}

const struct net_ns *sample_net_ns(const struct sample *s, uint64_t inode)
{
	for (size_t i = 0; i < s->nnet_ns; i++)
		if (s->net_ns[i].inode == inode)
			return &s->net_ns[i];
	return NULL;
}

const struct interface *net_ns_interface(const struct net_ns *ns, const char *name)
{
	vec_each(i, &ns->interfaces)
		if (strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

const struct socket *net_ns_socket(const struct net_ns *ns, uint64_t cookie)
{
	static _Thread_local size_t next;
	size_t n = ns->sockets.n, from = next < n ? next : 0;

	for (size_t i = 0; i < n; i++) {
		const struct socket *s = &ns->sockets.v[around(from, i, n)];

		if (s->cookie != cookie)
			continue;
		next = around(from, i, n) + 1;
		return s;
	}
	return NULL;
}

const struct filesystem *sample_filesystem(const struct sample *s, uint32_t major, uint32_t minor)
{
	vec_each(f, &s->filesystems)
		if (f->major == major && f->minor == minor)
			return f;
	return NULL;
}
