/* Words of journals: any bytes as one word of plain ASCII, those that are no plain characters,
 * and '%', as %XX. */
#ifndef OSPREY_BASE_WORD_H
#define OSPREY_BASE_WORD_H

#include "base/buf.h"

/* `also`: further characters to be escaped; nullable. */
int word_append(struct buf *b, struct span bytes, const char *also) __attribute__((warn_unused_result));
/* Appends what `word` stands for. -EBADMSG: a '%' without two hex digits, or a NUL; *ret may
 * hold a part. */
int word_decode(struct span word, struct buf *ret) __attribute__((warn_unused_result));

#endif
