/*
 * ready_visit.h -- one question at [health]: a connection with a head of the PROXY protocol, if it
 * likes, and one short request; answered (ready_page.h), then closed. All of that within 5 s.
 *
 * Control thread.
 */
#ifndef ALB_READY_VISIT_H
#define ALB_READY_VISIT_H

#include "base/list.h"
#include "http/message.h"

struct balancer;

struct ready_visits {
    struct balancer *balancer;
    void (*on_end)(void *door); /* of one that has been begun; not from within the begin */
    struct list all;
    struct http_message request; /* scratch of one parse */
};

void ready_visits_init(struct ready_visits *visits, struct balancer *b, void (*on_end)(void *door));

/* Takes the descriptor. */
void ready_visit_begin(struct ready_visits *visits, int fd, void *door);

/* End the one of this door that has been there for longest; if it has asked it is answered. */
void ready_visit_end_oldest(struct ready_visits *visits, const void *door);

/* End them all. */
void ready_visits_end(struct ready_visits *visits);

#endif
