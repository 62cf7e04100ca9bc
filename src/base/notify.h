/*
 * What the service manager is told (sd_notify(3)), and its watchdog. Without systemd, nothing.
 *
 * Threads: notify_*() from the main thread; the watchdog lives on the loop it was made for and
 * watches another loop, too.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

struct watchdog;

/*
 * Feeds the service manager's watchdog from `own`, as long as `other` takes its mail too: a loop
 * that hangs starves it. Both run on. *w is NULL, and that is no failure, where no watchdog is
 * wanted (WATCHDOG_USEC). False only when out of memory.
 */
bool watchdog_new(struct watchdog **w, struct loop *own, struct loop *other, struct error *err);

/* `other` must have ended. Sets *w to NULL; allowed twice. */
void watchdog_free(struct watchdog **w);

#endif
