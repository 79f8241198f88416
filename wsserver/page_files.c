/*
 * page_files.c -- see page_files.h.
 *
 * The assembler takes the files in, found from the root of the tree, where
 * make runs.
 */
#include "wsserver/page_files.h"

#define FILE_SYMBOLS(name, path)                                                                   \
    __asm__(".pushsection .rodata\n"                                                               \
            ".global page_" #name "_begin\n.global page_" #name "_end\n"                           \
            "page_" #name "_begin: .incbin \"" path "\"\n"                                         \
            "page_" #name "_end: .byte 0\n"                                                        \
            ".popsection\n");                                                                      \
    extern const char page_##name##_begin[], page_##name##_end[]

FILE_SYMBOLS(index, "wsserver/page/index.html");
FILE_SYMBOLS(app, "wsserver/page/app.js");
FILE_SYMBOLS(client, "wsserver/page/postern.js");
FILE_SYMBOLS(style, "wsserver/page/style.css");

#define HTML SPAN_INIT("text/html; charset=utf-8")
#define SCRIPT SPAN_INIT("text/javascript; charset=utf-8")
#define STYLE SPAN_INIT("text/css; charset=utf-8")

const struct page_file page_files[] = {
    { SPAN_INIT("/"), HTML, page_index_begin, page_index_end },
    { SPAN_INIT("/index.html"), HTML, page_index_begin, page_index_end },
    { SPAN_INIT("/app.js"), SCRIPT, page_app_begin, page_app_end },
    { SPAN_INIT("/postern.js"), SCRIPT, page_client_begin, page_client_end },
    { SPAN_INIT("/style.css"), STYLE, page_style_begin, page_style_end },
    { .begin = NULL },
};
