/* page_files.h -- the files of wsserver/page/, inside the program. */
#ifndef WSSERVER_PAGE_FILES_H
#define WSSERVER_PAGE_FILES_H

#include "base/span.h"

struct page_file {
    struct span path; /* of the URL */
    struct span content_type;
    const char *begin, *end;
};

/* Ends with a row without a path. */
extern const struct page_file page_files[];

#endif
