#include "view/user_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"

struct user {
	uint32_t uid;
	char name[36]; /* useradd allows 32 */
};

struct user_names {
	VEC(struct user *) users; /* each stays where it is; those without a name are added as they are met */
	struct map by_uid;	  /* uid + 1 -> place; the first of several names */
};

static int add(struct user_names *u, uint32_t uid, struct span name)
{
	struct user *user = malloc(sizeof *user), **place = user ? vec_push(&u->users) : NULL;

	if (!place) {
		free(user);
		return -ENOMEM;
	}
	*place = user;
	user->uid = uid;
	span_copy(name, user->name, sizeof user->name);
	if (map_get(&u->by_uid, (uint64_t)uid + 1) != MAP_NONE)
		return 0;
	return map_set(&u->by_uid, (uint64_t)uid + 1, (uint32_t)(u->users.n - 1));
}

/* "name:password:uid:gid:comment:home:shell" */
static int parse(struct user_names *u, struct span text)
{
	struct span line, name, skipped, number;
	uint64_t uid;
	int r = 0;

	while (r == 0 && span_line(&text, &line))
		if (span_until(&line, ':', &name) && name.n && span_until(&line, ':', &skipped) &&
		    span_until(&line, ':', &number) && span_u64(number, &uid) && uid < UINT32_MAX)
			r = add(u, (uint32_t)uid, name);
	return r;
}

int user_names_new(struct host *h, struct user_names **ret)
{
	struct user_names *u = calloc(1, sizeof *u);
	struct buf text = { 0 };
	int r = -ENOMEM;

	if (u)
		r = host_read(h, "/etc/passwd", &text) == 0 ? parse(u, buf_span(&text)) : 0;
	buf_deinit(&text);
	if (r < 0) {
		user_names_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

void user_names_free(struct user_names *u)
{
	if (!u)
		return;
	vec_each(user, &u->users)
		free(*user);
	vec_free(&u->users);
	map_deinit(&u->by_uid);
	free(u);
}

const char *user_names_find(struct user_names *u, uint32_t uid)
{
	uint32_t at = map_get(&u->by_uid, (uint64_t)uid + 1);
	char number[16];

	if (at != MAP_NONE)
		return u->users.v[at]->name;
	snprintf(number, sizeof number, "%u", uid);
	return add(u, uid, span_from(number)) < 0 ? "?" : u->users.v[u->users.n - 1]->name;
}

bool user_names_uid(struct user_names *u, struct span name, uint32_t *ret)
{
	vec_each(user, &u->users)
		if (span_is(name, (*user)->name)) {
			*ret = (*user)->uid;
			return true;
		}
	return false;
}
