/* upgrade_failures.c -- see upgrade_failures.h. */
#include "alb/upgrade_failures.h"

#include <string.h>

#define ALL_VIEWER "AllViewer origin request policy"

static const struct row {
    const char *name;
    const char *status; /* what the client gets, for the page */
    const char *cause;  /* the detail comes before its full stop */
    const char *cure;
    const char *edge_cure; /* behind an edge, when it differs */
} rows[] = {
    [UPGRADE_REDIRECTED -
     WS_REFUSALS] = { "redirected", "301, 302",
                      "A rule answered with a redirect, which WebSocket clients do not follow.",
                      "Give the WebSocket's path a rule that forwards and comes before the "
                      "redirect, or connect to "
                      "where it points.",
                      NULL },
    [UPGRADE_REDIRECT_LOOP -
        WS_REFUSALS] = { "https_redirect_loop", "301, 302",
                         "A rule redirects to the very https URL that the client has asked for: "
                         "only the hop to "
                         "here is plain HTTP.",
                         "Forward on this listener, and let what is in front redirect to https; or "
                         "let that connect to "
                         "an HTTPS listener.",
                         "Forward on this listener, and let the edge redirect (\"Redirect HTTP to "
                         "HTTPS\" is a viewer "
                         "protocol policy there); or let the edge connect to an HTTPS listener." },
    [UPGRADE_FIXED_RESPONSE - WS_REFUSALS] = { "fixed_response", "that of the rule",
                                               "A rule answered with a fixed response.",
                                               "Give the WebSocket's path a rule that forwards and "
                                               "comes before the one that answered.",
                                               NULL },
    [UPGRADE_HOST_NOT_MATCHED -
        WS_REFUSALS] = { "host_not_matched", "that of what answered",
                         "A rule that forwards would have matched but for its host-header, so that "
                         "a later rule or the default action answered.",
                         "Add the Host that came to the rule's host-header, or connect by the name "
                         "that is there.",
                         "Let the edge send the viewer's Host on (the " ALL_VIEWER
                         " does; others send the "
                         "origin's own name), or add the Host that came to the rule's "
                         "host-header." },
    [UPGRADE_HEADER_NOT_MATCHED -
        WS_REFUSALS] = { "header_not_matched", "that of what answered",
                         "A rule that forwards would have matched but for its http-header (a "
                         "secret "
                         "of the edge, perhaps), so that a later rule or the default action "
                         "answered.",
                         "Let what is in front send the header that the rule's http-header asks "
                         "for, with that value.",
                         "Add the header that the rule's http-header asks for, with that value, to "
                         "the custom headers of the origin at the edge." },
    [UPGRADE_SECRET_NOT_MATCHED -
        WS_REFUSALS] = { "secret_not_matched", "403",
                         "The request has not brought the origin secret that is asked for here.",
                         "Let what is in front add the header that secret_header names, with a "
                         "value "
                         "of secret_file; whoever connects past it has no such header.",
                         "Add the header that secret_header names, with a value of secret_file, to "
                         "the custom headers of the origin at the edge; if it is there, it has an "
                         "old value." },
    [UPGRADE_REQUEST_REFUSED - WS_REFUSALS] = { "request_refused", "4xx, 5xx",
                                                "The request was refused before any rule.",
                                                "Send what an RFC 6455 client sends: a "
                                                "well-formed GET over "
                                                "HTTP/1.1 without Expect and without a body.",
                                                NULL },
    [UPGRADE_RULE_FAILED - WS_REFUSALS] = { "rule_failed", "400, 414, 464, 5xx",
                                            "What its rule says could not be done.",
                                            "Look at the rule with `alb explain`: its action, its "
                                            "rewrites and the groups that it "
                                            "forwards to.",
                                            NULL },
    [UPGRADE_NO_TARGET - WS_REFUSALS] = { "no_target", "503",
                                          "The group has nobody who can take it.",
                                          "Register a target in the group, or raise "
                                          "target.max_connections; `alb status` shows "
                                          "who is there.",
                                          NULL },
    [UPGRADE_RATE_LIMITED - WS_REFUSALS] = { "rate_limited", "503",
                                             "More upgrades come than are let in.",
                                             "Let clients wait as Retry-After says, with a delay "
                                             "that grows and is drawn by lot; or raise "
                                             "websocket.upgrade_rate.",
                                             NULL },
    [UPGRADE_TARGET_UNREACHABLE -
        WS_REFUSALS] = { "target_unreachable", "502, 504",
                         "No connection to the target could be made, so that there is no answer.",
                         "Look whether the target listens at that address and port, whether a "
                         "security group lets us "
                         "there, and at its health in `alb status`.",
                         NULL },
    [UPGRADE_TARGET_NO_ANSWER -
        WS_REFUSALS] = { "target_no_answer", "502",
                         "The target ended the connection in place of an answer.",
                         "Look into the target's log for the moment of this upgrade: it crashed, "
                         "restarted, or speaks "
                         "another protocol on this port (protocol = HTTPS?).",
                         NULL },
    [UPGRADE_TARGET_TIMEOUT -
        WS_REFUSALS] = { "target_timeout", "504", "The 101 did not come in time.",
                         "Look for what holds the target up before it answers (an authorisation "
                         "call, a database, a "
                         "full accept queue), or raise idle_timeout.timeout_seconds.",
                         NULL },
    [UPGRADE_TARGET_BAD_ANSWER - WS_REFUSALS] = { "target_bad_answer", "502",
                                                  "The target's answer is not valid HTTP/1.1.",
                                                  "Use a target that answers the upgrade with an "
                                                  "HTTP/1.1 head, and look whether something on "
                                                  "the way to it writes there too.",
                                                  NULL },
    [UPGRADE_TARGET_STATUS -
        WS_REFUSALS] = { "target_status", "that of the target", NULL, NULL, NULL },
    [UPGRADE_INTERRUPTED -
        WS_REFUSALS] = { "interrupted", "502, 503",
                         "It was broken off from here while the target made its answer.",
                         "Connect again: the target was being removed or the balancer was being "
                         "stopped.",
                         NULL },
    [UPGRADE_CLIENT_GONE - WS_REFUSALS] = { "client_gone", "460",
                                            "The client went away before the target had answered.",
                                            "Look for what holds the target up before it answers; "
                                            "a client's own time-out for opening is "
                                            "often 5 to 20 seconds. If no target is named, the "
                                            "client had not sent all of its request.",
                                            "Look for what holds the target up before it answers, "
                                            "and at the origin response timeout of "
                                            "the edge. If no target is named, the edge had not "
                                            "sent all of the request." },
    [UPGRADE_ENDED_AT_ONCE -
        WS_REFUSALS] = { "ended_at_once", "101",
                         "It opened and ended within a second, and no Sec-WebSocket-Protocol had "
                         "come from the edge.",
                         "Let the edge forward Sec-WebSocket-Protocol.",
                         "If the application uses a subprotocol, let the edge forward "
                         "Sec-WebSocket-Protocol: attach the " ALL_VIEWER
                         " to this path's cache behavior." },
};

