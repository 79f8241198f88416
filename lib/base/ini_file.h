/*
 * ini_file.h -- read an INI file exactly, with inih for the syntax.
 *
 * inih as distributions build it cuts lines at 200 bytes and takes " ;" for a
 * comment even inside quotes. So each physical line is checked here first, the
 * value is kept here, and inih is handed `key = <line number>`: it does
 * sections and keys, and the value is fetched back by that number.
 *
 *   - A line has at most 8192 bytes and no control character but the tab. It
 *     ends in LF or CRLF; blanks around it mean nothing. A UTF-8 byte order
 *     mark at the start of the file is skipped.
 *   - `;` and `#` start a comment at the start of a line, or after a blank
 *     outside quotes. A quote opens at the start of a word and must be closed.
 *     Quotes stay part of the value: what they mean is the reader's business.
 *   - Keys (at most 80 characters), and the two words of a section, are made of
 *     letters, digits, '.', '_' and '-'. A [section] has at most 48 characters,
 *     its name at most 32. Only '=' ends a key.
 */
#ifndef BASE_INI_FILE_H
#define BASE_INI_FILE_H

#include <stdbool.h>

#include "base/problems.h"
#include "base/span.h"

/* One `key = value`. `kind` and `name` are the section's: "[rule chat]" gives
 * "rule" and "chat"; name is "" when there is none. A section header alone is
 * announced too, with an empty key. The spans live until the call returns. */
typedef void ini_handler(void *user, struct span kind, struct span name, struct span key,
                         struct span value, int line);

/* Reads all of it, reporting every syntax error to `problems`; the handler is
 * called for all lines that are well formed, but not for those of a section
 * whose header is not. At most 4 MiB. False when the file cannot be
 * read at all (that is reported as well). */
bool ini_read_file(const char *path, ini_handler *handler, void *user, struct problems *problems);

/* The same for text in memory. */
void ini_read_text(struct span text, ini_handler *handler, void *user, struct problems *problems);

/* Take the next blank-separated word of a value off `*rest`. A word in double
 * quotes may hold blanks and \" and \\; they are resolved into `word`, which
 * is NUL-terminated. False at the end. A quote that is never closed, a
 * closing quote with no blank behind, or a word that does not fit in `size`
 * with its NUL, sets *bad and is false too. */
bool ini_next_word(struct span *rest, char *word, size_t size, bool *bad);

#endif
