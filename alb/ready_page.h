/* ready_page.h -- the pages of [health]: what is answered to whom. */
#ifndef ALB_READY_PAGE_H
#define ALB_READY_PAGE_H

#include "http/parse.h"
#include "http/reply.h"

struct balancer;

/* /health is 200 as long as there is somebody to say so; /ready is 503 with the reason in one line
 * when no new work should be sent here; anything else 404. Control thread. */
void ready_page(const struct balancer *b, const struct http_message *m, struct http_reply *reply);

#endif
