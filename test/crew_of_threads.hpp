// A crew of threads over one block of memory, for tests of work that processes share.
#pragma once

#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <new>
#include <thread>
#include <vector>

#include "longbow/base/crew.hpp"

namespace longbow::testing {

struct CrewRoom {
  CrewRoom(unsigned count, std::size_t bytes) : members(count), size(bytes + 64), memory(size), gate(count) {}
  unsigned members;
  std::size_t size;
  std::vector<std::byte> memory;
  std::atomic<std::uint64_t> counter[2] = {0, 0};
  std::barrier<> gate;
};

class CrewMember final : public base::Crew {
 public:
  CrewMember(CrewRoom& room, unsigned me) : room_(room), me_(me) {}
  [[nodiscard]] unsigned members() const noexcept override { return room_.members; }
  [[nodiscard]] unsigned me() const noexcept override { return me_; }
  void* borrow(std::size_t bytes) override {
    if (used_ + bytes > room_.size - 64) throw std::bad_alloc();
    void* p = aligned() + used_;
    used_ += bytes;
    return p;
  }
  void give_back(void* p, std::size_t) noexcept override {
    used_ = static_cast<std::size_t>(static_cast<std::byte*>(p) - aligned());
  }
  void barrier() override { room_.gate.arrive_and_wait(); }
  std::uint64_t take(std::uint64_t count) noexcept override { return room_.counter[turn_ % 2].fetch_add(count); }
  void share_out() override {
    // Nobody uses the other counter until all are here.
    if (me_ == 0) room_.counter[(turn_ + 1) % 2] = 0;
    barrier();
    ++turn_;
  }

 private:
  std::byte* aligned() {
    const auto at = reinterpret_cast<std::uintptr_t>(room_.memory.data());
    return room_.memory.data() + (64 - at % 64) % 64;
  }
  CrewRoom& room_;
  unsigned me_;
  std::size_t used_ = 0;
  std::uint64_t turn_ = 0;
};

// Runs work(crew) in `members` threads that share `bytes` of memory.
template <class F>
void run_crew(unsigned members, std::size_t bytes, F&& work) {
  CrewRoom room(members, bytes);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < members; ++i)
    threads.emplace_back([&, i] {
      CrewMember member(room, i);
      work(member);
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace longbow::testing
