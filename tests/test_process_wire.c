/* The socket between parent and worker: what was sent is heard, even if its sender has ended meanwhile. */
#include "places/process/wire.h"
#include "support.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static void open_ends(void)
{
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
}

static bool hears(al_wire_kind kind)
{
    static al_wire_message message;
    return al_wire_receive(ends[0], &message, NULL, false) == AL_WIRE_OK && message.kind == kind;
}

static bool hears_the_end(void)
{
    static al_wire_message message;
    return al_wire_receive(ends[0], &message, NULL, false) == AL_WIRE_END;
}

static void an_end_comes_after_the_last_words(void)
{
    open_ends();
    CHECK(al_wire_signal(ends[1], AL_WIRE_HELLO));
    CHECK(al_wire_signal(ends[1], AL_WIRE_READY));
    close(ends[1]);
    CHECK(hears(AL_WIRE_HELLO));
    CHECK(hears(AL_WIRE_READY));
    CHECK(hears_the_end());
    close(ends[0]);
}

/* The kernel resets such a connection. */
static void so_it_does_if_mail_was_left_unread(void)
{
    open_ends();
    CHECK(al_wire_signal(ends[0], AL_WIRE_FORGET));
    CHECK(al_wire_signal(ends[1], AL_WIRE_READY));
    close(ends[1]);
    CHECK(hears(AL_WIRE_READY));
    CHECK(hears_the_end());
    CHECK(!al_wire_signal(ends[0], AL_WIRE_FORGET));
    close(ends[0]);
}

static const test_fact facts[] = {
    { "an end comes after the last words", an_end_comes_after_the_last_words },
    { "so it does if mail was left unread", so_it_does_if_mail_was_left_unread },
    { NULL, NULL },
};

int main(void)
{
    return test_main("process wire", facts);
}
