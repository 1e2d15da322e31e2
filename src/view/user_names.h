/* Names of users and groups from /etc/passwd and /etc/group alone: a static binary has no name service,
 * and one that waits for a directory server would hang with it. What is not there is its number. */
#ifndef OSPREY_VIEW_USER_NAMES_H
#define OSPREY_VIEW_USER_NAMES_H

#include "kernel/host.h"

struct user_names;

/* A file that cannot be read is an empty one. 0 or -ENOMEM. */
int user_names_new(struct host *h, struct user_names **ret) __attribute__((warn_unused_result));
void user_names_free(struct user_names *u);
/* Lives as long as `u`. */
const char *user_names_find(struct user_names *u, uint32_t uid);
/* The number of a name. False: there is none. */
bool user_names_uid(struct user_names *u, struct span name, uint32_t *ret);

#endif
