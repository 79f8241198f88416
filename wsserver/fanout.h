/* fanout.h -- what the hub tells a loop, handed to the connections it is for. */
#ifndef WSSERVER_FANOUT_H
#define WSSERVER_FANOUT_H

struct hub_event;
struct worker;

/* Takes the event. */
void fanout(struct worker *w, struct hub_event *event);

#endif
