/*
 * The limit of what a libmilter filter can do: calloutd's own steps, macros and callbacks, and
 * every recipient is accepted unseen.
 */
#include <libmilter/mfapi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unix_socket.h"

#define STEPS \
    (SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN | \
     SMFIP_NR_CONN | SMFIP_NR_MAIL)

/* libmilter calls this one to wait for its end, which takes it up to 5 s. Nothing is to be kept. */
int sigwait(const sigset_t *set, int *number)
{
    (void)number;
    while (sigwaitinfo(set, NULL) < 0)
        ; /* stopped for a moment, by a debugger */
    _exit(EXIT_SUCCESS);
}

static void ask_for_macros(SMFICTX *ctx)
{
    static char connect[] = "{client_addr}", mail[] = "{auth_authen} {cert_subject} {verify} i",
                rcpt[] = "{rcpt_mailer} {rcpt_addr} i", end[] = "i";

    (void)smfi_setsymlist(ctx, SMFIM_CONNECT, connect);
    (void)smfi_setsymlist(ctx, SMFIM_ENVFROM, mail);
    (void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt);
    (void)smfi_setsymlist(ctx, SMFIM_EOM, end);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *wanted_actions, unsigned long *wanted_steps,
                             unsigned long *none2, unsigned long *none3)
{
    (void)unused2;
    (void)unused3;
    *wanted_actions = actions & SMFIF_SETSYMLIST;
    *wanted_steps = steps & STEPS;
    *none2 = *none3 = 0;
    if (*wanted_actions != 0)
        ask_for_macros(ctx);
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *from)
{
    (void)ctx;
    (void)host;
    (void)from;
    return SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    (void)ctx;
    (void)argv;
    return SMFIS_NOREPLY;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
    (void)ctx;
    (void)argv;
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    static char name[] = "null";
    struct smfiDesc desc = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_SETSYMLIST,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (smfi_register(desc) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS ||
        smfi_opensocket(true) != MI_SUCCESS) {
        fprintf(stderr, "%s: libmilter cannot listen there; it has told syslog why\n", argv[1]);
        return EXIT_FAILURE;
    }
    say_ready();
    return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
