#include "dig/child/waiting_child.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

static int refuse(void *arg)
{
	return *(int *)arg;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	static const char *const seven[] = { "sh", "-c", "exit 7",
					     NULL }, *const nothing[] = { "no-such-program", NULL },
				 *const nowhere[] = { "/no/such", NULL }, *const directory[] = { "/", NULL };
	struct waiting_child_request q = { .argv = seven };
	struct waiting_child c = { 0 };
	struct note note = { "" };
	int status, error = -ENOTTY;

	waiting_child_drop(&c); /* one that was never started */

	CHECK(waiting_child_start(&q, &c, &note) == 0);
	CHECK(!waiting_child_ended(&c, &status));
	CHECK(waiting_child_go(&c, &note) == 0);
	status = status_of(c.pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	waiting_child_drop(&c);

	/* Not let go: it never execs, and leaves no zombie. */
	CHECK(waiting_child_start(&q, &c, &note) == 0);
	waiting_child_drop(&c);
	CHECK(waitpid(c.pid, &status, WNOHANG) < 0 && errno == ECHILD);
	waiting_child_drop(&c);

	q.argv = nothing;
	CHECK(waiting_child_start(&q, &c, &note) == -ENOENT);
	CHECK_STR(note.text, "cannot run 'no-such-program': No such file or directory");
	q.argv = nowhere;
	CHECK(waiting_child_start(&q, &c, &note) == -ENOENT);
	q.argv = directory;
	CHECK(waiting_child_start(&q, &c, &note) == 0);
	CHECK(waiting_child_go(&c, &note) == -EACCES);
	CHECK(waitpid(c.pid, &status, WNOHANG) < 0 && errno == ECHILD);

	/* What runs last may forbid it. */
	q = (struct waiting_child_request){ .argv = seven, .last = refuse, .arg = &error };
	CHECK(waiting_child_start(&q, &c, &note) == 0);
	CHECK(waiting_child_go(&c, &note) == -ENOTTY);
	return check_exit();
}
