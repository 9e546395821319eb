// Reads lists of NUMA nodes and calls mbind.
#include "longbow/base/numa.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#ifdef __linux__
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#endif

namespace longbow::base {

unsigned NodeSet::count() const noexcept {
  int count = 0;
  for (const unsigned long word : words_) count += std::popcount(word);
  return static_cast<unsigned>(count);
}

bool parse_nodes(std::string_view list, NodeSet& out) noexcept {
  if (list.ends_with('\n')) list.remove_suffix(1);
  const char* at = list.data();
  const char* end = at + list.size();
  const auto number = [&](unsigned& value) {
    const char* first = at;
    for (value = 0; at < end && *at >= '0' && *at <= '9' && value < kMostNodes; ++at)
      value = value * 10 + static_cast<unsigned>(*at - '0');
    return at > first && value < kMostNodes;
  };
  while (at < end) {
    unsigned first = 0;
    if (!number(first)) return false;
    unsigned last = first;
    if (at < end && *at == '-') {
      ++at;
      if (!number(last) || last < first) return false;
    }
    for (unsigned node = first; node <= last; ++node) out.add(node);
    if (at == end) break;
    if (*at++ != ',' || at == end) return false;
  }
  return true;
}

NodeSet read_nodes(const char* file) noexcept {
  // 1,024 numbers of at most four digits, each with its comma.
  char text[8192];
  const int descriptor = open(file, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  std::size_t length = 0;
  ssize_t got = 0;
  while (length < sizeof text && (got = read(descriptor, text + length, sizeof text - length)) > 0)
    length += static_cast<std::size_t>(got);
  close(descriptor);
  NodeSet nodes;
  if (got < 0 || !parse_nodes({text, length}, nodes)) return {};
  return nodes;
}

int interleave(void* address, std::size_t bytes, const NodeSet& nodes) noexcept {
#if defined(__linux__) && defined(SYS_mbind)
  // The kernel takes one bit less than it is told of.
  return syscall(SYS_mbind, address, bytes, MPOL_INTERLEAVE, nodes.mask(), kMostNodes + 1UL, MPOL_MF_MOVE) == 0 ? 0
                                                                                                                : errno;
#else
  (void)address, (void)bytes, (void)nodes;
  return ENOSYS;
#endif
}

}  // namespace longbow::base
