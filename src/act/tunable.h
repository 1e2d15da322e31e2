/* Tunables: the knobs of the kernel that `osprey tune` knows, one entry each in tunable.def, and
 * their values as a host has them.
 *
 * Reading: all through host_fetch. Files of another network namespace have the key
 * "netns:PID:/proc/sys/net/…": the thread enters the namespace for one read, which needs
 * CAP_SYS_ADMIN. Cost: one small file each, ~10 us. Privilege: none for values of our own
 * namespace. */
#ifndef OSPREY_ACT_TUNABLE_H
#define OSPREY_ACT_TUNABLE_H

#include "base/reading.h"
#include "kernel/host.h"

enum tune_role {
	ROLE_GENERAL = 0,
	ROLE_WEB = 1,
	ROLE_DATABASE = 2,
	ROLE_CONTAINER = 4,
	ROLE_FILE = 8,
	ROLE_ROUTER = 16,
	ROLE_DESKTOP = 32,
	ROLE_COMPUTE = 64,
};
#define ROLE_ANY 127

enum tunable_shape { SHAPE_NUMBER, SHAPE_PAIR, SHAPE_TRIPLE, SHAPE_CHOICE, SHAPE_WORD };
enum tunable_scope { SCOPE_HOST, SCOPE_NET, SCOPE_DISK };

enum tunable_id {
#define TUNABLE(id, ...) TUNABLE_##id,
#include "act/tunable.def"
#undef TUNABLE
	TUNABLE_COUNT,
};

struct tune_case;
struct tune_advice;

struct tunable {
	const char *name, *path;
	enum tunable_shape shape;
	enum tunable_scope scope;
	const char *unit; /* "" when it has none */
	unsigned roles;	  /* bits of enum tune_role */
	const char *what, *normal, *risk, *since, *doc;
	/* Pure: from what was seen to one advice (act/tune.h). */
	void (*advise)(const struct tune_case *c, struct tune_advice *ret);
};

extern const struct tunable tunables[TUNABLE_COUNT];

/* By name; also "vm/swappiness", "/proc/sys/vm/swappiness". NULL: none. */
const struct tunable *tunable_find(const char *name);
static inline enum tunable_id tunable_id(const struct tunable *t)
{
	return (enum tunable_id)(t - tunables);
}

/* What a host says. */
struct tune_value {
	int error;	   /* -errno; 0 */
	char text[192];	   /* as the kernel wrote it, without the newline */
	char word[32];	   /* of CHOICE: the one in brackets; of others the first word */
	uint64_t number[3]; /* as many as the shape has; `negative` ones are 0 */
	bool negative;	   /* the first number is below zero */
};

/* 0; -EBADMSG: not of that shape. Pure. */
int tune_value_parse(struct span text, enum tunable_shape shape, struct tune_value *ret)
	__attribute__((warn_unused_result));
/* Whether a CHOICE offers that word. */
bool tune_value_offers(const struct tune_value *v, const char *word);
/* `disk`: the name of the disk, of SCOPE_DISK; `pid`: a process in the network namespace that is
 * meant, of SCOPE_NET; 0: our own. The error is in the value. */
void tune_value_read(struct host *h, const struct tunable *t, const char *disk, int pid, struct buf *scratch,
		     struct tune_value *ret);
/* The file as it is on this host, with the disk's name. */
void tunable_path(const struct tunable *t, const char *disk, char *ret, size_t size);

/* "web", "database"…; NULL behind the last. */
const char *tune_role_name(enum tune_role role);
const char *tune_role_title(enum tune_role role); /* "a web server or proxy" */

/* Runs `work` in the network namespace of `pid`, in this thread; 0: at once. What `work` returned, or
 * -errno of entering. The thread is back in its own namespace afterwards. */
int net_ns_within(int pid, int (*work)(void *arg), void *arg) __attribute__((warn_unused_result));

#endif
