/* command.c -- see command.h. */
#include "alb/command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/text.h"

#include "alb/edge_table.h"
#include "alb/reload_table.h"
#include "alb/remote.h"
#include "alb/remote_answer.h"
#include "alb/status.h"
#include "alb/tunnel_table.h"
#include "alb/upgrades.h"

enum {
    CONFIG_MAX = 1024 * 1024, /* as much as is taken there */
    PAGE_MOST = 4096,         /* shown of what is no JSON */
};

typedef void command_printer(const json_t *body, FILE *to);

/* What answers may be something else than alb, with orders to the terminal in it. */
static void print_safely(struct span text, FILE *to)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        fputc((c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, to);
    }
}

static void print_text(const json_t *text, FILE *to)
{
    print_safely(span_text(json_is_string(text) ? json_string_value(text) : "?"), to);
    fputc('\n', to);
}

/* What is no JSON: as much of it as somebody would read. */
static void print_page(int status, struct span body)
{
    fprintf(stderr, "%d: ", status);
    print_safely(span_of(body.ptr, body.len < PAGE_MOST ? body.len : PAGE_MOST), stderr);
    if (body.len == 0 || body.len > PAGE_MOST)
        fprintf(stderr, body.len == 0 ? "nothing\n" : "... (%zu bytes)\n", body.len);
}

static void print_texts(const json_t *list, FILE *to)
{
    size_t i;
    json_t *text;

    json_array_foreach(list, i, text) print_text(text, to);
}

static void dump(const json_t *body, FILE *to)
{
    json_dumpf(body, to, JSON_INDENT(2));
    fputc('\n', to);
}

/* A command's outcome has "ok"; anything else is what was asked for. */
static int print_json(const json_t *body, command_printer *print)
{
    const json_t *ok = json_object_get(body, "ok");

    if (ok == NULL) {
        print(body, stdout);
        return 0;
    }
    print_texts(json_object_get(body, "errors"), stderr);
    print_texts(json_object_get(body, "warnings"), stderr);
    if (!json_is_true(ok))
        return 1;
    print_text(json_object_get(body, "message"), stdout);
    return 0;
}

/* Who it is that was not let in, is the asker's to know. */
static void explain_401(const struct remote_options *at)
{
    const bool has_token = at->token_file != NULL || getenv("ALB_TOKEN_FILE") != NULL;

    fprintf(stderr, "%s: 401: not logged in: %s\n", remote_place(at),
            has_token
                ? "the token is none of those in token_file there (which a reload reads "
                  "again), or the certificate is not one of its client lines"
                : "--token-file FILE, or ALB_TOKEN_FILE in the environment, names a file with "
                  "the token; --cert FILE a certificate");
}

static int print_answer(const struct remote_options *at, const struct remote_answer *answer,
                        command_printer *print)
{
    if (answer->status == 401) {
        explain_401(at);
        return 1;
    }
    json_t *json = json_loadb(answer->body.ptr, answer->body.len, 0, NULL);
    int code = 1;
    if (json != NULL)
        code = print_json(json, print);
    else
        print_page(answer->status, answer->body);
    json_decref(json);
    return code;
}

static int run(const struct remote_options *at, const char *method, const char *path,
               struct span body, command_printer *print)
{
    const struct remote_request request = { method, path, body };
    struct remote_answer answer;
    int code = 1;

    remote_answer_init(&answer);
    if (remote_ask(at, &request, &answer))
        code = print_answer(at, &answer, print);
    remote_answer_done(&answer);
    return code;
}

/* Read again, or (`file`) that in its place. */
int command_reload(const struct remote_options *at, const struct command_reload *how)
{
    static const char *const paths[2][2] = {
        { "/reload", "/reload?force=1" },
        { "/reload?dry_run=1", "/reload?dry_run=1&force=1" },
    };
    const char *path = paths[how->is_dry_run][how->is_forced], *file = how->file;
    command_printer *print = how->is_dry_run && !how->as_json ? reload_table_print : dump;
    char why[512];
    size_t len;

    if (file == NULL)
        return run(at, "POST", path, SPAN(""), print);
    char *text = text_read_input(file, CONFIG_MAX, &len, why, sizeof(why));
    if (text == NULL || len == 0) {
        fprintf(stderr, "alb: --config: %s%s\n", text == NULL ? why : file,
                text == NULL ? "" : " is empty");
        free(text);
        return 1;
    }
    const int code = run(at, "POST", path, span_of(text, len), print);
    free(text);
    return code;
}

