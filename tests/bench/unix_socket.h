/* The unix sockets of servers and loads. */
#ifndef UNIX_SOCKET_H
#define UNIX_SOCKET_H

/* Binds `path`, in place of what is there; for SOCK_STREAM it listens, too. Ends the program on an
   error. */
int unix_bind(const char *path, int type);

/* Connects to a stream socket, and waits while its queue is full; it does not block from then on.
   Ends the program on an error. */
int unix_connect(const char *path);

/* Tells on standard output that the server can be used. */
void say_ready(void);

#endif
