// Several processes, or one, that do a piece of work in step.
//
// All members run the same code on the same data and meet at barriers; what they share lies in memory that they borrow
// together. Every member must call borrow(), give_back(), barrier() and share_out() in the same order, with the same
// arguments. A member that fails takes the others down with it: that is the crew's affair, not the work's.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <type_traits>

namespace longbow::base {

class Crew {
 public:
  virtual ~Crew() = default;
  [[nodiscard]] virtual unsigned members() const noexcept = 0;
  // 0 leads.
  [[nodiscard]] virtual unsigned me() const noexcept = 0;
  // Memory that all members see, aligned to 64 bytes, its content undefined; given back last in, first out.
  virtual void* borrow(std::size_t bytes) = 0;
  virtual void give_back(void* p, std::size_t bytes) noexcept = 0;
  // Waits until every member is here; what each wrote before, all see after. May throw to stop.
  virtual void barrier() = 0;
  // A counter of which no two members get the same value; it starts at 0 after each share_out().
  virtual std::uint64_t take(std::uint64_t count) noexcept = 0;
  // Ends a use of the counter: a barrier, after which it starts anew.
  virtual void share_out() = 0;

  [[nodiscard]] bool leads() const noexcept { return me() == 0; }
  // Runs f in the leader alone, and makes what it wrote visible to all.
  template <class F>
  void lead(F&& f) {
    if (leads()) f();
    barrier();
  }
  // Shares the numbers 0 .. n - 1 out in runs of `grain`: f(first, end). All is done when it returns.
  template <class F>
  void for_each(std::size_t n, std::size_t grain, F&& f) {
    for (std::uint64_t at = take(grain); at < n; at = take(grain)) f(at, std::min<std::size_t>(at + grain, n));
    share_out();
  }
};

// A crew of one, whose memory comes from a resource.
class Alone final : public Crew {
 public:
  explicit Alone(std::pmr::memory_resource& memory) noexcept : memory_(memory) {}
  [[nodiscard]] unsigned members() const noexcept override { return 1; }
  [[nodiscard]] unsigned me() const noexcept override { return 0; }
  void* borrow(std::size_t bytes) override { return memory_.allocate(bytes, kAlignment); }
  void give_back(void* p, std::size_t bytes) noexcept override { memory_.deallocate(p, bytes, kAlignment); }
  void barrier() override {}
  std::uint64_t take(std::uint64_t count) noexcept override {
    const std::uint64_t at = next_;
    next_ += count;
    return at;
  }
  void share_out() override { next_ = 0; }

 private:
  static constexpr std::size_t kAlignment = 64;
  std::pmr::memory_resource& memory_;
  std::uint64_t next_ = 0;
};

// An array in a crew's memory.
template <class T>
class Shared {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  Shared(Crew& crew, std::size_t count)
      : crew_(crew), data_(static_cast<T*>(crew.borrow(bytes(count)))), size_(count) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { crew_.give_back(data_, bytes(size_)); }
  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T* begin() const noexcept { return data_; }
  T* end() const noexcept { return data_ + size_; }
  // Bytes that an array takes of a crew's memory.
  static constexpr std::size_t bytes(std::size_t count) noexcept { return (count * sizeof(T) + 63) / 64 * 64; }

 private:
  Crew& crew_;
  T* data_;
  std::size_t size_;
};

}  // namespace longbow::base
