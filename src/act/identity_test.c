#include "act/identity.h"

#include <errno.h>

#include "base/check.h"

#define PASSWD                                                        \
	"root:x:0:0:root:/root:/bin/bash\n"                           \
	"# a comment\n"                                               \
	"broken:x:many:0::/:/bin/sh\n"                                \
	"postgres:x:105:113:PostgreSQL,,,:/var/lib/pg:/bin/bash\n"    \
	"1000:x:2000:2000::/home/number:/bin/sh\n"                    \
	"erin:x:1000:1000::/home/erin:/bin/sh"
#define GROUP                                 \
	"root:x:0:\n"                         \
	"adm:x:4:syslog,erin\n"               \
	"ssl-cert:x:112:postgres\n"           \
	"postgres:x:113:\n"                   \
	"erin:x:1000:erin\n"                  \
	"docker:x:999:erin,postgres\n"

static int find(const char *text, struct identity *ret, struct note *note)
{
	return identity_parse(span_from(text), 1000, SPAN(PASSWD), SPAN(GROUP), ret, note);
}

int main(void)
{
	struct identity id = { 0 };
	struct note note = { "" };

	CHECK(find("postgres", &id, NULL) == 0);
	CHECK(id.uid == 105 && id.gid == 113);
	CHECK(id.ngroups == 3 && id.groups[0] == 113 && id.groups[1] == 112 && id.groups[2] == 999);
	CHECK_STR(id.home, "/var/lib/pg");
	CHECK_STR(id.name, "postgres");
	CHECK(find("erin:docker", &id, NULL) == 0);
	/* Its own group of passwd is no member's list, but that of group is. */
	CHECK(id.uid == 1000 && id.gid == 999 && id.ngroups == 3 && id.groups[1] == 4 && id.groups[2] == 1000);
	CHECK(find(":adm", &id, NULL) == 0 && id.uid == 1000 && id.gid == 4);
	CHECK(find("105", &id, NULL) == 0 && id.uid == 105 && id.gid == 113);
	/* A name of digits comes before the number. */
	CHECK(find("1000", &id, NULL) == 0 && id.uid == 2000);
	CHECK(find("4242:17", &id, NULL) == 0 && id.uid == 4242 && id.gid == 17 && id.ngroups == 1);
	CHECK_STR(id.name, "");
	CHECK(find("4242", &id, &note) == -ENOENT && strstr(note.text, "UID:GID"));
	CHECK(find("nobody", &id, &note) == -ENOENT && strstr(note.text, "'nobody'"));
	CHECK(find("broken", &id, NULL) == -ENOENT);
	CHECK(find("erin:nogroup", &id, NULL) == -ENOENT);
	CHECK(find("erin:", &id, NULL) == -EINVAL);
	CHECK(find("", &id, NULL) == -EINVAL);
	CHECK(find("4294967295:0", &id, NULL) == -ENOENT);
	CHECK(id.uid == 4242); /* untouched */
	CHECK(identity_parse(SPAN("a"), 0, SPAN(""), SPAN(""), &id, NULL) == -ENOENT);
	return check_exit();
}
