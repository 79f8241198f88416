/* door_kind.h -- listeners beside those for clients: doors.h. */
#ifndef ALB_DOOR_KIND_H
#define ALB_DOOR_KIND_H

/* Each kind with a section and an address set of its own. */
enum door_kind { DOOR_HEALTH, DOOR_MANAGEMENT, DOOR_KINDS };

enum { DOOR_BINDS_MAX = 8 };

/* Their sections: "health", "management"; and where a listener's name stands elsewhere, which none
 * can have:
 * "[health]". */
extern const char *const door_names[DOOR_KINDS], *const door_labels[DOOR_KINDS];

#endif
