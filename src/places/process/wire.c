#include "places/process/wire.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor, aligned as the kernel wants it. */
typedef union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
} control;

static size_t used(const al_wire_message *message)
{
    return offsetof(al_wire_message, path) + strlen(message->path) + 1;
}

bool al_wire_send(int socket, const al_wire_message *message, int fd)
{
    struct iovec part = { (void *)message, used(message) };
    struct msghdr record = { .msg_iov = &part, .msg_iovlen = 1 };
    control extra = { 0 };
    if (fd >= 0) {
        record.msg_control = extra.bytes;
        record.msg_controllen = sizeof extra.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&record);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &record, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

bool al_wire_signal(int socket, al_wire_kind kind)
{
    al_wire_message message;
    memset(&message, 0, offsetof(al_wire_message, path) + 1);
    message.kind = (uint32_t)kind;
    return al_wire_send(socket, &message, -1);
}

static void take_descriptor(struct msghdr *record, int *fd)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(record); each; each = CMSG_NXTHDR(record, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS ||
            each->cmsg_len != CMSG_LEN(sizeof(int)))
            continue;
        int received;
        memcpy(&received, CMSG_DATA(each), sizeof received);
        if (fd && *fd < 0)
            *fd = received;
        else
            close(received);
    }
}

/* Who ends with mail unread resets the connection; the kernel tells that once, before what it sent last. */
al_wire_result al_wire_receive(int socket, al_wire_message *message, int *fd, bool wait)
{
    struct iovec part = { message, sizeof *message };
    control extra = { 0 };
    struct msghdr record = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd) { /* without room for it the kernel drops what a worker might send */
        *fd = -1;
        record.msg_control = extra.bytes;
        record.msg_controllen = sizeof extra.bytes;
    }
    ssize_t got;
    do
        got = recvmsg(socket, &record, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? AL_WIRE_EMPTY : AL_WIRE_END;
    take_descriptor(&record, fd);
    if ((size_t)got < offsetof(al_wire_message, path) + 1 || ((char *)message)[got - 1] != 0 ||
        message->build_id_size > AL_BUILD_ID_MAX)
        return AL_WIRE_END;
    return AL_WIRE_OK;
}
