// Lists of NUMA nodes, and the policy that interleave() leaves on memory.
#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "longbow/base/numa.hpp"

namespace longbow::base {
namespace {

std::vector<unsigned> nodes_of(const NodeSet& set) {
  std::vector<unsigned> nodes;
  for (unsigned n = 0; n < kMostNodes; ++n)
    if (set.contains(n)) nodes.push_back(n);
  EXPECT_EQ(nodes.size(), set.count());
  return nodes;
}

std::vector<unsigned> parsed(std::string_view list) {
  NodeSet set;
  EXPECT_TRUE(parse_nodes(list, set)) << list;
  return nodes_of(set);
}

TEST(Numa, ListsAreReadAsTheKernelWritesThem) {
  EXPECT_EQ(parsed("0\n"), (std::vector<unsigned>{0}));
  EXPECT_EQ(parsed("0-1\n"), (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(parsed("0-2,8,63-65"), (std::vector<unsigned>{0, 1, 2, 8, 63, 64, 65}));
  EXPECT_EQ(parsed("1023\n"), (std::vector<unsigned>{1023}));
  EXPECT_EQ(parsed("\n"), (std::vector<unsigned>{}));
  EXPECT_EQ(parsed(""), (std::vector<unsigned>{}));
}

TEST(Numa, WhatIsNoListIsRefused) {
  for (const char* list :
       {"x", "0,", ",0", "0-", "-1", "3-1", "0 1", "0,,1", "1024", "0-1024", "99999999999999999999", "0\n\n"}) {
    NodeSet set;
    EXPECT_FALSE(parse_nodes(list, set)) << list;
  }
}

TEST(Numa, NodesComeFromAFile) {
  const std::string name = testing::TempDir() + "longbow_nodes";
  std::ofstream(name) << "0-3\n";
  EXPECT_EQ(nodes_of(read_nodes(name.c_str())), (std::vector<unsigned>{0, 1, 2, 3}));
  std::ofstream(name) << "nonsense\n";
  EXPECT_EQ(read_nodes(name.c_str()).count(), 0U);
  std::ofstream(name) << std::string(10000, '1');
  EXPECT_EQ(read_nodes(name.c_str()).count(), 0U);
  std::remove(name.c_str());
  EXPECT_EQ(read_nodes(name.c_str()).count(), 0U);
}

// Shared memory as PostgreSQL maps it; the nodes are this machine's, be it one.
TEST(Numa, MemoryIsInterleaved) {
  const NodeSet nodes = read_nodes(kMemoryNodesFile);
  if (nodes.count() == 0) GTEST_SKIP() << "the kernel lists no NUMA nodes";
  constexpr std::size_t kBytes = 1 << 20;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const int result = interleave(memory, kBytes, nodes);
  if (result == EPERM || result == ENOSYS) {
    munmap(memory, kBytes);
    GTEST_SKIP() << "mbind is forbidden here: errno " << result;
  }
  EXPECT_EQ(result, 0);
  int policy = -1;
  ASSERT_EQ(syscall(SYS_get_mempolicy, &policy, nullptr, 0UL, memory, MPOL_F_ADDR), 0);
  EXPECT_EQ(policy, MPOL_INTERLEAVE);
  munmap(memory, kBytes);
}

TEST(Numa, MisuseIsAnErrno) {
  NodeSet nodes;
  EXPECT_EQ(nodes.count(), 0U);
  alignas(4096) static char memory[8192];
  const int none = interleave(memory, 4096, nodes);
  EXPECT_NE(none, 0);
  nodes.add(0);
  const int odd = interleave(memory + 8, 4096, nodes);
  EXPECT_NE(odd, 0);
}

}  // namespace
}  // namespace longbow::base
