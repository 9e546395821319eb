// Waiting after failures only.
#include "longbow/base/backoff.hpp"

#include <gtest/gtest.h>

namespace longbow::testing {
namespace {

TEST(Backoff, SuccessNeverWaits) {
  base::Backoff b{};
  for (std::int64_t now = 1; now < 100; ++now) {
    EXPECT_TRUE(b.may_try(now));
    b.succeeded();
  }
}

TEST(Backoff, FailuresWaitLongerUntilOneSucceeds) {
  base::Backoff b{};
  std::int64_t now = 1000;
  for (const std::int64_t wait : {10, 20, 40, 80, 100, 100}) {
    EXPECT_TRUE(b.may_try(now));
    b.failed(now, 10, 100);
    EXPECT_FALSE(b.may_try(now + wait - 1));
    now += wait;
    EXPECT_TRUE(b.may_try(now));
  }
  b.succeeded();
  EXPECT_TRUE(b.may_try(now));
  b.failed(now, 10, 100);
  EXPECT_TRUE(b.may_try(now + 10));
}

}  // namespace
}  // namespace longbow::testing
