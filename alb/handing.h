/*
 * handing.h -- what two processes say to each other while one takes over from the other.
 *
 *   old                                new
 *    | HELLO version                    |   it is started with the socket's number in HANDING_ENV
 *    | SOCKETS listeners, admin         |   with their descriptors
 *    | STATE targets, keys              |
 *    |                          READY   |   it polls every inherited socket; or FAILED why
 *    | (accepts no more)                |
 *    | MOVE connections                 |   with two descriptors for a tunnel, one for a client
 *    |                          TAKEN   |   all could be read; nothing of them is touched yet
 *    | GO                               |   from here on they are the new one's
 *    | MOVE ...                         |
 *    | PAST what has been               |   to one that takes it; until the old one ends
 *    | REPORT what is still here        |
 *    |                          ORDER   |   drain, stop: what holds there holds here
 *    |                            ASK   |   which tunnels it has
 *    | LISTED                           |
 *
 * The old one decides: a MOVE whose TAKEN does not come is the old one's to go on with, and
 * the new one closes its copies when the GO does not come. All that either knows of the other is
 * in these messages; anything else, or the end of the socket, is the end of the upgrade.
 * Bytes are records (base/record.h).
 */
#ifndef ALB_HANDING_H
#define ALB_HANDING_H

#define HANDING_ENV "POSTERN_HANDING"

enum { HANDING_VERSION = 1 };

enum handing_message {
    HANDING_HELLO = 1, /* HELLO_VERSION */
    HANDING_SOCKETS,
    HANDING_STATE,
    HANDING_READY,  /* HELLO_VERSION */
    HANDING_FAILED, /* a sentence */
    HANDING_MOVE,
    HANDING_TAKEN,
    HANDING_GO,
    HANDING_PAST,
    HANDING_ORDER,
    HANDING_REPORT,
    HANDING_ASK,
    HANDING_LISTED,
    HANDING_CALLED_OFF, /* to one whose READY may be on its way: it is not to serve */
};

/* Of HELLO and READY. What the other one does not say that it takes is not sent to it. */
enum {
    HELLO_VERSION = 1,
    HELLO_TAKES = 2,    /* a sum of enum TAKES_... */
    HELLO_PID = 4,      /* of READY: its process, when it is not the one that was started */
    HELLO_UNWANTED = 3, /* of READY: a listener (BOUND, PROTOCOL) that it has no use for */
};
enum { TAKES_PAST = 1, TAKES_ORDERS = 2, TAKES_REPORTS = 4, TAKES_ASKS = 8 };

/* Of SOCKETS: each takes the next descriptors of the message, as many as it says. */
enum {
    SOCKETS_LISTENER = 1,
    SOCKETS_ADMIN = 2,
    SOCKETS_CONTROL = 3,
    SOCKETS_DOORS = 4, /* and on: enum door_kind; last */
};
enum {
    LISTENER_NAME = 1,
    LISTENER_BIND = 2,
    LISTENER_PROTOCOL = 3,
    LISTENER_BOUND = 4, /* struct addr */
    LISTENER_SOCKETS = 5,
};

/* Of STATE. Keys are secrets: every copy of them is wiped. */
enum {
    STATE_TARGET = 1,
    STATE_KEYS = 2,
    STATE_SAID = 3,      /* as in the state file */
    STATE_TICKETS = 4,   /* tls_server_save_tickets(), one for each server */
    STATE_EDGE = 6,      /* as in the state file: who may connect for a while */
    STATE_STOP_PAGE = 5, /* which descriptor of the message: of the pace of a stop (pace.h) */
    STATE_FILTER = 8,    /* of listening sockets (net/edge_filter.h) */
};
enum {
    FILTER_KIND = 1,    /* enum filter_kind */
    FILTER_VERSION = 2, /* EDGE_FILTER_VERSION: another one can make nothing of it */
    FILTER_FIRST = 3,   /* which descriptor of the message is the first of its EDGE_FILTER_FDS */
};
enum {
    TARGET_GROUP = 1,
    TARGET_TEXT = 2,
    TARGET_STATE = 3, /* enum target_state */
    TARGET_RAMP_BEGAN_MS = 4,
    TARGET_ADDRESS = 5,    /* struct addr; of one whose deregistration delay runs */
    TARGET_DELAY_LEFT = 6, /* milliseconds */
    TARGET_DRAIN_LEFT = 7, /* milliseconds; of one that a command drains, while that goes on */
    TARGET_PAGE = 8, /* which descriptor of the message: of its drain's pace, if that is a rate */
};

/* Of MOVE: in the order of the descriptors. */
enum { MOVE_TUNNEL = 1 /* tunnel_record.h; two */, MOVE_CLIENT = 2 /* one */ };
enum {
    CLIENT_LISTENER_NAME = 1,
    CLIENT_LISTENER_BIND = 2,
    CLIENT_LISTENER_BOUND = 6, /* struct addr */
    CLIENT_ID = 3,
    CLIENT_ACCEPTED_US = 4,
    CLIENT_PEER = 5,      /* struct addr */
    CLIENT_ANNOUNCED = 7, /* struct announced */
};

/* Of PAST (past_record.h). */
enum {
    PAST_CLOSED = 1,        /* a tunnel that has ended since the last one that was told */
    PAST_CLOSED_BEFORE = 2, /* one that has ended before all that were told */
    PAST_FAILED = 3,        /* the same of upgrades that failed */
    PAST_FAILED_BEFORE = 4,
};

/* Of REPORT: each has all that there is, and takes the place of the one before. Processes: that
 * one, and those before it. Targets: what all of these have of it. */
enum { REPORT_PROCESS = 1, REPORT_TARGET = 2 };
enum {
    PROCESS_PID = 1,
    PROCESS_LEFT_US = 2, /* wall clock: when another one had taken over */
    PROCESS_CONNECTIONS = 3,
    PROCESS_TUNNELS = 4,
};
enum {
    ELSEWHERE_GROUP = 1,
    ELSEWHERE_TEXT = 2,
    ELSEWHERE_OUTSTANDING = 3,
    ELSEWHERE_TUNNELS = 4,
    ELSEWHERE_UNTOLD = 5,
    ELSEWHERE_CONNECTIONS = 6,
};

/* Of ORDER. */
enum {
    ORDER_STOP = 1,    /* drain all, within so many milliseconds */
    ORDER_CUT = 2,     /* end */
    ORDER_DRAIN = 3,   /* these targets; with a descriptor, of the pace, if that is a rate */
    ORDER_UNDRAIN = 4, /* this target */
};
enum {
    DRAIN_CAUSE_SAID = 1, /* enum drain_cause */
    DRAIN_DELAY_MS = 2,
    DRAIN_RATE = 3,       /* a second; 0: auto */
    DRAIN_ORDER_SAID = 4, /* enum drain_order */
    DRAIN_IS_CUT = 5,     /* nobody is told */
    DRAIN_TARGET = 6,     /* these two, for each */
};
enum { SUBJECT_GROUP = 1, SUBJECT_TEXT = 2 };

/* Of ASK. */
enum { ASK_NUMBER = 1, ASK_QUERY = 2 /* as in GET /tunnels?QUERY */ };

/* Of LISTED: the rows that are shown first (past_record.h), and how many there are. */
enum {
    LISTED_NUMBER = 1, /* of the ASK */
    LISTED_ROW = 2,
    LISTED_SEEN = 3,
    LISTED_MATCHED = 4,
    LISTED_MISSING = 5, /* tunnels of processes before it that did not answer */
};

#endif
