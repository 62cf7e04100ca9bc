/*
 * One session in a test: its options, its owner, and what it reported. Set `run` up, run it once.
 */
#ifndef TESTS_SESSION_RUN_H
#define TESTS_SESSION_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/session.h"

#define LONG_MS  15000 /* never reached where all is well */
#define SHORT_MS 600   /* awaited; far above what a loaded machine needs for a loopback reply */
#define BRIEF_MS 30    /* awaited where nothing is to happen before */

struct run {
    struct loop *loop;
    struct tls_context *tls;
    struct session_opts opts;
    struct session_target target; /* of a single one; else `targets`; called `name` */
    char name[256];
    struct session_target targets[SESSION_TARGETS_MAX];
    size_t target_count;
    int64_t deadline_ms;
    struct session *session;
    bool started; /* session_start() has returned */
    bool quit_at_once;
    bool quit_on_outcome;
    const char *quit_on_trace; /* session_quit() when this is heard */
    void (*at_outcome)(void);  /* instead: what the owner does when an outcome is out */
    void (*at_address)(void);  /* what it does when it hears of an address */
    int outcomes, closes;
    int outcomes_wanted;  /* by the end */
    char addresses[1024]; /* a line for each: its index, what became of it */
    struct outcome outcome;
    char trace[8192];
};

extern struct run run;

/* A fixture: plain options, long deadlines. At the end no descriptor may be left. */
void run_setup(void);
void run_teardown(void);

/* Runs a session to its end: its outcomes, then closed, neither inside session_start(). */
void run_session(void);

/* Another target for the race: an address and a port. */
struct session_target *run_add_target(const char *ip, uint16_t port);

/* Asks about v@d.example, as whom `sender` says; what session_ask() says to that. */
bool run_ask(const char *sender, bool new_transaction);

/*
 * Runs it against the scripts of a server (scripted_server.h), which have to be followed; `heard`
 * is what the server is to have heard, or NULL.
 */
void run_against(const char *const *const *scripts, const char *heard);

void run_expect(enum smtp_stage stage, enum smtp_failure failure, int code);

#define SCRIPT(name, ...)  static const char *const name[] = {__VA_ARGS__, NULL}
#define SCRIPTS(name, ...) static const char *const *const name[] = {__VA_ARGS__, NULL}

#define EHLO     "<220 mx", ">EHLO me.example"
#define ENVELOPE ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>"
#define OTHER    ">RCPT TO:<v@d.example>"
#define BYE      ">QUIT", "<221 bye"
#define STARTTLS EHLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go"
#define ACCEPTED ENVELOPE, "<250 2.1.5 fine", BYE

#endif
