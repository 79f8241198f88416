/*
 * vet.h -- what a text must be before it is read as a configuration.
 *
 * What is meant for something else (a script, cloud-init, a packed file) gets one sentence that
 * says what is expected here, and not an error for each of its lines. A PEM block is refused
 * wherever it stands: user data can be read by everybody who may see the machine's description,
 * so keys and certificates come from elsewhere.
 */
#ifndef CONFIGURE_VET_H
#define CONFIGURE_VET_H

#include <stdbool.h>

#include "base/problems.h"
#include "base/span.h"

/* Of a whole text, wherever it comes from. EC2 gives at most 16 KB. */
enum { VET_MAX_BYTES = 65536 };

/* False with one problem. No sentence repeats anything of the text. */
bool vet_text(struct span text, struct problems *problems);

#endif
