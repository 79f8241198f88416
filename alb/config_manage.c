/* config_manage.c -- [management]: its certificate, and who may log in. Where it listens, and for
 * whom, is in config_doors.c. */
#include <stdio.h>
#include <string.h>

#include "base/ini_file.h"
#include "base/mem.h"
#include "net/tls.h"

#include "alb/config_parts.h"

enum { CLIENTS_MAX = 64 };

static int line_of(const struct manage_config *m, const char *key)
{
    return config_line(&m->lines, manage_settings, key);
}

int config_management_line(const struct config *config, const char *key)
{
    return line_of(&config->management, key);
}

/* --- who ---------------------------------------------------------------------------------- */

/* "NAME" or "NAME read"; "*" is every name. */
static bool read_client(const char *text, struct manage_user *user)
{
    char name[CALLER_NAME_MAX + 1], right[8] = "", more[8];
    struct span rest = span_text(text);
    bool bad = false;

    if (!ini_next_word(&rest, name, sizeof(name), &bad))
        return false;
    ini_next_word(&rest, right, sizeof(right), &bad);
    if (bad || ini_next_word(&rest, more, sizeof(more), &bad) || bad)
        return false;
    memcpy(user->name, name, sizeof(user->name));
    return (strcmp(name, "*") == 0 || manage_is_name(span_text(name))) &&
           manage_read_right(span_text(right), &user->may_change);
}

static const struct manage_user *find_client(const struct manage_config *m, const char *name)
{
    for (size_t i = 0; i < m->client_count; i++) {
        if (strcmp(m->clients[i].name, name) == 0)
            return &m->clients[i];
    }
    return NULL;
}

const struct manage_user *config_management_client(const struct manage_config *m, const char *name)
{
    if (!manage_is_name(span_text(name)))
        return NULL;
    const struct manage_user *user = find_client(m, name);
    return user != NULL ? user : find_client(m, "*");
}

static void add_client(struct manage_config *m, const char *text, int line,
                       struct problems *problems)
{
    struct manage_user user;

    if (!read_client(text, &user)) {
        problems_error(problems, line,
                       "client: \"%s\" is not NAME or NAME read, where NAME is a certificate's "
                       "common name of letters, digits, '.', '_', '@' and '-', or * for all",
                       text);
    } else if (find_client(m, user.name) != NULL) {
        problems_error(problems, line, "client: %s stands in another line already", user.name);
    } else {
        m->clients[m->client_count++] = user;
    }
}

static void read_clients(struct manage_config *m, struct problems *problems)
{
    const struct setting_list *list = &m->options.client;
    const bool has_authority = m->options.client_ca_file[0] != '\0';

    if (list->count > CLIENTS_MAX) {
        problems_error(problems, line_of(m, "client"), "client: more than %d of them", CLIENTS_MAX);
        return;
    }
    m->clients = mem_array(struct manage_user, list->count);
    for (size_t i = 0; i < list->count; i++)
        add_client(m, list->items[i].text, list->items[i].line, problems);
    if (has_authority && list->count == 0)
        problems_error(problems, line_of(m, "client_ca_file"),
                       "client_ca_file: say whose certificates of that authority may log in: add "
                       "client = NAME, or client = NAME read, for each common name");
    if (!has_authority && list->count > 0)
        problems_error(problems, line_of(m, "client"),
                       "client: nobody is asked for a certificate; add client_ca_file = FILE.pem");
}

static void read_tokens(struct manage_config *m, struct problems *problems)
{
    char why[CONFIG_WHY_MAX];

    if (m->options.token_file[0] == '\0')
        return;
    m->tokens = manage_tokens_read(m->options.token_file, why, sizeof(why));
    if (m->tokens == NULL)
        problems_error(problems, line_of(m, "token_file"), "token_file: %s", why);
}

/* --- TLS ---------------------------------------------------------------------------------- */

static bool check_authority(const struct tls_trust_options *trust, const struct manage_config *m,
                            struct problems *problems)
{
    char why[CONFIG_WHY_MAX];

    if (tls_trust_check(trust, why, sizeof(why)))
        return true;
    problems_error(problems, line_of(m, "client_ca_file"), "client_ca_file: %s", why);
    return false;
}

static void make_server(struct manage_config *m, struct problems *problems)
{
    const struct manage_options *o = &m->options;
    const struct tls_cert_files files = { o->certificate_file, o->key_file };
    struct tls_server_options options = { .certs = &files, .cert_count = 1 };
    char why[CONFIG_WHY_MAX];

    if (o->client_ca_file[0] != '\0')
        options.trust = (struct tls_trust_options){ .mode = TLS_CLIENT_AUTH_VERIFY,
                                                    .store = o->client_ca_file };
    if (o->certificate_file[0] == '\0') {
        problems_error(problems, m->lines.header,
                       "[management] has no certificate_file: it speaks TLS only");
        return;
    }
    if (!check_authority(&options.trust, m, problems))
        return;
    m->tls = tls_server_new(&options, why, sizeof(why));
    if (m->tls == NULL)
        problems_error(problems, line_of(m, "certificate_file"), "certificate_file: %s", why);
}

/* --- the whole ---------------------------------------------------------------------------- */

void config_management(struct config *config, struct problems *problems)
{
    struct manage_config *m = &config->management;

    if (m->lines.header == 0)
        return;
    if (m->options.token_file[0] == '\0' && m->options.client_ca_file[0] == '\0')
        problems_error(problems, m->lines.header,
                       "[management] lets nobody log in: add token_file = FILE with a line NAME "
                       "TOKEN for each who may, or client_ca_file = FILE.pem and client = NAME");
    read_tokens(m, problems);
    read_clients(m, problems);
    make_server(m, problems);
    if (config->doors[DOOR_MANAGEMENT].any)
        problems_warning(problems, line_of(m, "allow"),
                         "allow: any address may try to log in; name those of the operators");
}

void config_management_done(struct manage_config *m)
{
    settings_done(manage_settings, &m->options);
    tls_server_unref(&m->tls);
    manage_tokens_free(&m->tokens);
    free(m->clients);
}
