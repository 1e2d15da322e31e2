#include "source/cgroup/cgroup_name.h"

#include <stdio.h>
#include <string.h>

#include "base/span.h"

#define ID_DIGITS 64
#define ID_SHOWN 12

static bool is_id(struct span s)
{
	if (s.n != ID_DIGITS)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

/* Prefixes of scopes, and what runs them; docker's own driver needs a directory of its name. */
static const struct {
	const char *prefix, *runtime;
} runtimes[] = {
	{ "docker-", "docker" },     { "libpod-", "podman" },	      { "cri-containerd-", "containerd" },
	{ "crio-", "cri-o" },	     { "nerdctl-", "nerdctl" },       { "", "" },
};

/* Last component without ".scope", and the one before it. */
static struct span last_component(struct span *path)
{
	struct span last;

	while (path->n && path->p[path->n - 1] == '/')
		path->n--;
	return span_until_last(path, '/', &last) ? last : (struct span){ "", 0 };
}

static struct span without_suffix(struct span s, const char *suffix)
{
	size_t n = strlen(suffix);

	if (s.n > n && memcmp(s.p + s.n - n, suffix, n) == 0)
		s.n -= n;
	return s;
}

static bool container(struct span path, struct span *ret_id, const char **ret_runtime)
{
	struct span rest = path, last = without_suffix(last_component(&rest), ".scope"), parent;

	for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
		size_t n = strlen(runtimes[i].prefix);

		if (!span_starts(last, runtimes[i].prefix) || !is_id((struct span){ last.p + n, last.n - n }))
			continue;
		*ret_id = (struct span){ last.p + n, last.n - n };
		parent = last_component(&rest);
		*ret_runtime = memmem(path.p, path.n, "kubepods", 8)   ? "kubernetes" :
			       runtimes[i].runtime[0]		       ? runtimes[i].runtime :
			       span_is(parent, "docker")	       ? "docker" :
									 "container";
		return true;
	}
	return false;
}

/* "lxc.payload.web" */
static bool lxc(struct span path, struct span *ret_name)
{
	static const char prefix[] = "lxc.payload.";
	const char *at = memmem(path.p, path.n, prefix, sizeof prefix - 1);

	if (!at)
		return false;
	struct span name = { at + sizeof prefix - 1, path.n - (size_t)(at + sizeof prefix - 1 - path.p) };
	const char *end = memchr(name.p, '/', name.n);
	if (end)
		name.n = (size_t)(end - name.p);
	*ret_name = name;
	return name.n > 0;
}

/* The component nearest to the end that systemd names as a unit: what is below it is its own affair. */
static bool unit(struct span path, struct span *ret)
{
	for (struct span rest = path, c; (c = last_component(&rest)).n;) {
		if (without_suffix(c, ".service").n != c.n || without_suffix(c, ".scope").n != c.n) {
			*ret = c;
			return true;
		}
	}
	return false;
}

/* A long number in hexadecimals is an id of which the first digits will do. */
static struct span shortened(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= '0' && name.p[i] <= '9') || (name.p[i] >= 'a' && name.p[i] <= 'f')))
			return name;
	return name.n < 32 ? name : (struct span){ name.p, ID_SHOWN };
}

void cgroup_name(const char *path, char *ret, size_t size)
{
	struct span whole = span_from(path), id, name, rest = whole;
	const char *runtime;

	if (container(whole, &id, &runtime))
		snprintf(ret, size, "%s %.*s", runtime, ID_SHOWN, id.p);
	else if (lxc(whole, &name))
		snprintf(ret, size, "lxc %.*s", (int)name.n, name.p);
	else if (unit(whole, &name))
		span_copy(name, ret, size);
	else
		span_copy(shortened(last_component(&rest)), ret, size);
}

bool cgroup_is_container(const char *path)
{
	struct span id;
	const char *runtime;

	return container(span_from(path), &id, &runtime) || lxc(span_from(path), &id);
}

/* "4:memory:/a/b", "0::/a", "1:name=systemd:/a" */
void cgroup_of_process(const char *text, size_t n, char *ret, size_t size)
{
	struct span lines = { text, n }, line, number, names, best = { "", 0 };
	int best_rank = -1;

	while (span_line(&lines, &line)) {
		if (!span_until(&line, ':', &number) || !span_until(&line, ':', &names))
			continue;
		int rank = line.n <= 1 ? 0 : names.n == 0 ? 3 : span_is(names, "name=systemd") ? 2 : 1;
		if (rank > best_rank || (rank == best_rank && line.n > best.n)) {
			best_rank = rank;
			best = line;
		}
	}
	span_copy(best, ret, size);
}
