// NUMA nodes as Linux lists them, and memory spread over them: a file and a system call, no library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace longbow::base {

// The most nodes that Linux can be configured for.
inline constexpr unsigned kMostNodes = 1024;
// What Linux lists there are the nodes that have memory of their own.
inline constexpr const char* kMemoryNodesFile = "/sys/devices/system/node/has_memory";

class NodeSet {
 public:
  // `node` < kMostNodes.
  void add(unsigned node) noexcept { words_[node / kWord] |= 1UL << (node % kWord); }
  [[nodiscard]] bool contains(unsigned node) const noexcept {
    return (words_[node / kWord] >> (node % kWord) & 1) != 0;
  }
  [[nodiscard]] unsigned count() const noexcept;
  // As system calls take it.
  [[nodiscard]] const unsigned long* mask() const noexcept { return words_; }

 private:
  static constexpr unsigned kWord = 8 * sizeof(unsigned long);
  unsigned long words_[kMostNodes / kWord] = {};
};

// Reads a list as the kernel writes it, such as "0-3,8\n". False if it is no such list or names a node that cannot be.
bool parse_nodes(std::string_view list, NodeSet& out) noexcept;
// The nodes that a file lists; none where it cannot be read or says nothing of the kind.
NodeSet read_nodes(const char* file) noexcept;

// Spreads [address, address + bytes) over the nodes, page by page (mbind, MPOL_INTERLEAVE): pages touched later go
// where their turn is, those in use are moved where only this process maps them. `address` is a page's start. Returns 0
// or an errno: EPERM or ENOSYS in containers that forbid the call, ENOSYS where the system is not Linux.
int interleave(void* address, std::size_t bytes, const NodeSet& nodes) noexcept;

}  // namespace longbow::base
