// GET /metrics over HTTP, for Prometheus: a background worker, one request at a time.
//
// Off unless longbow.metrics_listen names an address, and a port alone means loopback: there is no password. A request may take
// kRequest_ms to arrive and kMostRequest bytes, an answer kAnswer_ms to be taken; then the connection is closed. Every wait ends at
// once when the server wants the worker to end. Descriptors are plain numbers, closed where they were opened; an error ends
// the process.
#include "am/metrics_server.hpp"

#include "am/metrics.hpp"
#include "pg/activity.hpp"
#include "pg/shared.hpp"

extern "C" {
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/xact.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PGDLLEXPORT void longbow_metrics_main(Datum);
}

namespace longbow::am {

namespace {

constexpr std::size_t kMostRequest = 8192;
constexpr long kRequest_ms = 2000, kAnswer_ms = 5000, kLinger_ms = 200;
constexpr int kRestart_s = 10;

char* listen_setting;

union Address {
  sockaddr any;
  sockaddr_in four;
  sockaddr_in6 six;
};

// Reads "port", "address:port" or "[address6]:port". A name other than localhost is not looked up.
bool parse_address(const char* text, Address* out, socklen_t* length) {
  const char* colon = strrchr(text, ':');
  const char* digits = colon != nullptr ? colon + 1 : text;
  char* end = nullptr;
  const long port = strtol(digits, &end, 10);
  if (*digits < '0' || *digits > '9' || *end != '\0' || port < 1 || port > 65535) return false;
  char host[64] = "127.0.0.1";
  if (colon != nullptr && colon != text) {
    const bool six = text[0] == '[' && colon[-1] == ']';
    const std::size_t size = static_cast<std::size_t>(colon - text) - (six ? 2 : 0);
    if (size == 0 || size >= sizeof host) return false;
    memcpy(host, text + (six ? 1 : 0), size);
    host[size] = '\0';
    if (six) {
      memset(out, 0, sizeof *out);
      out->six.sin6_family = AF_INET6;
      out->six.sin6_port = htons(static_cast<std::uint16_t>(port));
      *length = sizeof out->six;
      return inet_pton(AF_INET6, host, &out->six.sin6_addr) == 1;
    }
  }
  if (strcmp(host, "localhost") == 0) strlcpy(host, "127.0.0.1", sizeof host);
  if (strcmp(host, "*") == 0) strlcpy(host, "0.0.0.0", sizeof host);
  memset(out, 0, sizeof *out);
  out->four.sin_family = AF_INET;
  out->four.sin_port = htons(static_cast<std::uint16_t>(port));
  *length = sizeof out->four;
  return inet_pton(AF_INET, host, &out->four.sin_addr) == 1;
}

bool check_listen(char** value, void**, GucSource) {
  Address address;
  socklen_t length;
  if (*value == nullptr || **value == '\0' || parse_address(*value, &address, &length)) return true;
  GUC_check_errdetail("It must be empty, a port, an IPv4 address and a port, or an IPv6 address in brackets and a port.");
  return false;
}

// -- waiting

struct Deadline {
  TimestampTz at;
  explicit Deadline(long ms) : at(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms)) {}
  [[nodiscard]] long left() const { return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), at); }
};

// Waits until a socket is ready; false when the time is over or the worker is to end.
bool wait_for(int socket, std::uint32_t events, const Deadline& deadline) {
  while (!ShutdownRequestPending) {
    const long left = deadline.left();
    if (left <= 0) return false;
    const int got = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | static_cast<int>(events), socket, left,
                                      pg::wait_event(pg::Wait::idle));
    if ((got & WL_LATCH_SET) != 0) {
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }
    if ((got & static_cast<int>(events)) != 0) return true;
  }
  return false;
}

// -- one request

enum class Got : std::uint8_t { request, too_long, late, gone };

bool is_whole(const char* text) { return strstr(text, "\r\n\r\n") != nullptr || strstr(text, "\n\n") != nullptr; }

// Reads until the blank line after the headers; what comes behind it is not read.
Got read_request(int socket, char* text, std::size_t size) {
  const Deadline deadline(kRequest_ms);
  std::size_t used = 0;
  while (used + 1 < size) {
    const ssize_t n = recv(socket, text + used, size - 1 - used, 0);
    if (n == 0) return Got::gone;
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Got::gone;
      if (!wait_for(socket, WL_SOCKET_READABLE, deadline)) return Got::late;
      continue;
    }
    // A NUL byte would hide what follows.
    for (ssize_t i = 0; i < n; i++)
      if (text[used + static_cast<std::size_t>(i)] == '\0') text[used + static_cast<std::size_t>(i)] = ' ';
    used += static_cast<std::size_t>(n);
    text[used] = '\0';
    if (is_whole(text)) return Got::request;
    if (deadline.left() <= 0) return Got::late;
  }
  return Got::too_long;
}

bool send_all(int socket, const char* text, std::size_t length, const Deadline& deadline) {
  while (length > 0) {
    const ssize_t n = send(socket, text, length, MSG_NOSIGNAL);
    if (n > 0) {
      text += n;
      length -= static_cast<std::size_t>(n);
    } else if (n < 0 && errno != EINTR) {
      if ((errno != EAGAIN && errno != EWOULDBLOCK) || !wait_for(socket, WL_SOCKET_WRITEABLE, deadline)) return false;
    }
  }
  return true;
}

