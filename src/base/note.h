/* A note: where and why a boundary function failed, for the message that the
 * user will read. Nullable everywhere. */
#ifndef OSPREY_BASE_NOTE_H
#define OSPREY_BASE_NOTE_H

struct note {
	char text[256];
};

/* Writes the note (when there is one) and returns `negative_errno`, so that a
 * failing path is one line: return note_set(note, -EINVAL, "%s: …", path); */
int note_set(struct note *note, int negative_errno, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
