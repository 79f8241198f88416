/*
 * service.h -- what every daemon does: limits, signals, telling systemd and
 * tests that it is ready.
 */
#ifndef NET_SERVICE_H
#define NET_SERVICE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raise RLIMIT_NOFILE to its hard limit; returns what is in force. */
uint32_t service_raise_nofile(void);

/* Processor cores this process may use, at least 1. */
int service_cores(void);

/* SIGPIPE ignored; SIGHUP, SIGUSR1, SIGTERM and SIGINT blocked in this thread
 * and all it starts. Call first in main(). */
void service_block_signals(void);

/* Signals as events on the control loop (signalfd underneath, so that no
 * handler ever runs in a thread of ours). */
struct service_signal {
    int number;
    bool has_sender; /* the kernel says who: not of what the kernel itself sends, nor of what a
                        sender may have made up (sigqueue) */
    int32_t pid;     /* 0: it is in no PID namespace of ours */
    uint32_t uid;
};
typedef void service_signal_fn(void *user, const struct service_signal *signal);
struct service_signals {
    ev_io io;
    int fd;
    service_signal_fn *on_signal;
    void *user;
};
bool service_signals_start(struct service_signals *s, struct ev_loop *loop,
                           service_signal_fn *on_signal, void *user);
void service_signals_stop(struct service_signals *s, struct ev_loop *loop);

/* sd_notify(3) without the library: a datagram to $NOTIFY_SOCKET, if set. */
void service_notify(const char *state);

/* For tests and supervisors: write `json` to a new file beside `path` and
 * rename it there, so that whoever sees it sees all of it. */
bool service_write_ready_file(const char *path, const char *json, char *why, size_t why_size);

#endif