_Static_assert(sizeof rows / sizeof *rows == UPGRADE_FAILURES - WS_REFUSALS,
               "each reason has its row");

/* What the target's answer to an upgrade tells; the first that fits. */
static const struct {
    int low, high;
    const char *cure;
} by_status[] = {
    { 200, 299,
      "Look whether this path of the target serves a WebSocket: it answered as to a plain GET." },
    { 300, 399,
      "Connect to where the target redirects (a slash at the end of the path?): WebSocket clients "
      "do "
      "not follow." },
    { 401, 401, "Let the edge forward what the target authenticates by (Cookie, Authorization)." },
    { 403, 403,
      "Let the target accept the Origin and the Host that came (its allowed origins, CORS), and "
      "let "
      "the edge forward Origin and Cookie." },
    { 404, 404,
      "Serve a WebSocket at this path, or let a rule send the path to the group that does." },
    { 400, 400,
      "Look into the target's log for what it misses: often a session (stickiness.enabled), Origin "
      "or "
      "Host." },
    { 405, 405, "Serve a WebSocket at this path: it takes no GET." },
    { 426, 426, "Let the target accept Sec-WebSocket-Version 13 at this path." },
    { 429, 429, "Let the target's rate limit count clients, not this balancer's address." },
    { 502, 504,
      "Look at what is behind the target: it is a proxy, or overloaded, and says that it cannot "
      "serve "
      "now." },
    { 0, 999, "Look into the target's own log for the moment of this upgrade." },
};

