/* fetch.h -- one request over a connection of its own, and its answer, within a time. */
#ifndef CONFIGURE_FETCH_H
#define CONFIGURE_FETCH_H

#include <stddef.h>

#include "image/configure/answer.h"
#include "net/addr.h"

/* Never ANSWER_MORE. ANSWER_BAD, with a sentence in `why`, is also what no connection, an error or
 * silence comes to. `answer` is initialised by the caller. */
enum answer_step fetch(const struct addr *from, struct span request, unsigned timeout_ms,
                       struct answer *answer, char *why, size_t why_size);

#endif