int command_status(const struct remote_options *at, bool as_json)
{
    return run(at, "GET", "/status", SPAN(""), as_json ? dump : status_print);
}

static int list(const struct remote_options *at, char *path, command_printer *print)
{
    if (path == NULL) {
        fprintf(stderr, "alb: a filter is NAME=VALUE, such as group=app or min_age=5m\n");
        return 2;
    }
    const int code = run(at, "GET", path, SPAN(""), print);
    free(path);
    return code;
}

int command_tunnels(const struct remote_options *at, const char *const *filters, int count,
                    bool as_json)
{
    return list(at, tunnel_table_path("/tunnels", filters, count),
                as_json ? dump : tunnel_table_print_live);
}

int command_closed(const struct remote_options *at, const char *const *filters, int count,
                   bool as_json)
{
    return list(at, tunnel_table_path("/closed", filters, count),
                as_json ? dump : tunnel_table_print_closed);
}

int command_upgrades(const struct remote_options *at, bool as_json)
{
    return run(at, "GET", "/upgrades/failed", SPAN(""), as_json ? dump : upgrades_print);
}

/* Takes over `json`; NULL when it could not be made. */
static int post(const struct remote_options *at, const char *path, json_t *json)
{
    char *body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    int code = 1;

    if (body == NULL)
        fprintf(stderr, "the names are no UTF-8\n");
    else
        code = run(at, "POST", path, span_text(body), dump);
    free(body);
    json_decref(json);
    return code;
}

int command_edge_show(const struct remote_options *at, bool as_json)
{
    return run(at, "GET", "/edge", SPAN(""), as_json ? dump : edge_table_print);
}

int command_edge_refused(const struct remote_options *at, bool as_json)
{
    return run(at, "GET", "/edge/refused", SPAN(""), as_json ? dump : edge_table_print_refused);
}

int command_edge_check(const struct remote_options *at, const char *address, bool as_json)
{
    char path[64 + IP_TEXT_MAX], text[IP_TEXT_MAX];
    struct ip ip;

    if (!ip_parse(span_text(address), &ip)) {
        fprintf(stderr, "alb: \"%.60s\" is no address, such as 10.0.1.37 or 2001:db8::1\n",
                address);
        return 2;
    }
    snprintf(path, sizeof(path), "/edge/check?address=%s", ip_format(&ip, text));
    return run(at, "GET", path, SPAN(""), as_json ? dump : edge_table_print_check);
}

int command_edge_change(const struct remote_options *at, const char *block, const char *time)
{
    if (time == NULL)
        return post(at, "/edge/remove", json_pack("{s:s}", "block", block));
    return post(at, "/edge/add", json_pack("{s:s,s:s}", "block", block, "for", time));
}

static json_t *drain_order(const char *group, const char *target)
{
    if (group == NULL)
        return json_pack("{s:b}", "all", 1);
    if (target == NULL)
        return json_pack("{s:s}", "target_group", group);
    return json_pack("{s:s,s:s}", "target_group", group, "target", target);
}

int command_drain(const struct remote_options *at, const char *path, const char *group,
                  const char *target)
{
    return post(at, path, drain_order(group, target));
}

int command_register(const struct remote_options *at, const char *path,
                     const struct command_target *t)
{
    json_t *json = json_pack("{s:s,s:s}", "target_group", t->group, "target", t->name);

    if (json != NULL && t->has_weight)
        json_object_set_new(json, "weight", json_integer((json_int_t)t->weight));
    return post(at, path, json);
}

int command_upgrade(const struct remote_options *at, const char *binary)
{
    return post(at, "/upgrade",
                binary == NULL ? json_object() : json_pack("{s:s}", "binary", binary));
}