const char *upgrade_failure_name(enum upgrade_failure failure)
{
    return (int)failure < (int)WS_REFUSALS ? ws_refusal_name((enum ws_refusal)failure)
                                           : rows[failure - WS_REFUSALS].name;
}

static const char *cause_of(const struct upgrade_symptoms *s)
{
    return (int)s->failure < (int)WS_REFUSALS ? ws_refusal_cause((enum ws_refusal)s->failure)
                                              : rows[s->failure - WS_REFUSALS].cause;
}

/* A rule that was near, when the default action has forwarded. */
static const struct {
    const char *cause, *cure, *edge_cure;
} near_by[] = {
    [RULES_MISS_HOST] = { "a rule that forwards would have matched but for its host-header",
                          "add the Host that came to its host-header, or connect by the name that "
                          "is there.",
                          "let the edge send the viewer's Host on (the " ALL_VIEWER
                          " does), or add the Host that came to the rule's host-header." },
    [RULES_MISS_HEADER] = { "a rule that forwards would have matched but for its http-header",
                            "let what is in front send the header that its http-header asks for.",
                            "add the header that its http-header asks for to the custom headers of "
                            "the origin at the edge." },
};

/* A target that would not have it, and was perhaps not meant to. (One that fails says nothing about
 * that.) */
static bool is_perhaps_another_rule(const struct upgrade_symptoms *s)
{
    return s->failure == UPGRADE_TARGET_STATUS && s->misses != RULES_MISS_NOTHING &&
           s->target_status >= 200 && s->target_status < 500;
}

const char *upgrade_detail(const struct upgrade_symptoms *s)
{
    if (is_perhaps_another_rule(s))
        return near_by[s->misses].cause;
    return s->detail == NULL ? "" : s->detail;
}

static void put_status_cause(const struct upgrade_symptoms *s, char out[UPGRADE_TEXT_MAX])
{
    const int n =
        snprintf(out, UPGRADE_TEXT_MAX, "The target answered %d in place of 101", s->target_status);

    if (is_perhaps_another_rule(s))
        snprintf(out + n, UPGRADE_TEXT_MAX - (size_t)n,
                 "; %s, so that the default action chose this target.", near_by[s->misses].cause);
    else
        snprintf(out + n, UPGRADE_TEXT_MAX - (size_t)n, ".");
}

const char *upgrade_cause(const struct upgrade_symptoms *s, char out[UPGRADE_TEXT_MAX])
{
    if (s->failure == UPGRADE_TARGET_STATUS) {
        put_status_cause(s, out);
        return out;
    }
    const char *cause = cause_of(s);
    if (s->detail == NULL)
        snprintf(out, UPGRADE_TEXT_MAX, "%s", cause);
    else
        snprintf(out, UPGRADE_TEXT_MAX, "%.*s: %s.", (int)strlen(cause) - 1, cause, s->detail);
    return out;
}

static const char *cure_of_status(int status)
{
    size_t i = 0;

    while (status < by_status[i].low || status > by_status[i].high)
        i++;
    return by_status[i].cure;
}

static const char *cure_of(const struct upgrade_symptoms *s)
{
    if ((int)s->failure < (int)WS_REFUSALS)
        return ws_refusal_cure((enum ws_refusal)s->failure, s->behind_edge);
    if (s->failure == UPGRADE_TARGET_STATUS)
        return cure_of_status(s->target_status);
    const struct row *row = &rows[s->failure - WS_REFUSALS];
    return s->behind_edge && row->edge_cure != NULL ? row->edge_cure : row->cure;
}

const char *upgrade_cure(const struct upgrade_symptoms *s, char out[UPGRADE_TEXT_MAX])
{
    const char *cure = cure_of(s);

    if (is_perhaps_another_rule(s))
        snprintf(out, UPGRADE_TEXT_MAX, "%.*s; or, if that rule was meant, %s",
                 (int)strlen(cure) - 1, cure,
                 s->behind_edge ? near_by[s->misses].edge_cure : near_by[s->misses].cure);
    else
        snprintf(out, UPGRADE_TEXT_MAX, "%s", cure);
    return out;
}

