/* What priority, pin and limit share: one or more attributes of the chosen processes changed, told,
 * and found in the journal again. */
#ifndef OSPREY_CMD_ATTRIBUTE_H
#define OSPREY_CMD_ATTRIBUTE_H

#include "act/process_change.h"
#include "cmd/processes.h"

struct attribute_wish {
	const struct process_attribute *attribute;
	char text[4096]; /* as the attribute has it */
};

/* The answer as it grows: lines for people, or objects of "changes". */
struct telling {
	const char *command;
	bool json, dry_run;
	struct buf text;
	struct page page;
	struct json j;
	int code;
	bool slow_told;
};
void telling_begin(struct telling *t, const char *command, const struct arguments *args);
/* One change, made or not. `error` below 0: it was not, for the reason; -EALREADY: it was so. */
struct told {
	const char *subject; /* "nice of 1234 (nginx)" */
	const struct process *process; /* nullable */
	const char *path;	       /* nullable */
	const char *attribute, *before, *after;
	const char *more;	       /* appended in text: "; 12 threads"; nullable */
	uint64_t id;
	int error;
	const char *why;
};
void telling_add(struct telling *t, const struct told *told);
/* Prints, frees; the exit code. */
int telling_end(struct telling *t);

/* Changes every attribute of every process. */
void attributes_change(struct telling *t, struct host *h, struct change_journal *j, const process_vec *v,
		       const struct attribute_wish *wish, size_t nwish);

/* For struct change_command. */
const struct change_access *attribute_access(const struct change *c);
void attribute_subject(const struct change *c, char *ret, size_t size);
/* Opens it for changes, and says what is wrong. NULL then; also NULL, and nothing said, on a dry run. */
struct change_journal *attribute_journal(struct telling *t);

#endif
