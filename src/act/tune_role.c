/* What a host is for, told by the programs that run on it. */
#include <stdio.h>
#include <string.h>

#include "act/tune_watch.h"

static const struct {
	enum tune_role role;
	const char *comm; /* a * at its end stands for anything */
} programs[] = {
	{ ROLE_DESKTOP, "Xorg" },	  { ROLE_DESKTOP, "Xwayland" },	   { ROLE_DESKTOP, "gnome-shell" },
	{ ROLE_DESKTOP, "kwin_*" },	  { ROLE_DESKTOP, "plasmashell" }, { ROLE_DESKTOP, "sway" },
	{ ROLE_DESKTOP, "xfwm4" },	  { ROLE_DESKTOP, "cinnamon" },	   { ROLE_DESKTOP, "Hyprland" },
	{ ROLE_CONTAINER, "kubelet" },	  { ROLE_CONTAINER, "containerd-shim*" },
	{ ROLE_CONTAINER, "conmon" },	  { ROLE_CONTAINER, "crio" },	   { ROLE_CONTAINER, "incusd" },
	{ ROLE_CONTAINER, "lxd" },	  { ROLE_CONTAINER, "lxc-start" },
	{ ROLE_DATABASE, "mysqld" },	  { ROLE_DATABASE, "mariadbd" },   { ROLE_DATABASE, "postgres" },
	{ ROLE_DATABASE, "mongod" },	  { ROLE_DATABASE, "redis-server" }, { ROLE_DATABASE, "valkey-server" },
	{ ROLE_DATABASE, "memcached" },	  { ROLE_DATABASE, "clickhouse-serv" }, { ROLE_DATABASE, "etcd" },
	{ ROLE_DATABASE, "influxd" },	  { ROLE_DATABASE, "cockroach" },  { ROLE_DATABASE, "ora_pmon*" },
	{ ROLE_DATABASE, "sqlservr" },	  { ROLE_DATABASE, "db2sysc" },
	{ ROLE_WEB, "nginx" },		  { ROLE_WEB, "apache2" },	   { ROLE_WEB, "httpd" },
	{ ROLE_WEB, "haproxy" },	  { ROLE_WEB, "envoy" },	   { ROLE_WEB, "caddy" },
	{ ROLE_WEB, "traefik" },	  { ROLE_WEB, "lighttpd" },	   { ROLE_WEB, "varnishd" },
	{ ROLE_WEB, "squid" },
	{ ROLE_FILE, "nfsd" },		  { ROLE_FILE, "smbd" },	   { ROLE_FILE, "glusterfsd" },
	{ ROLE_FILE, "ceph-osd" },	  { ROLE_FILE, "minio" },	   { ROLE_FILE, "ganesha.nfsd" },
	{ ROLE_ROUTER, "bird" },	  { ROLE_ROUTER, "bird6" },	   { ROLE_ROUTER, "zebra" },
	{ ROLE_ROUTER, "bgpd" },	  { ROLE_ROUTER, "keepalived" },   { ROLE_ROUTER, "pppd" },
	/* No compilers: they come and go on any machine. */
	{ ROLE_COMPUTE, "slurmstepd" },	  { ROLE_COMPUTE, "slurmd" },	   { ROLE_COMPUTE, "pbs_mom" },
	{ ROLE_COMPUTE, "condor_startd" }, { ROLE_COMPUTE, "buildkitd" },
};

struct candidate {
	uint32_t processes;
	double weight; /* memory and CPU time of its processes, in bytes */
	int32_t pid;
	char comm[16];
};

#define ROLE_BITS 7

static bool is_called(const char *comm, const char *pattern)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '*' ? strncmp(comm, pattern, n - 1) == 0 : strcmp(comm, pattern) == 0;
}

static void count(const struct process_span *p, double seconds, struct candidate *by_role)
{
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		if (!is_called(p->comm, programs[i].comm))
			continue;
		struct candidate *c = &by_role[__builtin_ctz(programs[i].role)];
		/* One CPU for the window weighs as much as 1 GiB. */
		c->weight += (double)reading_or(p->rss_bytes, 0) + (double)reading_or(p->cpu_ns, 0) / seconds * 1.074;
		if (c->processes++ == 0) {
			c->pid = p->pid;
			snprintf(c->comm, sizeof c->comm, "%s", p->comm);
		}
		return;
	}
}

/* A display server or containers say what the machine is for whatever else runs; among servers the
 * one that takes most. */
static int first_of(const struct candidate *by_role)
{
	static const enum tune_role decisive[] = { ROLE_DESKTOP, ROLE_CONTAINER };
	int best = -1;

	for (size_t i = 0; i < 2; i++)
		if (by_role[__builtin_ctz(decisive[i])].processes)
			return __builtin_ctz(decisive[i]);
	for (int i = 0; i < ROLE_BITS; i++)
		if (by_role[i].processes && (best < 0 || by_role[i].weight > by_role[best].weight))
			best = i;
	return best;
}

static int tell(const struct candidate *c, char *ret, size_t size)
{
	if (c->processes > 1)
		return snprintf(ret, size, "%s runs (pid %d and %u more)", c->comm, c->pid, c->processes - 1);
	return snprintf(ret, size, "%s runs (pid %d)", c->comm, c->pid);
}

void tune_guess_roles(const struct window *w, bool forwarding, struct tune_roles *ret)
{
	struct candidate by_role[ROLE_BITS] = { 0 };
	int n = 0;

	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < w->nprocesses; i++)
		if (!w->processes[i].gone)
			count(&w->processes[i], w->seconds, by_role);
	int first = first_of(by_role);
	if (first < 0 && forwarding) {
		*ret = (struct tune_roles){ .first = ROLE_ROUTER, .all = ROLE_ROUTER,
					    .why = "it forwards packets (net.ipv4.ip_forward is 1), and no server was recognised" };
		return;
	}
	if (first < 0) {
		*ret = (struct tune_roles){ .first = ROLE_GENERAL, .all = ROLE_ANY,
					    .why = "no program was recognised that would tell" };
		return;
	}
	ret->first = (enum tune_role)(1 << first);
	ret->all = ret->first;
	n = tell(&by_role[first], ret->why, sizeof ret->why);
	for (int i = 0; i < ROLE_BITS; i++) {
		if (i == first || by_role[i].processes == 0 || (size_t)n >= sizeof ret->why)
			continue;
		ret->all |= 1u << i;
		n += snprintf(ret->why + n, sizeof ret->why - (size_t)n, "; also %s: ", tune_role_title((enum tune_role)(1 << i)));
		if ((size_t)n < sizeof ret->why)
			n += tell(&by_role[i], ret->why + n, sizeof ret->why - (size_t)n);
	}
}