void answer(int socket, const char* status, const char* headers, const char* body, std::size_t length, bool with_body) {
  char head[512];
  const int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status, headers, length);
  const Deadline deadline(kAnswer_ms);
  if (send_all(socket, head, static_cast<std::size_t>(n), deadline) && with_body) send_all(socket, body, length, deadline);
}

void refuse(int socket, const char* status, const char* headers = "") {
  char body[64];
  const int n = snprintf(body, sizeof body, "%s\n", status);
  char all[160];
  snprintf(all, sizeof all, "Content-Type: text/plain\r\n%s", headers);
  answer(socket, status, all, body, static_cast<std::size_t>(n), true);
}

void send_metrics(int socket, bool with_body) {
  StartTransactionCommand();
  StringInfoData text;
  initStringInfo(&text);
  write_metrics(&text);
  // The text goes with the transaction, which ends before a client can be slow.
  char* copy = static_cast<char*>(MemoryContextAlloc(TopMemoryContext, static_cast<Size>(text.len)));
  memcpy(copy, text.data, static_cast<Size>(text.len));
  const auto length = static_cast<std::size_t>(text.len);
  CommitTransactionCommand();
  answer(socket, "200 OK", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", copy, length, with_body);
  pfree(copy);
}

// The request line: method, target, version, between single spaces.
void respond(int socket, char* text) {
  text[strcspn(text, "\r\n")] = '\0';
  char* target = strchr(text, ' ');
  char* version = target != nullptr ? strchr(target + 1, ' ') : nullptr;
  if (version == nullptr || strncmp(version + 1, "HTTP/1.", 7) != 0) return refuse(socket, "400 Bad Request");
  *target++ = '\0';
  *version = '\0';
  target[strcspn(target, "?")] = '\0';
  const bool head = strcmp(text, "HEAD") == 0;
  if (!head && strcmp(text, "GET") != 0) return refuse(socket, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
  if (strcmp(target, "/metrics") != 0) return refuse(socket, "404 Not Found");
  send_metrics(socket, !head);
}

// Lets the client read the answer though it has sent more than was read: closing at once would make the kernel discard it.
void linger(int socket) {
  (void)shutdown(socket, SHUT_WR);
  const Deadline deadline(kLinger_ms);
  char waste[4096];
  for (int i = 0; i < 64; i++) {
    const ssize_t n = recv(socket, waste, sizeof waste, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return;
    if (n < 0 && !wait_for(socket, WL_SOCKET_READABLE, deadline)) return;
    if (deadline.left() <= 0) return;
  }
}

void serve(int socket) {
  char text[kMostRequest + 1];
  switch (read_request(socket, text, sizeof text)) {
    case Got::request: respond(socket, text); break;
    case Got::too_long: refuse(socket, "431 Request Header Fields Too Large"); break;
    case Got::late: refuse(socket, "408 Request Timeout"); break;
    case Got::gone: return;
  }
  linger(socket);
}

int open_listener() {
  Address address;
  socklen_t length;
  if (!parse_address(listen_setting, &address, &length)) elog(ERROR, "longbow.metrics_listen is invalid");
  const int listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  if (listener >= 0) (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (listener < 0 || bind(listener, &address.any, length) != 0 || listen(listener, 8) != 0)
    ereport(ERROR, (errcode_for_socket_access(), errmsg("could not listen on \"%s\" for metrics: %m", listen_setting),
                    errhint("Another server may use the port; see longbow.metrics_listen. The next attempt is in %d s.", kRestart_s)));
  ereport(LOG, (errmsg("longbow serves metrics on \"%s\"", listen_setting)));
  return listener;
}

void run() {
  pg::settle(pg::Phase::server);
  const int listener = open_listener();
  while (!ShutdownRequestPending) {
    pg::note_wait(pg::Wait::idle);
    const Deadline hour(3600 * 1000L);
    const bool ready = wait_for(listener, WL_SOCKET_READABLE, hour);
    pg::note_wait(pg::Wait::none);
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
    if (!ready) continue;
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
      // Out of descriptors: the connection stays where it is, and would wake us at once.
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) pg_usleep(100000);
      continue;
    }
    serve(client);
    close(client);
  }
  close(listener);
}

}  // namespace

void define_metrics_listen() {
  DefineCustomStringVariable("longbow.metrics_listen", "The address on which metrics are served by HTTP, for Prometheus.",
                             "Empty: not at all. A port alone means loopback; 0.0.0.0:9188 is open to all, and there is no password. "
                             "Takes effect with shared_preload_libraries = 'longbow'.",
                             &listen_setting, "", process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP,
                             GUC_SUPERUSER_ONLY, check_listen, nullptr, nullptr);
}

void register_metrics_server() {
  if (listen_setting == nullptr || *listen_setting == '\0') return;
  BackgroundWorker worker{};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;  // on standbys too
  worker.bgw_restart_time = kRestart_s;
  strlcpy(worker.bgw_library_name, "longbow", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "longbow_metrics_main", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_name, "longbow metrics server", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "longbow metrics server", BGW_MAXLEN);
  RegisterBackgroundWorker(&worker);
}

}  // namespace longbow::am

extern "C" void longbow_metrics_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  longbow::am::run();
  // Not 0: a process that was ended alone, not with the server, is to be started again.
  proc_exit(1);
}
