/* Who a program runs as: --user NAME[:GROUP].
 *
 * Reads /etc/passwd and /etc/group, nothing else: a static binary has no NSS, so accounts that
 * live in LDAP alone are reached by number. Formats: passwd(5), group(5). */
#ifndef OSPREY_ACT_IDENTITY_H
#define OSPREY_ACT_IDENTITY_H

#include <sys/types.h>

#include "base/note.h"
#include "base/span.h"

#define IDENTITY_MAX_GROUPS 256

struct identity {
	uid_t uid;
	gid_t gid;
	/* Supplementary: `gid` and the groups that list the name. */
	gid_t groups[IDENTITY_MAX_GROUPS];
	size_t ngroups;
	char name[64]; /* "" of a number that passwd does not know */
	char home[256], shell[256];
};

/* `text`: "postgres", "postgres:adm", "1000", "1000:1000", ":adm". Pure. -ENOENT: there is no such
 * user or group; -EINVAL; -E2BIG: it is in more groups than fit. A user given by number
 * needs no entry when a group is given too. */
int identity_parse(struct span text, uid_t caller, struct span passwd, struct span group, struct identity *ret,
		   struct note *note) __attribute__((warn_unused_result));
/* With the files of this host. */
int identity_find(const char *text, struct identity *ret, struct note *note) __attribute__((warn_unused_result));

#endif