/* --- the page ------------------------------------------------------------------------ */

static const char head[] =
    "# Upgrades that fail, and why\n"
    "\n"
    "Printed by `alb upgrades --reasons`.\n"
    "\n"
    "A request asked for a WebSocket if it has `Upgrade: websocket`, any `Sec-WebSocket-*` field, "
    "or\n"
    "`upgrade` in Connection without another protocol in Upgrade. When it does not become one, "
    "that has\n"
    "one reason of this list, which is to be found\n"
    "\n"
    "* in the log: `upgrade failed reason=missing_key status=400 client=... path=\"/ws\"` (50 a "
    "second and loop; of a\n"
    "  storm, how many more there were),\n"
    "* in `alb_upgrades_failed_total{reason=\"missing_key\"}`,\n"
    "* among the last 1,000, at `GET /upgrades/failed` of the admin port (which takes no "
    "parameters: 400) "
    "and in `alb upgrades`,\n"
    "* in the body of the answer, unless that is a target's own or a text that a rule gives: the "
    "reason, and to\n"
    "  peers in the edge set a sentence on the cause and one on the cure. `allow = any` makes "
    "nobody "
    "a peer:\n"
    "  everybody else learns the reason alone. What alb answers has `Cache-Control: no-store`.\n"
    "\n"
    "A head that is refused as it is written (400 and the like, before any rule) counts too when "
    "what came of it has one of\n"
    "these signs: its reason is `request_refused`, and the cause has the parser's own words.\n"
    "One without `Upgrade: websocket` is a plain request: a rule that forwards passes it on, and "
    "the\n"
    "target answers it (`not_upgrade`).\n"
    "\n"
    "| Reason | Status | Cause | Cure |\n"
    "|---|---|---|---|\n";

static void describe(const struct upgrade_symptoms *s, const char *status, FILE *to)
{
    char cause[UPGRADE_TEXT_MAX], cure[UPGRADE_TEXT_MAX], edge[UPGRADE_TEXT_MAX];
    struct upgrade_symptoms behind = *s;

    behind.behind_edge = true;
    upgrade_cure(s, cure);
    upgrade_cure(&behind, edge);
    fprintf(to, "| `%s` | %s | %s | %s", upgrade_failure_name(s->failure), status,
            upgrade_cause(s, cause), cure);
    if (strcmp(cure, edge) != 0)
        fprintf(to, " Behind an edge (Via or X-Amz-Cf-Id): %s", edge);
    fputs(" |\n", to);
}

static void describe_statuses(FILE *to)
{
    fprintf(to,
            "\nWhat to do about `target_status`, by what the target answered. (When the default "
            "action chose the target, it answered 2xx to\n4xx, and a rule that forwards would have "
            "matched but for its host-header or http-header, cause and cure say that too.)\n\n"
            "| It answered | Cure |\n|---|---|\n");
    for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++) {
        if (by_status[i].low == 0)
            fprintf(to, "| anything else | %s |\n", by_status[i].cure);
        else if (by_status[i].low == by_status[i].high)
            fprintf(to, "| %d | %s |\n", by_status[i].low, by_status[i].cure);
        else
            fprintf(to, "| %d-%d | %s |\n", by_status[i].low, by_status[i].high, by_status[i].cure);
    }
}

void upgrade_failures_describe(FILE *to)
{
    char number[32];

    fputs(head, to);
    for (int i = UPGRADE_FINE + 1; i < UPGRADE_FAILURES; i++) {
        const struct upgrade_symptoms s = { .failure = (enum upgrade_failure)i };
        if (i < WS_REFUSALS)
            snprintf(number, sizeof number, "%d%s", ws_refusal_status((enum ws_refusal)i),
                     i == WS_NOT_UPGRADE ? " or the target's" : "");
        if (i == UPGRADE_TARGET_STATUS)
            fprintf(to, "| `%s` | %s | The target answered something else than 101. | Below. |\n",
                    upgrade_failure_name(s.failure), rows[i - WS_REFUSALS].status);
        else
            describe(&s, i < WS_REFUSALS ? number : rows[i - WS_REFUSALS].status, to);
    }
    describe_statuses(to);
}
