/* upgrade_tell.h -- what a process tells the one that takes over from it (handing.h) */
#ifndef ALB_UPGRADE_TELL_H
#define ALB_UPGRADE_TELL_H

struct balancer;
struct handover;

/* HELLO, SOCKETS and STATE. */
void upgrade_tell(struct balancer *b, struct handover *link);

/* From a loop: it accepts no more (worker_accept(), greeter_accept()). */
void upgrade_report_quiet(struct balancer *b);

#endif
